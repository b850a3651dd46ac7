"""Step 3: the review of the results, one landmark after the other."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from SAMLandmarkLib.session import TransferSession

from .mouse import placeUnderMouse
from .review_table import ReviewTable
from .review_text import detailText, summaryText
from .widget_help import WidgetHelp, showText


class ReviewStep:
    """Table, details and decisions; everything it does is one step that can be undone."""

    def __init__(self, ui: Any, hints: WidgetHelp, session: TransferSession) -> None:
        self._ui, self._hints, self._session = ui, hints, session
        self._hadResults = False
        self._table = ReviewTable(ui.reviewTable, session, self._choose)
        ui.nextButton.clicked.connect(self.nextDoubtful)
        ui.acceptButton.clicked.connect(self.accept)
        ui.rejectButton.clicked.connect(self.reject)
        ui.candidateButton.clicked.connect(self.nextCandidate)
        ui.missingButton.clicked.connect(self.setMissing)
        ui.reopenButton.clicked.connect(self.reopen)
        ui.undoButton.clicked.connect(self.undo)
        ui.redoButton.clicked.connect(self.redo)
        ui.heatMapCheckBox.toggled.connect(self._heatMapToggled)

    def nextDoubtful(self, *_unused: Any) -> None:
        """Go to the point that needs the user's eyes most."""
        if self._ui.nextButton.enabled:
            self._session.next_doubtful()

    def accept(self, *_unused: Any) -> None:
        """Accept the current point."""
        if self._ui.acceptButton.enabled:
            self._session.accept()

    def reject(self, *_unused: Any) -> None:
        """Reject the current point."""
        if self._ui.rejectButton.enabled:
            self._session.reject()

    def nextCandidate(self, *_unused: Any) -> None:
        """Move the current point to its next candidate."""
        if self._ui.candidateButton.enabled:
            self._session.next_candidate()

    def setMissing(self, *_unused: Any) -> None:
        """Say that the current point is not on this scan."""
        if self._ui.missingButton.enabled:
            self._session.set_missing()

    def putUnderMouse(self, *_unused: Any) -> None:
        """Put the current point where the mouse is in its scan, also one that was not found: a correction."""
        current = self._session.current
        if current is None or self._session.item(*current) is None:
            return
        scan = next(scan for scan in self._session.follow_ups if scan.key == current[0])
        place = placeUnderMouse(scan)
        if place is None:
            text = _("Hold the mouse over the place on {scan}, then press P.")
            self._session.tell(text.format(scan=scan.title))
        else:
            self._session.correct(*current, place)

    def reopen(self, *_unused: Any) -> None:
        """Take the decision about the current point back."""
        if self._ui.reopenButton.enabled:
            self._session.reopen()

    def undo(self, *_unused: Any) -> None:
        """Undo the last step."""
        if self._session.can_undo:
            self._session.undo()

    def redo(self, *_unused: Any) -> None:
        """Redo what was undone."""
        if self._session.can_redo:
            self._session.redo()

    def updateTable(self) -> None:
        """Show all results; the first ones open the step."""
        counts = self._session.state.counts()
        if counts["total"] and not self._hadResults:
            self._ui.reviewStep.collapsed = False
        self._hadResults = bool(counts["total"])
        self._table.fill()
        showText(self._ui.summaryLabel, summaryText(counts))
        self.updateCurrent()

    def updateCurrent(self) -> None:
        """Show the current landmark and what can be done with it."""
        self._table.showCurrent()
        current = self._session.current
        item = self._session.item(*current) if current else None
        self._ui.detailLabel.setText(self._details(current, item))
        self._enableDecisions(item)
        self.updateUndo()

    def updateUndo(self) -> None:
        """Enable undo and redo where there is something to undo or redo, and follow the heat map."""
        self._hints.enable(
            self._ui.undoButton, "" if self._session.can_undo else _("There is nothing to undo.")
        )
        self._hints.enable(
            self._ui.redoButton, "" if self._session.can_redo else _("There is nothing to redo.")
        )
        self._ui.heatMapCheckBox.blockSignals(True)
        self._ui.heatMapCheckBox.setChecked(self._session.heat_map_shown)
        self._ui.heatMapCheckBox.blockSignals(False)

    def _enableDecisions(self, item: Any) -> None:
        total = self._session.state.counts()["total"]
        nothing = "" if total else _("Transfer the points first.")
        unchosen = nothing or ("" if item else _("Click a result in the table first."))
        nowhere = unchosen or ("" if item.position_lps else _withoutPosition(item))
        single = unchosen or ("" if item.has_other_candidate else _("No other place looks like this point."))
        undecided = unchosen or (
            "" if item.decision.value != "OPEN" else _("You have not decided about it yet.")
        )
        enable = self._hints.enable
        enable(self._ui.nextButton, nothing)
        enable(self._ui.acceptButton, nowhere)
        enable(self._ui.rejectButton, nowhere)
        enable(self._ui.candidateButton, single)
        enable(self._ui.missingButton, unchosen)
        enable(self._ui.reopenButton, undecided)
        enable(self._ui.heatMapCheckBox, unchosen)
        enable(self._ui.correctionsCheckBox, nothing)

    def _details(self, current: tuple[str, str] | None, item: Any) -> str:
        if item is None:
            empty = not self._session.state.counts()["total"]
            return _("The results appear here.") if empty else _("Click a result: both scans go there.")
        titles = {scan.key: scan.title for scan in self._session.follow_ups}
        relative = self._session.state.relative_displacement_mm(*current)
        title = titles.get(current[0], "")
        return detailText(item, title, self._session.is_outdated(*current), relative)

    def _choose(self, key: str, label: str) -> None:
        self._session.select(key, label)

    def _heatMapToggled(self, checked: bool) -> None:
        if checked:
            self._session.show_heat_map()
        else:
            self._session.hide_heat_map()


def _withoutPosition(item: Any) -> str:
    if item.has_other_candidate:
        return _(
            "This point has no position here: C shows the best guess, P puts it where the mouse is, M says that it is "
            "not on this scan."
        )
    return _(
        "This point has no position here: P puts it where the mouse is, M says that it is not on this scan."
    )
