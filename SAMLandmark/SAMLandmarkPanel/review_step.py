"""Step 3: the review of the results, one landmark after the other."""

from __future__ import annotations

from functools import partial
from typing import Any

from slicer.i18n import tr as _

from SAMLandmarkLib.review.words import summary_text
from SAMLandmarkLib.session import TransferSession
from SAMLandmarkLib.session.review_actions import ReviewActions

from .keys import ACTIONS, textWithKey
from .review_table import ReviewTable
from .widget_help import WidgetHelp, showText


class ReviewStep:
    """Table, details and decisions; everything it does is one step that can be undone."""

    def __init__(self, ui: Any, hints: WidgetHelp, session: TransferSession) -> None:
        self._ui, self._hints, self._session = ui, hints, session
        self._hadResults = False
        self._actions = ReviewActions(session)
        self._table = ReviewTable(ui.reviewTable, session, self._choose)
        for name, button in self._buttons().items():
            button.clicked.connect(partial(self._buttonClicked, name))
        ui.acceptFoundButton.clicked.connect(self._acceptFound)
        ui.heatMapCheckBox.toggled.connect(self._heatMapToggled)

    def do(self, name: str) -> None:
        """Carry an action of the review out where it is possible; see ReviewActions."""
        self._actions.do(name)

    def showKeys(self) -> None:
        """Write the keys of the actions on their buttons."""
        for name, button in self._buttons().items():
            if name in ACTIONS:
                button.setText(textWithKey(name))

    def updateTable(self) -> None:
        """Show all results; the first ones open the step."""
        counts = self._session.counts
        if counts["total"] and not self._hadResults:
            self._ui.reviewStep.collapsed = False
        self._hadResults = bool(counts["total"])
        self._table.fill()
        showText(self._ui.summaryLabel, summary_text(counts))
        self.updateCurrent()

    def updateCurrent(self) -> None:
        """Show the current landmark and what can be done with it."""
        self._table.showCurrent()
        self._ui.detailLabel.setText(self._actions.details())
        blocking_reasons = self._actions.blocking_reasons()
        for name, button in self._buttons().items():
            self._hints.enable(button, blocking_reasons[name])
        self._hints.enable(self._ui.acceptFoundButton, blocking_reasons["accept_found"])
        self._hints.enable(self._ui.heatMapCheckBox, blocking_reasons["heat_map"])
        self._hints.enable(self._ui.correctionsCheckBox, blocking_reasons["corrections"])
        self.updateUndo()

    def updateUndo(self) -> None:
        """Enable undo and redo where there is something to undo or redo, and follow the heat map."""
        blocking_reasons = self._actions.blocking_reasons()
        self._hints.enable(self._ui.undoButton, blocking_reasons["undo"])
        self._hints.enable(self._ui.redoButton, blocking_reasons["redo"])
        self._ui.heatMapCheckBox.blockSignals(True)
        self._ui.heatMapCheckBox.setChecked(self._session.heat_map_shown)
        self._ui.heatMapCheckBox.blockSignals(False)

    def _buttons(self) -> dict[str, Any]:
        ui = self._ui
        return {
            "next_doubtful": ui.nextButton,
            "next_undecided": ui.undecidedButton,
            "previous": ui.previousButton,
            "next_scan": ui.nextScanButton,
            "previous_scan": ui.previousScanButton,
            "accept_and_go_on": ui.acceptButton,
            "reject": ui.rejectButton,
            "next_candidate": ui.candidateButton,
            "set_missing": ui.missingButton,
            "reopen": ui.reopenButton,
            "undo": ui.undoButton,
            "redo": ui.redoButton,
        }

    def _buttonClicked(self, name: str, *_unused: Any) -> None:
        self.do(name)

    def _acceptFound(self, *_unused: Any) -> None:
        percent = self._ui.acceptLimitBox.value
        number = self._session.decisions.accept_found(percent / 100)
        text = _(
            "{number} points were accepted that were found with {percent} % or more; Undo takes that back."
        )
        self._session.notify_user(text.format(number=number, percent=percent))

    def _choose(self, key: str, label: str) -> None:
        self._session.select(key, label)

    def _heatMapToggled(self, checked: bool) -> None:
        if checked:
            self._session.show_heat_map()
        else:
            self._session.hide_heat_map()
