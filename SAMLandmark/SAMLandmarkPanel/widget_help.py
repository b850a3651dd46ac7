"""Enables and disables widgets so that a disabled one always tells what is missing."""

from __future__ import annotations

from typing import Any

import qt


class WidgetHelp:
    """Remembers the tooltips of widgets, which stand for them while they are enabled."""

    def __init__(self) -> None:
        self._toolTips: dict[str, str] = {}

    def enable(self, widget: Any, blocking_reason: str = "") -> None:
        """Enable a widget, or disable it and show `blocking_reason`, one sentence, as its tooltip."""
        usual = self._toolTips.setdefault(widget.objectName, widget.toolTip)
        widget.setEnabled(not blocking_reason)
        widget.setToolTip(str(blocking_reason or usual))


def showText(label: Any, text: str) -> None:
    """Show a text in a label, which takes no room while it is empty."""
    label.setText(str(text))
    label.setVisible(bool(text))


def letPathsBeLong(directoryButton: Any) -> None:
    """Shorten a long path in the middle: a button as long as its path would make the panel wider than its window."""
    directoryButton.elideMode = qt.Qt.ElideMiddle
