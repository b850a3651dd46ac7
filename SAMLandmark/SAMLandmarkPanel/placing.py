"""Placing points on the template by clicks, and nowhere else."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from SAMLandmarkLib.session import TransferSession

from .mouse import cursorNode, isAbove


class Placing(VTKObservationMixin):
    """The button that starts and ends the placing of points.

    Slicer places a point in whichever view is clicked. Above a follow-up that would be a point of the template at a
    wrong place, so placing pauses there: `placer` is Slicer's own place widget, which is switched off meanwhile.
    """

    def __init__(self, button: Any, placer: Any, session: TransferSession) -> None:
        super().__init__()
        self._button, self._placer, self._session = button, placer, session
        self._paused = False
        placer.setPlaceModePersistency(True)
        placer.activeMarkupsPlaceModeChanged.connect(self._placeModeChanged)
        self._cursor: Any = None

    def start(self) -> None:
        """Place points until `stop`."""
        self._paused = False
        self._followCursor()
        self._placer.setPlaceModeEnabled(True)

    def stop(self) -> None:
        """Place no more points."""
        self._paused = False
        self._placer.setPlaceModeEnabled(False)
        self._showButton(False)

    def close(self) -> None:
        """Stop, and follow the mouse no longer."""
        self.stop()
        self.removeObservers()

    def _followCursor(self) -> None:
        cursor = cursorNode()
        if cursor is not None and cursor is not self._cursor:
            self.removeObservers()
            self._cursor = cursor
            self.addObserver(cursor, cursor.CursorPositionModifiedEvent, self._cursorMoved)

    def _placeModeChanged(self, active: bool) -> None:
        self._showButton(active or self._paused)

    def _showButton(self, placing: bool) -> None:
        self._button.setChecked(placing)
        self._button.setText(_("Stop placing") if placing else _("Place points"))

    def _cursorMoved(self, *_unused: Any) -> None:
        if not self._button.checked:
            return
        pause = isAbove(scan.key for scan in self._session.follow_ups)
        if pause != self._paused:
            self._paused = pause
            self._placer.setPlaceModeEnabled(not pause)
