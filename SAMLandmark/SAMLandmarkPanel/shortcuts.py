"""Keys for the review, active only while the module is open, and never where another part of Slicer has the key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer

# Slicer's own menu has these as well, and means the same by them.
_SHARED = ("Ctrl+Z", "Ctrl+Y")


class Shortcuts:
    """Keys of a window, each with the function it calls; switched on and off together.

    `taken` are the keys that somebody else uses; they stay with them.
    """

    def __init__(self, window: Any) -> None:
        self.taken: tuple[str, ...] = ()
        self._window = window
        self._enabled = False
        self._shortcuts: dict[str, Any] = {}

    def setActions(self, actions: dict[str, Callable[[], None]]) -> None:
        """Use these keys from now on, and no others."""
        self._removeAll()
        self._shortcuts = {key: _shortcut(self._window, key, action) for key, action in actions.items()}
        self.setEnabled(self._enabled)

    def setEnabled(self, enabled: bool) -> None:
        """Switch all keys on or off; on only those that nobody else uses now."""
        self._enabled = enabled
        others = _keysOfOthers(self._window, list(self._shortcuts.values())) if enabled else set()
        self.taken = tuple(key for key in self._shortcuts if key in others)
        for key, shortcut in self._shortcuts.items():
            shortcut.setEnabled(enabled and key not in others)

    def close(self) -> None:
        """Take the keys away from the window."""
        self._removeAll()

    def _removeAll(self) -> None:
        for shortcut in self._shortcuts.values():
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts = {}


def _keysOfOthers(window: Any, own: list[Any]) -> set[str]:
    """The keys that others have in the window at the moment."""
    shortcuts = [item for item in slicer.util.findChildren(window, className="QShortcut") if item not in own]
    keys = [item.key.toString() for item in shortcuts if item.enabled]
    actions = slicer.util.findChildren(window, className="QAction")
    keys += [item.shortcut.toString() for item in actions if item.enabled and item.visible]
    return {key for key in keys if key} - set(_SHARED)


def _shortcut(window: Any, key: str, action: Callable[[], None]) -> Any:
    shortcut = qt.QShortcut(qt.QKeySequence(key), window)
    shortcut.activated.connect(action)
    # where Slicer's own menu knows the key too, Qt tells of the conflict instead
    shortcut.activatedAmbiguously.connect(action)
    shortcut.setEnabled(False)
    return shortcut
