"""The review of a session in the scene: its node, the markups of the follow-ups, and what the user did to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import ReviewError
from ..review import Point, ReviewItem, ReviewState
from ..review.reasons import PLACED_BY_HAND
from ..scene.follow_up import (
    NOWHERE,
    create_follow_up_markups,
    follow_transform,
    own_points,
    read_follow_up,
    show_only_in,
    write_follow_up,
)
from ..scene.layout import slice_node_ids
from ..scene.points import ScenePoint, read_points
from ..scene.review_node import ReviewNode
from ..scene.undo import UndoStep, join_undo
from ..scene.volumes import ijk_to_ras
from .scans import Scan


@dataclass(frozen=True)
class Move:
    """The user put a landmark of a follow-up somewhere: `position_lps` LPS mm, None where it was taken away."""

    label: str
    position_lps: Point | None


class ReviewBoard:
    """Keeps review state, review node and follow-up markups the same, and each change one step of undo."""

    def __init__(self, scene: object) -> None:
        self.scene = scene
        self.state = ReviewState()
        self.points: tuple[ScenePoint, ...] = ()
        self.writing = False
        self._apart = False
        self._review: ReviewNode | None = None
        self._written: dict[str, dict[str, Point]] = {}
        self._geometry: dict[str, bytes] = {}
        self._undo_level = scene.GetNumberOfUndoLevels()

    # ---- the review node

    def open(self, volume_node: object | None, markups_node: object | None) -> str:
        """Take up the review of a template, or begin one; returns a sentence where a saved one can't be read."""
        self.state, self.points, self._review, self._written = ReviewState(), (), None, {}
        if volume_node is None or markups_node is None:
            return ""
        self._review = self._find(volume_node, markups_node) or ReviewNode.create(self.scene)
        join_undo(markups_node)
        self._review.template = (volume_node, markups_node)
        self.points = read_points(markups_node, volume_node)
        self._undo_level = self.scene.GetNumberOfUndoLevels()
        return self._read_state()

    def close(self) -> None:
        """Forget everything, without a change to the scene."""
        self.open(None, None)

    def _find(self, volume_node: object, markups_node: object) -> ReviewNode | None:
        wanted = (volume_node, markups_node)
        return next((review for review in ReviewNode.all(self.scene) if review.template == wanted), None)

    def _read_state(self) -> str:
        try:
            self.state = self._review.state
            return ""
        except ReviewError as error:
            self.state = ReviewState()
            return str(error)

    def remember_follow_ups(self, scans: Iterable[Scan]) -> None:
        """Let the scene remember which volumes are follow-ups."""
        if self._review is not None:
            self._review.follow_ups = [scan.node for scan in scans]

    def remember_provenance(self, key: str, provenance: dict) -> None:
        """Let the scene remember how the landmarks of a scan were made."""
        self._review.provenance = self._review.provenance | {key: provenance}

    def provenance(self, key: str) -> dict:
        """How the landmarks of a scan were made; {} where unknown."""
        return self._review.provenance.get(key, {}) if self._review is not None else {}

    def markups_of(self, scan: Scan) -> object | None:
        """The markups node of a follow-up, None where it has none yet."""
        return self._review.markups_of(scan.node) if self._review is not None else None

    def template_lps(self, label: str) -> Point | None:
        """Where the template's landmark is, LPS mm; None where there is none of this name."""
        return next((point.position_lps for point in self.points if point.label == label), None)

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

    def commit(self, state: ReviewState, step: UndoStep, scans: Iterable[Scan]) -> None:
        """Make `state` the review, as part of `step`, and write the markups of `scans`."""
        step.begin()
        self.state = state
        self._review.state = state
        for scan in scans:
            if state.items(scan.key):
                self.write(scan)
        self._undo_level = self.scene.GetNumberOfUndoLevels()

    def write(self, scan: Scan) -> None:
        """Make the markups of a follow-up say what the review says."""
        node = self.markups_of(scan)
        if node is None:
            node = create_follow_up_markups(self.scene, scan.node)
            self._review.set_markups_of(scan.node, node)
            self._show_points(scan, node)
        self.writing = True
        try:
            write_follow_up(node, scan.node, self.state.labels, self.state.items(scan.key))
        finally:
            self.writing = False
        self._remember_written(scan, node)

    def show_points(
        self, template: Scan | None, follow_ups: Iterable[Scan], apart: bool | None = None
    ) -> None:
        """Show the points of each scan in all views or, `apart`, in the scan's own; None: as before.

        In the views of a follow-up the template's points would be taken for the result.
        """
        self._apart = self._apart if apart is None else apart
        if template is not None and self._review is not None:
            self._show_points(template, self._review.template[1])
        for scan in follow_ups:
            self._show_points(scan, self.markups_of(scan))
        self._show_other_reviews()

    def _show_other_reviews(self) -> None:
        """Points of other reviews would be taken for those of this one in its views."""
        reviews = ReviewNode.all(self.scene)
        own = [] if self._review is None else self._review.markups
        for node in (node for review in reviews for node in review.markups):
            if node not in own:
                show_only_in(node, (NOWHERE,) if self._apart else ())

    def _show_points(self, scan: Scan, node: object | None) -> None:
        if node is not None:
            # a scan without views of its own shows its points nowhere, since in others' views they would be wrong
            show_only_in(node, slice_node_ids(self.scene, scan.key) or (NOWHERE,) if self._apart else ())

    # ---- reading

    def reload(self, template: Sequence[object | None], scans: Iterable[Scan]) -> str:
        """Take over what the scene holds, after an undo or redo; returns a sentence where it can't be read."""
        problem = self._read_state() if self._review is not None else ""
        if all(node is not None for node in template):
            self.points = read_points(template[1], template[0])
        self.take_over(scans)
        self._undo_level = self.scene.GetNumberOfUndoLevels()
        return problem

    def take_over(self, scans: Iterable[Scan]) -> None:
        """What the markups of follow-ups say now was not moved by the user."""
        for scan in scans:
            node = self.markups_of(scan)
            if node is not None:
                self._remember_written(scan, node)

    def _remember_written(self, scan: Scan, node: object) -> None:
        self._written[scan.key] = own_points(node)
        self._geometry[scan.key] = ijk_to_ras(scan.node).tobytes()

    def follow_transform(self, scan: Scan) -> None:
        """Let a follow-up's markups move with its volume.

        Not where the volume got another geometry, as when its transform was hardened: there the markups are right.
        """
        node = self.markups_of(scan)
        if node is not None and self._geometry.get(scan.key) == ijk_to_ras(scan.node).tobytes():
            follow_transform(node, scan.node)

    def moves(self, scan: Scan) -> list[Move]:
        """What the user moved, placed or took away in the markups of a follow-up since they were written."""
        node, before = self.markups_of(scan), self._written.get(scan.key, {})
        if node is None:
            return []
        now = own_points(node)
        changed = [label for label in self.state.labels if now.get(label) != before.get(label)]
        places = read_follow_up(node, scan.node) if changed else {}
        return [Move(label, places.get(label)) for label in changed]

    def item_to_move(self, scan: Scan, label: str) -> ReviewItem:
        """The item of a landmark; a new one where the user placed it before anything was transferred."""
        return self.state.item(scan.key, label) or ReviewItem(
            label, "MISSING", 0.0, reason=PLACED_BY_HAND, template_lps=self.template_lps(label)
        )
