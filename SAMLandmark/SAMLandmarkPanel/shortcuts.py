"""Single keys for the review, active only while the module is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt


class Shortcuts:
    """Keys of a window, each with the function it calls; switched on and off together."""

    def __init__(self, window: Any, actions: dict[str, Callable[[], None]]) -> None:
        self._shortcuts = [_shortcut(window, key, action) for key, action in actions.items()]
        self.setEnabled(False)

    def setEnabled(self, enabled: bool) -> None:
        """Switch all keys on or off."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(enabled)

    def close(self) -> None:
        """Take the keys away from the window."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts = []


def _shortcut(window: Any, key: str, action: Callable[[], None]) -> Any:
    shortcut = qt.QShortcut(qt.QKeySequence(key), window)
    shortcut.activated.connect(action)
    # where Slicer's own menu knows the key too, Qt tells of the conflict instead
    shortcut.activatedAmbiguously.connect(action)
    return shortcut
