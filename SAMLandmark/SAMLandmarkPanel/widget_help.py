"""Enables and disables widgets so that a disabled one always tells what is missing."""

from __future__ import annotations

from typing import Any


class WidgetHelp:
    """Remembers the tooltips of widgets, which stand for them while they are enabled."""

    def __init__(self) -> None:
        self._toolTips: dict[str, str] = {}

    def enable(self, widget: Any, obstacle: str = "") -> None:
        """Enable a widget, or disable it and show `obstacle`, one sentence, as its tooltip."""
        usual = self._toolTips.setdefault(widget.objectName, widget.toolTip)
        widget.setEnabled(not obstacle)
        widget.setToolTip(str(obstacle or usual))


def showText(label: Any, text: str) -> None:
    """Show a text in a label, which takes no room while it is empty."""
    label.setText(str(text))
    label.setVisible(bool(text))
