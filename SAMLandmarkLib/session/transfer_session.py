"""The workflow: template and follow-ups, transfer, review, export. Without Qt, so that every door can use it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..review import ReviewItem, ReviewState, next_doubtful
from ..scene.layout import ORIENTATIONS
from ..scene.nodes import keep_placing
from ..translation import _
from .export import ExportScan, write_export
from .scans import Scan
from .session_transfer import SessionTransfer
from .status import Change

_Operation = Callable[..., ReviewState]


class TransferSession(SessionTransfer):
    """Carries the landmarks of a template to its follow-ups and keeps the review of them in a scene.

    `worker` computes and stays the caller's; `who` signs the log (the user's login name by default); `window` shows the
    views (Slicer's own by default). The scene's undo is turned on. Everything is kept in the scene: closing the session loses nothing, and `restore` takes it up
    again. All methods belong to the main thread; what comes from the worker arrives in `poll`, which must be called
    again and again, for example every 50 ms.
    """

    # ---- the review

    @property
    def state(self) -> ReviewState:
        """The review as it is now."""
        return self._board.state

    def item(self, scan_key: str, label: str) -> ReviewItem | None:
        """A landmark in a follow-up, None where it was not transferred yet."""
        return self.state.item(scan_key, label)

    def is_outdated(self, scan_key: str, label: str) -> bool:
        """Whether the template's landmark is no longer where it was when it was transferred."""
        return self.item(scan_key, label) is not None and self._follower.is_outdated(scan_key, label)

    def select(self, scan_key: str, label: str) -> None:
        """Review a landmark in a follow-up: template and follow-up look at it."""
        self._viewing.select(scan_key, label)
        self._notify(Change.SELECTION)

    def next_doubtful(self) -> bool:
        """Go to the next landmark that is doubtful or missing and undecided; False where there is none."""
        scans = [scan.key for scan in self._work.follow_ups]
        found = next_doubtful(self.state, self.current, scans)
        if found is None:
            self.tell(_("Nothing doubtful is left to review."))
            return False
        self.select(*found)
        return True

    def accept(self, scan_key: str | None = None, label: str | None = None) -> None:
        """The landmark (the current one by default) is right; without a position: it is rightly missing."""
        self._decide(ReviewState.accept, scan_key, label)

    def reject(self, scan_key: str | None = None, label: str | None = None) -> None:
        """The landmark is wrong and not to be used; its place stays in the log."""
        self._decide(ReviewState.reject, scan_key, label)

    def set_missing(self, scan_key: str | None = None, label: str | None = None) -> None:
        """The landmark isn't in this scan."""
        self._decide(ReviewState.set_missing, scan_key, label)

    def reopen(self, scan_key: str | None = None, label: str | None = None) -> None:
        """Back to what the engine answered."""
        self._decide(ReviewState.reopen, scan_key, label)
        self._viewing.look_at_current()

    def next_candidate(self, scan_key: str | None = None, label: str | None = None) -> None:
        """Move the landmark to the next place that looks alike."""
        before = self.state
        self._decide(ReviewState.next_candidate, scan_key, label)
        if self.current is not None and self.state is before:
            self.tell(_("There is no other candidate for '{label}'.").format(label=label or self.current[1]))
        self._viewing.look_at_current()

    def correct(self, scan_key: str, label: str, position_lps: Sequence[float]) -> None:
        """The landmark is at `position_lps` (LPS mm, the follow-up's own frame), as if it was dragged there."""
        scan = self._work.scan(scan_key)
        self._decide(ReviewState.correct, scan_key, label, position_lps)
        if self.use_corrections and scan is not None:
            self._follower.search_with_corrections(scan, [label], self._board.step())

    def _decide(
        self, operation: _Operation, scan_key: str | None, label: str | None, *values: object
    ) -> None:
        """Apply an operation of ReviewState to a landmark, as one step of undo."""
        key = self.current if scan_key is None or label is None else (scan_key, label)
        scan = None if key is None else self._work.scan(key[0])
        if scan is None or self.item(*key) is None:
            self._tell_to_select()
            return
        state = operation(self.state, *key, *values, who=self.who)
        if state is not self.state:
            self._board.commit(state, self._board.step(), [scan])
            self._watch_nodes()
            self._viewing.mark_current()
            self._notify(Change.REVIEW)

    def _tell_to_select(self) -> None:
        self.tell(_("Select a landmark of a follow-up in the table first."))

    # ---- undo

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return self.scene.GetNumberOfUndoLevels() > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return self.scene.GetNumberOfRedoLevels() > 0

    def undo(self) -> None:
        """Undo the last step, be it a whole transfer."""
        with keep_placing(self.scene):
            self.scene.Undo()

    def redo(self) -> None:
        """Redo what was undone last."""
        with keep_placing(self.scene):
            self.scene.Redo()

    # ---- views

    def show_side_by_side(self, orientations: Sequence[str] = ORIENTATIONS[:1]) -> None:
        """Show template and follow-ups side by side, each with its points in views of its own.

        There is room for six scans; a further one takes the place of the last when one of its landmarks is selected.
        """
        self._viewing.show_side_by_side(orientations)

    def leave_side_by_side(self) -> None:
        """Show the points of every scan in all views again, as another layout needs it."""
        self._viewing.leave_side_by_side()

    def look_at_current(self) -> None:
        """Let the views go to the current landmark again, for example after a host has fitted them."""
        self._viewing.look_at_current()

    @property
    def linked_scrolling(self) -> bool:
        """Whether scrolling through one scan scrolls the others by as much."""
        return self._viewing.linking.on

    @linked_scrolling.setter
    def linked_scrolling(self, linked: bool) -> None:
        self._viewing.linking.on = linked

    @contextmanager
    def views_apart(self) -> Iterator[None]:
        """While this lasts, a host may move views, for example to fit them, without scrolling linked ones."""
        with self._viewing.linking.paused():
            yield

    @property
    def heat_map_shown(self) -> bool:
        """Whether the similarity of the current landmark lies over its follow-up, or soon will."""
        return self._work.heat_maps.shown

    def show_heat_map(self, scan_key: str | None = None, label: str | None = None) -> None:
        """Lay the similarity to a landmark (the current one by default) over a follow-up."""
        key = self.current if scan_key is None or label is None else (scan_key, label)
        if key is None or not self._viewing.show_heat_map(*key):
            self._tell_to_select()

    def hide_heat_map(self) -> None:
        """Take the overlay away."""
        self._work.heat_maps.hide()

    # ---- export

    def export(self, folder: str | os.PathLike) -> list[Path]:
        """Write the markups of every scan, tables, the log and a report into a folder; returns the files.

        Positions are LPS mm in each scan's own frame, that is without parent transforms, as in the scan's own file.
        Raises OutputError where a file can't be written and UsageError where there is nothing to export.
        """
        follow_ups = [self._export_scan(scan) for scan in self._work.follow_ups]
        template = None if self._work.template is None else self._export_scan(self._work.template)
        return write_export(folder, template, self._board.points, follow_ups, self.state)

    def _export_scan(self, scan: Scan) -> ExportScan:
        return ExportScan(scan.key, scan.name, scan.date, scan.node, self._board.provenance(scan.key))
