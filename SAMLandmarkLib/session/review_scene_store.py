"""The review of a session in the scene: its node, the markups of the follow-ups, and what the user did to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from ..review import Point, ReviewState
from ..scene.follow_up import (
    create_follow_up_markups,
    follow_transform,
    own_points,
    read_follow_up,
    write_follow_up,
)
from ..scene.mrml import MarkupsNode, ParameterNode, Scene, VolumeNode
from ..scene.point_display import draw_finely_if_plain
from ..scene.points import ScenePoint, read_points
from ..scene.review_node import STATE, ReviewNode
from ..scene.undo import UndoStep, join_undo
from ..scene.volume_place import SavedPlace, VolumePlace
from ..utils.errors import ReviewError
from .markups_display import MarkupsDisplay
from .moves import Move, is_same_place
from .scans import SessionScan


def _ignore(scan: SessionScan, markups_node: MarkupsNode) -> None:
    """Stands for a listener until there is one."""


def _lps(point_ras: Point) -> Point:
    return -point_ras[0], -point_ras[1], point_ras[2]


class ReviewSceneStore:
    """Keeps review state, review node and follow-up markups the same, and each change one step of undo.

    `on_new_markups(scan, markups_node)` is called when a follow-up has got a list of points.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.state = ReviewState()
        self._points: tuple[ScenePoint, ...] = ()
        self._places: dict[str, Point] = {}
        self.template_markups: MarkupsNode | None = None
        self.protocol = ""
        self.writing = False
        self.on_new_markups: Callable[[SessionScan, MarkupsNode], None] = _ignore
        self._display = MarkupsDisplay(scene)
        self._review: ReviewNode | None = None
        self._written: dict[str, dict[str, Point]] = {}
        self._text = ""
        self._undo_level = scene.GetNumberOfUndoLevels()

    # ---- the review node

    def open(
        self, volume_node: VolumeNode | None, markups_node: MarkupsNode | None, protocol: str = ""
    ) -> str:
        """Take up the review of a template or a protocol, or begin one; a sentence where a saved one can't be read."""
        self.state, self.points, self._review, self._written = ReviewState(), (), None, {}
        self.template_markups, self.protocol = markups_node, protocol
        if not protocol and (volume_node is None or markups_node is None):
            return ""
        self._review = ReviewNode.of(self.scene, (volume_node, markups_node), protocol)
        if volume_node is not None and markups_node is not None:
            join_undo(markups_node)
            draw_finely_if_plain(markups_node)
            self.points = read_points(markups_node, volume_node)
        self._undo_level = self.scene.GetNumberOfUndoLevels()
        return self._read_state(self._review)

    def close(self) -> None:
        """Forget everything, without a change to the scene."""
        self.open(None, None)

    @property
    def points(self) -> tuple[ScenePoint, ...]:
        """The template's landmarks."""
        return self._points

    @points.setter
    def points(self, points: tuple[ScenePoint, ...]) -> None:
        self._points = points
        # the first of several with one name counts
        self._places = {point.label: point.position_lps for point in reversed(points)}

    @property
    def labels(self) -> tuple[str, ...]:
        """The landmarks of the template, or those found of a protocol, in their order."""
        return self.state.labels if self.protocol else tuple(point.label for point in self._points)

    @property
    def follow_up_volumes(self) -> list[VolumeNode]:
        """The volumes that the scene remembers as follow-ups of the review."""
        return [] if self._review is None else self._review.follow_ups

    @property
    def review_node(self) -> ParameterNode | None:
        """The node that holds the review."""
        return None if self._review is None else self._review.node

    def changed_outside(self) -> bool:
        """Whether somebody else, such as a script with a session of its own, has written into the review."""
        return self._review is not None and self._review.node.GetParameter(STATE) != self._text

    def _read_state(self, review: ReviewNode) -> str:
        self._text = review.node.GetParameter(STATE)
        try:
            self.state = review.state
            return ""
        except ReviewError as error:
            self.state = ReviewState()
            return str(error)

    def remember_follow_ups(self, scans: Iterable[SessionScan]) -> None:
        """Let the scene remember which volumes are follow-ups."""
        if self._review is not None:
            self._review.follow_ups = [scan.node for scan in scans]

    def remember_provenance(self, key: str, provenance: dict[str, Any]) -> None:
        """Let the scene remember how the landmarks of a scan were made."""
        if self._review is not None:
            self._review.provenance = self._review.provenance | {key: provenance}

    def provenance(self, key: str) -> dict[str, Any]:
        """How the landmarks of a scan were made; {} where unknown."""
        return self._review.provenance.get(key, {}) if self._review is not None else {}

    def markups_of(self, scan: SessionScan) -> MarkupsNode | None:
        """The markups node of a follow-up, None where it has none yet."""
        return self._review.markups_of(scan.node) if self._review is not None else None

    def template_lps(self, label: str) -> Point | None:
        """Where the template's landmark is, LPS mm; None where there is none of this name."""
        return self._places.get(label)

    # ---- writing

    def step(self) -> UndoStep:
        """A new step of undo for something that was not done yet."""
        return UndoStep(self.scene)

    def step_of_event(self) -> UndoStep:
        """The step of undo for the consequences of what the user just did in a view.

        Slicer saves the state before a point is placed or dragged; what follows from that is undone with it.
        """
        level = self.scene.GetNumberOfUndoLevels()
        saved, self._undo_level = level > self._undo_level, level
        return UndoStep(self.scene, saved)

    def commit(self, state: ReviewState, step: UndoStep, scans: Iterable[SessionScan]) -> None:
        """Make `state` the review, as part of `step`, and write the markups of `scans`."""
        if self._review is None:
            return
        step.begin()
        self._write_state(self._review, state)
        for scan in scans:
            if state.items(scan.key):
                self.write(scan)
        self._undo_level = self.scene.GetNumberOfUndoLevels()

    def _write_state(self, review: ReviewNode, state: ReviewState) -> None:
        self.state, self._text = state, state.to_json()
        review.node.SetParameter(STATE, self._text)

    def write(self, scan: SessionScan) -> None:
        """Make the markups of a follow-up say what the review says."""
        node = self.markups_of(scan) or self._create_markups(scan)
        self.writing = True
        try:
            write_follow_up(node, scan.node, self.state.labels, self.state.items(scan.key))
        finally:
            self.writing = False
        self._remember_written(scan, node)

    def _create_markups(self, scan: SessionScan) -> MarkupsNode:
        node = create_follow_up_markups(self.scene, scan.node)
        if self._review is not None:
            self._review.set_markups_of(scan.node, node)
        self._display.show_one(scan.key, node)
        self.on_new_markups(scan, node)
        return node

    def replace_without_undo(self, state: ReviewState, scans: Iterable[SessionScan]) -> None:
        """Make `state` the review; what was done before can't be undone any more, since it counts in other frames."""
        if self._review is None or state is self.state:
            return
        self.scene.ClearUndoStack()
        self.scene.ClearRedoStack()
        self._write_state(self._review, state)
        for scan in scans:
            self.write(scan)
        self._undo_level = self.scene.GetNumberOfUndoLevels()

    def show_points(
        self, template: SessionScan | None, follow_ups: Iterable[SessionScan], apart: bool | None = None
    ) -> None:
        """Show the points of each scan in all views or, `apart`, in the scan's own; None: as before."""
        self._display.apart = self._display.apart if apart is None else apart
        shown = {scan.key: self.markups_of(scan) for scan in follow_ups}
        if template is not None and self._review is not None:
            shown[template.key] = self.template_markups
        self._display.show(self._review, {key: node for key, node in shown.items() if node is not None})

    # ---- reading

    def reload(self, template_volume: VolumeNode | None, scans: Iterable[SessionScan]) -> str:
        """Take over what the scene holds, after an undo or redo; returns a sentence where it can't be read."""
        problem = self._read_state(self._review) if self._review is not None else ""
        if template_volume is not None and self.template_markups is not None:
            self.points = read_points(self.template_markups, template_volume)
        self.take_over(scans)
        self._undo_level = self.scene.GetNumberOfUndoLevels()
        return problem

    def take_over(self, scans: Iterable[SessionScan]) -> None:
        """What the markups of follow-ups say now was not moved by the user."""
        for scan in scans:
            node = self.markups_of(scan)
            if node is not None:
                self._remember_written(scan, node)

    def _remember_written(self, scan: SessionScan, node: MarkupsNode) -> None:
        self._written[scan.key] = own_points(node)

    def follow_transform(self, scan: SessionScan) -> bool:
        """Put a follow-up's markups under the parent transform of its volume, unless somebody else has edited them.

        Returns whether they were under another one.
        """
        node = self.markups_of(scan)
        return node is not None and self._agrees(scan, node) and follow_transform(node, scan.node)

    def _agrees(self, scan: SessionScan, node: MarkupsNode) -> bool:
        """Whether a list says, in its own frame, what the review says in that of the volume."""
        places = {label: _lps(place) for label, place in own_points(node).items()}
        items = self.state.items(scan.key).items()
        return all(is_same_place(item.position_lps, places.get(label)) for label, item in items)

    def move_points(self, move: Callable[[np.ndarray], np.ndarray]) -> None:
        """Remember the template's landmarks where they are in the template's new frame."""
        if self.points:
            places = move(np.array([point.position_lps for point in self.points])).tolist()
            self.points = tuple(
                replace(point, position_lps=tuple(place))
                for point, place in zip(self.points, places, strict=True)
            )

    def saved_place(self, key: str) -> SavedPlace | None:
        """Map and size that a volume had when they were remembered last; None where that is unknown or damaged."""
        return None if self._review is None else SavedPlace.read(self._review.places.get(key))

    def remember_place(self, key: str, place: VolumePlace) -> None:
        """Let the scene remember map and size of a volume, in whose frame its landmarks count."""
        if self._review is not None and SavedPlace.of(place) != self.saved_place(key):
            self._review.places = self._review.places | {key: SavedPlace.of(place).to_json()}

    def moves(self, scan: SessionScan) -> list[Move]:
        """What the user moved, placed or took away in the markups of a follow-up since they were written."""
        node, before = self.markups_of(scan), self._written.get(scan.key, {})
        if node is None:
            return []
        now = own_points(node)
        changed = [label for label in self.state.labels if now.get(label) != before.get(label)]
        places = read_follow_up(node, scan.node) if changed else {}
        items = self.state.items(scan.key)
        # what the review says already was written by another session
        return [
            Move(label, places.get(label))
            for label in changed
            if label not in items or not is_same_place(items[label].position_lps, places.get(label))
        ]

    def differences(self, scan: SessionScan) -> list[Move]:
        """Where the markups of a follow-up are elsewhere than the review says, as after a change by somebody else."""
        node, items = self.markups_of(scan), self.state.items(scan.key)
        if node is None or not items:
            return []
        places = read_follow_up(node, scan.node)
        return [
            Move(label, places.get(label))
            for label, item in items.items()
            if not is_same_place(item.position_lps, places.get(label))
        ]
