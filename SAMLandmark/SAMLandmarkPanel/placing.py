"""The button that starts and ends the placing of points."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from SAMLandmarkLib.session import TransferSession
from SAMLandmarkLib.session.placing import Placing


class PlaceButton:
    """Starts and ends placing, and shows whether it is on.

    `placer` is Slicer's own place widget, whose mode is switched off while placing pauses above a follow-up.
    """

    def __init__(self, button: Any, placer: Any, session: TransferSession) -> None:
        self._button, self._placer = button, placer
        self._placing = Placing(session, placer.setPlaceModeEnabled)
        placer.setPlaceModePersistency(True)
        placer.activeMarkupsPlaceModeChanged.connect(self._placeModeChanged)

    def start(self) -> None:
        """Place points until `stop`."""
        self._placing.start()

    def stop(self) -> None:
        """Place no more points."""
        self._placing.stop()
        self._showButton(False)

    def close(self) -> None:
        """Stop, and follow the mouse no longer."""
        self._placing.close()
        self._showButton(False)

    def _placeModeChanged(self, active: bool) -> None:
        if not active:
            self._placing.ended()
        self._showButton(active or self._placing.paused)

    def _showButton(self, placing: bool) -> None:
        self._button.setChecked(placing)
        self._button.setText(_("Stop placing") if placing else _("Place points"))
