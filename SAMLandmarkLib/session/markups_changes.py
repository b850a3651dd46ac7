"""What follows from a landmark that the user places, drags, renames or removes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ..core.results import TransferredLandmark
from ..review import Decision, ReviewItem, ReviewState
from ..review.item import point_or_none
from ..review.reasons import PLACED_BY_HAND
from ..scene.points import ScenePoint, label_problem
from ..scene.undo import UndoStep
from ..worker.messages import TransferReply, WorkerLocateRequest, WorkerTransferRequest
from .jobs import SessionJobs
from .moves import SAME_PLACE_MM, Move
from .pending_transfers import PendingTransfer
from .review_scene_store import ReviewSceneStore
from .scans import SessionScan
from .volume_changes import VolumeChangeHandler

_ROUNDING_MM = 1e-6


class MarkupsChangeHandler:
    """Makes the review follow the markups of the template and of the follow-ups, and requests transfers for it."""

    def __init__(self, store: ReviewSceneStore, jobs: SessionJobs, volumes: VolumeChangeHandler) -> None:
        self._store = store
        self._jobs = jobs
        self._volumes = volumes

    # ---- the template

    def template_changed(self, points: Sequence[ScenePoint], who: str, live: bool) -> list[str] | None:
        """React to edited template points; returns the labels placed or moved, None where nothing changed.

        With `live` these are transferred.
        """
        if tuple(points) == self._store.points or label_problem(points):
            return None
        step = self._store.step_of_event()
        moved = self.take_template(points, who, step)
        if live and moved:
            for scan in self._jobs.follow_ups:
                self._jobs.want(scan, moved, step)
            self._jobs.send()
        return moved

    def take_template(self, points: Sequence[ScenePoint], who: str, step: UndoStep) -> list[str]:
        """Rename, remove and order the review's landmarks as the template's are; the labels placed or moved."""
        before = {point.id: point for point in self._store.points}
        names = {
            before[point.id].label: point.label
            for point in points
            if point.id in before and before[point.id].label != point.label
        }
        self._store.points = tuple(points)
        self._jobs.rename(names)
        self._take_labels(names, [point.label for point in points], who, step)
        return [
            point.label for point in points if point.id not in before or _was_moved(before[point.id], point)
        ]

    def _take_labels(self, names: dict[str, str], labels: list[str], who: str, step: UndoStep) -> None:
        state = self._store.state.renamed(names, who) if names else self._store.state
        if tuple(labels) != state.labels:
            state = state.with_labels(labels, who)
        if state is not self._store.state:
            self._store.commit(state, step, self._jobs.follow_ups)

    def transfer_outdated(self, step: UndoStep) -> None:
        """Transfer what was never transferred, or was placed elsewhere since; nothing of a protocol."""
        if self._store.protocol or label_problem(self._store.points):
            return
        self._take_labels({}, [point.label for point in self._store.points], "", step)
        for scan in self._jobs.follow_ups:
            labels = [point.label for point in self._store.points if self.is_outdated(scan.key, point.label)]
            if labels:
                self._jobs.want(scan, labels, step)
        self._jobs.send()

    def is_outdated(self, key: str, label: str) -> bool:
        """Whether a landmark was not transferred from where it is now on the template, or in other voxels."""
        follow_up = self._jobs.scan(key)
        if follow_up is not None and self._volumes.has_other_voxels(self._jobs.template, follow_up):
            return True
        if self._store.protocol:
            return False
        item, place = self._store.state.item(key, label), self._store.template_lps(label)
        if item is None or item.template_lps is None or place is None:
            return True
        return math.dist(item.template_lps, place) > SAME_PLACE_MM

    # ---- a follow-up

    def follow_up_changed(self, scan: SessionScan, who: str, use_corrections: bool) -> list[str]:
        """React to edited follow-up points; returns the labels that the user moved, placed or removed."""
        moves = self._store.moves(scan)
        if not moves:
            return []
        step = self._store.step_of_event()
        labels = self._take_moves(scan, moves, who, step)
        if use_corrections:
            self.search_with_corrections(scan, labels, step)
        return labels

    def reconcile(self, scan: SessionScan, who: str) -> list[str]:
        """Take what the markups of a follow-up say otherwise than the review as the user's; returns the labels.

        They can differ where the points were edited while the volume was no follow-up, or nobody watched.
        """
        moves = self._store.differences(scan)
        return self._take_moves(scan, moves, who, self._store.step()) if moves else []

    def _take_moves(self, scan: SessionScan, moves: Sequence[Move], who: str, step: UndoStep) -> list[str]:
        state = self._store.state
        for move in moves:
            if state.item(scan.key, move.label) is None:
                placed = self._placed_by_hand(move.label)
                state = state.with_result(scan.key, [placed])
            if move.position_lps is None:
                state = state.set_missing(scan.key, move.label, who)
            else:
                state = state.correct(scan.key, move.label, move.position_lps, who)
        self._store.commit(state, step, [scan])
        return [move.label for move in moves]

    def _placed_by_hand(self, label: str) -> ReviewItem:
        """The item of a landmark that the user places before it was ever found."""
        place = self._store.template_lps(label)
        return ReviewItem.of(label, "MISSING", 0.0, reason=PLACED_BY_HAND, template_lps=place)

    def search_with_corrections(self, scan: SessionScan, labels: Iterable[str], step: UndoStep) -> None:
        """Search landmarks that were corrected in `scan` once more in the other follow-ups, where undecided.

        What a protocol's atlas finds depends on no other scan.
        """
        if self._store.protocol:
            return
        for other in self._jobs.follow_ups:
            open_labels = [label for label in labels if other is not scan and self._is_open(other.key, label)]
            if open_labels:
                self._jobs.want(other, open_labels, step)
        self._jobs.send()

    def _is_open(self, key: str, label: str) -> bool:
        item = self._store.state.item(key, label)
        return item is not None and item.decision is Decision.OPEN

    def corrections(self, target_key: str, labels: Sequence[str]) -> list[tuple[str, list[str], np.ndarray]]:
        """The scans, without the target, in which the user corrected some of the labels, with these places."""
        found = []
        for scan in self._jobs.follow_ups:
            corrected = {
                item.label: item.position_lps
                for item in map(partial(self._store.state.item, scan.key), labels)
                if item is not None and item.decision is Decision.CORRECTED and item.position_lps is not None
            }
            if scan.key != target_key and corrected and self._jobs.require(scan):
                found.append((scan.key, list(corrected), scan.to_worker(list(corrected.values()))))
        return found

    # ---- answers

    def with_result(
        self, scan: SessionScan, items: Sequence[ReviewItem], who: str, again: bool = False
    ) -> ReviewState:
        """The review with new answers for a scan; with those of a protocol its landmarks become known."""
        state = self._store.state
        if self._store.protocol:
            labels = dict.fromkeys([*state.labels, *(item.label for item in items)])
            state = state.with_labels(list(labels), who)
        return state.with_result(scan.key, items, again, who)

    def items(self, pending: PendingTransfer, reply: TransferReply) -> list[ReviewItem]:
        """The answers as review items under their present names, without landmarks that were moved since."""
        template, target, request = self._jobs.template, self._jobs.scan(reply.target_key), pending.request
        if target is not None and isinstance(request, WorkerLocateRequest):
            return [ReviewItem.from_answer(_in_own_frame(answer, target), None) for answer in reply.answers]
        if template is None or target is None or not isinstance(request, WorkerTransferRequest):
            return []
        asked = zip(request.labels, request.points_lps, reply.answers, strict=True)
        items = []
        for label, point, answer in asked:
            name = pending.names.get(label, label)
            place = self._store.template_lps(name)
            if place is not None and np.array_equal(template.to_worker(place)[0], point):
                items.append(ReviewItem.from_answer(_in_own_frame(answer, target), place).with_label(name))
        return items


def _was_moved(before: ScenePoint, now: ScenePoint) -> bool:
    """Whether a point is elsewhere; another frame of its volume, such as after hardening, moves it by rounding only."""
    return math.dist(before.position_lps, now.position_lps) > _ROUNDING_MM


def _in_own_frame(answer: TransferredLandmark, target: SessionScan) -> TransferredLandmark:
    own, place = None, point_or_none(answer.position_lps)
    if place is not None:
        own = np.array(target.from_worker(place))
    candidates = tuple(
        replace(found, position_lps=np.array(target.from_worker(place)))
        for found in answer.candidates
        if (place := point_or_none(found.position_lps)) is not None
    )
    return replace(answer, position_lps=own, candidates=candidates)
