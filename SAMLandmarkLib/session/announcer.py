"""Tells listeners what changed, and the user what to know."""

from __future__ import annotations

from collections.abc import Callable

from .status import Change

Listener = Callable[[Change], None]


class Announcer:
    """Listeners, and the last message for the user in `message` ("" for none)."""

    def __init__(self) -> None:
        self.message = ""
        self._listeners: list[Listener] = []

    def add_listener(self, listener: Listener) -> None:
        """Call `listener(change)` after every change."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Don't call it any more."""
        self._listeners.remove(listener)

    def tell(self, message: str) -> None:
        """Set the message that the user should read."""
        self.message = message
        self._notify(Change.MESSAGE)

    def clear_message(self) -> None:
        """The user has read it."""
        if self.message:
            self.tell("")

    def _tell_if(self, message: str) -> None:
        if message:
            self.tell(message)

    def _notify(self, *changes: Change) -> None:
        for change in changes:
            for listener in tuple(self._listeners):
                listener(change)
