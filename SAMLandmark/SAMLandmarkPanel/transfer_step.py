"""Step 2: transfer, with progress and cancel; live transfer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _

from SAMLandmarkLib.session import Activity, TransferSession
from SAMLandmarkLib.session.estimate import duration_in_words

from .widget_help import WidgetHelp, showText


class TransferStep:
    """The transfer button, which cancels while a transfer runs, and what the engine is doing.

    `ensureReady()` installs what is missing, if the user agrees, and tells whether all is there.
    """

    def __init__(
        self, ui: Any, hints: WidgetHelp, session: TransferSession, ensureReady: Callable[[], bool]
    ) -> None:
        self._ui, self._hints, self._session, self._ensureReady = ui, hints, session, ensureReady
        ui.transferButton.clicked.connect(self.transferOrCancel)

    def transferOrCancel(self, *_unused: Any) -> None:
        """What the button does: start the transfer, or cancel the one that runs."""
        if self._session.transferring:
            self._session.cancel()
        elif self._ensureReady() and not self._session.blocking_reason:
            self._session.clear_message()
            self._session.transfer()
        self.update(blocking_reason=self._session.blocking_reason)

    def update(self, blocking_reason: str, installed: bool = True) -> None:
        """Show what can be done and what is being done; `blocking_reason` tells what is missing for a transfer."""
        transferring = self._session.transferring
        self._ui.transferButton.setText(self._buttonText(transferring, installed))
        self._hints.enable(self._ui.transferButton, "" if transferring else blocking_reason)
        self._hints.enable(self._ui.liveCheckBox, self._liveObstacle(installed))
        self._showProgress()
        showText(self._ui.estimateLabel, self._estimateText(transferring or bool(blocking_reason)))

    def _liveObstacle(self, installed: bool) -> str:
        """Unlike a transfer, the live mode may wait for the first point."""
        if self._session.protocol:
            return _("Named landmarks are not placed on a template, so there is nothing to follow.")
        if not installed:
            return _("Transfer once first.")
        scans = self._session.template_volume is not None and self._session.follow_ups
        return "" if scans else _("Choose the template and at least one follow-up first.")

    def _buttonText(self, transferring: bool, installed: bool) -> str:
        if transferring:
            return _("Cancel")
        if not installed:
            return _("Install what is missing and transfer")
        return _("Find landmarks") if self._session.protocol else _("Transfer points")

    def _showProgress(self) -> None:
        status = self._session.status
        idle = status.activity is Activity.IDLE
        self._ui.progressBar.setVisible(not idle)
        self._ui.progressBar.setValue(round(100 * status.fraction))
        showText(self._ui.statusLabel, "" if idle else status.text)

    def _estimateText(self, pointless: bool) -> str:
        seconds = None if pointless else self._session.estimate_seconds()
        return "" if seconds is None else duration_in_words(seconds)
