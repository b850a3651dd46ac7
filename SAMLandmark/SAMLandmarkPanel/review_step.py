"""Step 3: the review of the results, one landmark after the other."""

from __future__ import annotations

from functools import partial
from typing import Any

from SAMLandmarkLib.review.words import summary_text
from SAMLandmarkLib.session import TransferSession
from SAMLandmarkLib.session.review_actions import ReviewActions

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
        ui.heatMapCheckBox.toggled.connect(self._heatMapToggled)

    def do(self, name: str) -> None:
        """Carry an action of the review out where it is possible; see ReviewActions."""
        self._actions.do(name)

    def updateTable(self) -> None:
        """Show all results; the first ones open the step."""
        counts = self._session.state.counts()
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
        obstacles = self._actions.obstacles()
        for name, button in self._buttons().items():
            self._hints.enable(button, obstacles[name])
        self._hints.enable(self._ui.heatMapCheckBox, obstacles["heat_map"])
        self._hints.enable(self._ui.correctionsCheckBox, obstacles["corrections"])
        self.updateUndo()

    def updateUndo(self) -> None:
        """Enable undo and redo where there is something to undo or redo, and follow the heat map."""
        obstacles = self._actions.obstacles()
        self._hints.enable(self._ui.undoButton, obstacles["undo"])
        self._hints.enable(self._ui.redoButton, obstacles["redo"])
        self._ui.heatMapCheckBox.blockSignals(True)
        self._ui.heatMapCheckBox.setChecked(self._session.heat_map_shown)
        self._ui.heatMapCheckBox.blockSignals(False)

    def _buttons(self) -> dict[str, Any]:
        ui = self._ui
        return {
            "next_doubtful": ui.nextButton,
            "accept": ui.acceptButton,
            "reject": ui.rejectButton,
            "next_candidate": ui.candidateButton,
            "set_missing": ui.missingButton,
            "reopen": ui.reopenButton,
            "undo": ui.undoButton,
            "redo": ui.redoButton,
        }

    def _buttonClicked(self, name: str, *_unused: Any) -> None:
        self.do(name)

    def _choose(self, key: str, label: str) -> None:
        self._session.select(key, label)

    def _heatMapToggled(self, checked: bool) -> None:
        if checked:
            self._session.show_heat_map()
        else:
            self._session.hide_heat_map()
