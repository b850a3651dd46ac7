"""Placing points on the template by clicks, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

from ..scene.cursor import cursor_node, is_above, is_outside
from ..scene.observers import Observers
from ..utils.translation import _
from .transfer_session import TransferSession


class Placing:
    """Switches the mouse between placing points and moving views.

    Slicer places a point in whichever view is clicked. Above a follow-up that would be a point of the template at a
    wrong place, and beside the template's volume one that no scan shows, so placing pauses there. `switch(on)` turns
    the host's place mode on or off; where the host ended it by itself, as on the Escape key, it calls `ended`.
    """

    def __init__(self, session: TransferSession, switch: Callable[[bool], None]) -> None:
        self.active = False
        self.paused = False
        self._session = session
        self._switch = switch
        self._cursor: object | None = None
        self._observers = Observers()

    def start(self) -> None:
        """Place points until `stop`."""
        self.active, self.paused = True, False
        self._follow_cursor()
        self._switch(True)

    def stop(self) -> None:
        """Place no more points."""
        self.active = self.paused = False
        self._switch(False)

    def ended(self) -> None:
        """The host's place mode is off; that ends placing, unless it only pauses."""
        if not self.paused:
            self.active = False

    def close(self) -> None:
        """Stop, and follow the mouse no longer."""
        self.stop()
        self._observers.clear()

    def _follow_cursor(self) -> None:
        cursor = cursor_node(self._session.scene)
        if cursor is not None and cursor is not self._cursor:
            self._observers.clear()
            self._cursor = cursor
            self._observers.add(cursor, cursor.CursorPositionModifiedEvent, self._cursor_moved)

    def _cursor_moved(self) -> None:
        if not self.active:
            return
        above_other = is_above(self._session.scene, (scan.key for scan in self._session.follow_ups))
        outside = not above_other and self._is_outside_template()
        self._tell(outside)
        pause = above_other or outside
        if pause != self.paused:
            self.paused = pause
            self._switch(not pause)

    def _is_outside_template(self) -> bool:
        template = self._session.template_volume
        return template is not None and is_outside(template)

    def _tell(self, outside: bool) -> None:
        """Say why a click does nothing for as long as the mouse is outside, whatever else cleared the messages."""
        text = _("The mouse is outside the template's volume: a click places no point there.")
        told = text in self._session.messages
        if outside and not told:
            self._session.notify_user(text)
        elif told and not outside:
            self._session.clear_message()
