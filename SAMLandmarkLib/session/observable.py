"""Tells listeners what changed, and the user what to know."""

from __future__ import annotations

from collections.abc import Callable

from .status import Change

_MOST_MESSAGES = 5
Listener = Callable[[Change], None]


class Observable:
    """Listeners, and the last message for the user in `message` ("" for none).

    `messages` are those that the user has not read yet, the oldest first, the same one once.
    """

    def __init__(self) -> None:
        self.message = ""
        self.messages: tuple[str, ...] = ()
        self._listeners: list[Listener] = []

    def add_listener(self, listener: Listener) -> None:
        """Call `listener(change)` after every change."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Don't call it any more."""
        self._listeners.remove(listener)

    def remove_all_listeners(self) -> None:
        """Call nobody any more."""
        self._listeners.clear()

    def notify(self, *changes: Change) -> None:
        """Tell all listeners what changed."""
        for change in changes:
            for listener in tuple(self._listeners):
                listener(change)

    def notify_user(self, message: str) -> None:
        """Set the message that the user should read."""
        self.message = message
        others = [text for text in self.messages if text != message]
        self.messages = (*others, message)[-_MOST_MESSAGES:] if message else ()
        self.notify(Change.MESSAGE)

    def notify_user_if_any(self, message: str) -> None:
        """Set the message that the user should read, where there is one."""
        if message:
            self.notify_user(message)

    def clear_message(self) -> None:
        """Take the message away; the user has read it."""
        if self.message:
            self.notify_user("")
