"""Advanced: which key does what in the review."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _

from .keys import ACTIONS, actionText, keyOf, normalKey, setKey
from .widget_help import showText


class KeysStep:
    """Shows the key of an action and changes it; `onChanged()` is called after every change."""

    def __init__(self, ui: Any, onChanged: Callable[[], None]) -> None:
        self._ui, self._onChanged = ui, onChanged
        for action in ACTIONS:
            ui.keyActionSelector.addItem(actionText(action))
        ui.keyActionSelector.currentIndexChanged.connect(self._showKey)
        ui.keyEdit.editingFinished.connect(self._changed)
        showText(ui.keyLabel, "")
        self._showKey()

    def showTaken(self, taken: tuple[str, ...]) -> None:
        """Tell which keys stay with another part of Slicer."""
        text = _("Used by another part of Slicer, so not here: {keys}. Choose other keys.")
        showText(self._ui.keyLabel, text.format(keys=", ".join(taken)) if taken else "")

    def _showKey(self, *_unused: Any) -> None:
        self._ui.keyEdit.setText(keyOf(self._action()))

    def _action(self) -> str:
        return ACTIONS[self._ui.keyActionSelector.currentIndex]

    def _changed(self, *_unused: Any) -> None:
        text = self._ui.keyEdit.text
        if normalKey(text) == keyOf(self._action()):
            return
        if text.strip() and not normalKey(text):
            self._showKey()
            return
        setKey(self._action(), text)
        self._showKey()
        self._onChanged()
