"""What follows from a landmark that the user places, drags, renames or removes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ..review import Decision, ReviewItem
from ..scene.points import ScenePoint, label_problem
from ..scene.undo import UndoStep
from ..worker import TransferAnswer, TransferReply
from .board import ReviewBoard
from .scans import Scan
from .transfers import Wish
from .work import Work

# Files round coordinates, and non-linear transforms are inverted to 0.01 mm.
SAME_PLACE_MM = 0.02


class Follower:
    """Brings the review after the markups of the template and of the follow-ups, and wants transfers for it."""

    def __init__(self, board: ReviewBoard, work: Work) -> None:
        self._board = board
        self._work = work

    # ---- the template

    def template_changed(self, points: Sequence[ScenePoint], who: str, live: bool) -> list[str] | None:
        """The template's points may be others now: the labels placed or moved, None where nothing changed.

        With `live` these are transferred.
        """
        if tuple(points) == self._board.points or label_problem(points):
            return None
        step = self._board.step_of_event()
        moved = self.take_template(points, who, step)
        if live and moved:
            for scan in self._work.follow_ups:
                self._work.want(scan, moved, step)
            self._work.send()
        return moved

    def take_template(self, points: Sequence[ScenePoint], who: str, step: UndoStep) -> list[str]:
        """Rename, remove and order the review's landmarks as the template's are; the labels placed or moved."""
        before = {point.id: point for point in self._board.points}
        names = {
            before[point.id].label: point.label
            for point in points
            if point.id in before and before[point.id].label != point.label
        }
        self._board.points = tuple(points)
        self._work.rename(names)
        self._take_labels(names, [point.label for point in points], who, step)
        return [
            point.label
            for point in points
            if point.id not in before or before[point.id].position_lps != point.position_lps
        ]

    def _take_labels(self, names: dict[str, str], labels: list[str], who: str, step: UndoStep) -> None:
        state = self._board.state.renamed(names, who) if names else self._board.state
        if tuple(labels) != state.labels:
            state = state.with_labels(labels, who)
        if state is not self._board.state:
            self._board.commit(state, step, self._work.follow_ups)

    def want_what_is_missing(self, step: UndoStep) -> None:
        """Transfer what was never transferred, or was placed elsewhere since."""
        if label_problem(self._board.points):
            return
        self._take_labels({}, [point.label for point in self._board.points], "", step)
        for scan in self._work.follow_ups:
            labels = [point.label for point in self._board.points if self.is_outdated(scan.key, point.label)]
            if labels:
                self._work.want(scan, labels, step)
        self._work.send()

    def is_outdated(self, key: str, label: str) -> bool:
        """Whether a landmark of the template was not transferred from where it is now."""
        item, place = self._board.state.item(key, label), self._board.template_lps(label)
        if item is None or item.template_lps is None or place is None:
            return True
        return math.dist(item.template_lps, place) > SAME_PLACE_MM

    # ---- a follow-up

    def follow_up_changed(self, scan: Scan, who: str, use_corrections: bool) -> list[str]:
        """The points of a follow-up may be elsewhere now; the labels that the user moved, placed or removed."""
        moves = self._board.moves(scan)
        if not moves:
            return []
        step = self._board.step_of_event()
        state = self._board.state
        for move in moves:
            if state.item(scan.key, move.label) is None:
                state = state.with_result(scan.key, [self._board.item_to_move(scan, move.label)])
            if move.position_lps is None:
                state = state.set_missing(scan.key, move.label, who)
            else:
                state = state.correct(scan.key, move.label, move.position_lps, who)
        self._board.commit(state, step, [scan])
        labels = [move.label for move in moves]
        if use_corrections:
            self.search_with_corrections(scan, labels, step)
        return labels

    def search_with_corrections(self, scan: Scan, labels: Iterable[str], step: UndoStep) -> None:
        """Search landmarks that were corrected in `scan` once more in the other follow-ups, where undecided."""
        for other in self._work.follow_ups:
            open_labels = [label for label in labels if other is not scan and self._is_open(other.key, label)]
            if open_labels:
                self._work.want(other, open_labels, step)
        self._work.send()

    def _is_open(self, key: str, label: str) -> bool:
        item = self._board.state.item(key, label)
        return item is not None and item.decision is Decision.OPEN

    def corrections(self, target_key: str, labels: Sequence[str]) -> list[tuple[str, list[str], np.ndarray]]:
        """The scans, without the target, in which the user corrected some of the labels, with these places."""
        found = []
        for scan in self._work.follow_ups:
            items = [self._board.state.item(scan.key, label) for label in labels]
            corrected = [item for item in items if item is not None and item.decision is Decision.CORRECTED]
            if scan.key != target_key and corrected and self._work.require(scan):
                points = scan.to_worker([item.position_lps for item in corrected])
                found.append((scan.key, [item.label for item in corrected], points))
        return found

    # ---- answers

    def items(self, wish: Wish, reply: TransferReply) -> list[ReviewItem]:
        """The answers as review items under their present names, without landmarks that were moved since."""
        template, target = self._work.template, self._work.scan(reply.target_key)
        if template is None or target is None:
            return []
        asked = zip(wish.request.labels, wish.request.points_lps, reply.answers, strict=True)
        items = []
        for label, point, answer in asked:
            name = wish.names.get(label, label)
            place = self._board.template_lps(name)
            if place is not None and np.array_equal(template.to_worker(place)[0], point):
                items.append(ReviewItem.from_answer(_in_own_frame(answer, target), place).with_label(name))
        return items


def _in_own_frame(answer: TransferAnswer, target: Scan) -> TransferAnswer:
    candidates = tuple((target.from_worker(place), score) for place, score in answer.candidates)
    return replace(answer, position_lps=target.from_worker(answer.position_lps), candidates=candidates)
