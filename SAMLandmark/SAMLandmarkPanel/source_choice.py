"""What is found on the scans: the points of a template, or the named landmarks of a protocol."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from SAMLandmarkLib.session.protocols import AUTOMATIC, protocol_names

_TEMPLATE = ""
_ANY_HEIGHT = 16777215
"""Qt's greatest size."""


class SourceChoice:
    """A selector of template or protocol; the widgets of the template are hidden where there is none.

    `onChosen(protocol)` is called when the user chooses, with an empty name for the points of a template.
    """

    def __init__(self, ui: Any, onChosen: Callable[[str], None]) -> None:
        self._ui, self._onChosen = ui, onChosen
        self._names: list[str] = []
        self._listHeight = ui.followUpList.maximumHeight
        for name in (_TEMPLATE, *protocol_names()):
            self._add(name)
        ui.sourceSelector.currentIndexChanged.connect(self._chosen)

    def show(self, protocol: str) -> None:
        """Show what is chosen."""
        ui = self._ui
        ui.sourceSelector.blockSignals(True)
        if protocol not in self._names:
            self._add(protocol)
        ui.sourceSelector.setCurrentIndex(self._names.index(protocol))
        ui.sourceSelector.blockSignals(False)
        for widget in (ui.templateLabel, ui.templateSelector, ui.pointsLabel, ui.pointsSelector):
            widget.setVisible(not protocol)
        for widget in (ui.placeButton, ui.pointsList):
            widget.setVisible(not protocol)
        # without the list of points there is room for more scans
        ui.followUpList.setMaximumHeight(_ANY_HEIGHT if protocol else self._listHeight)
        scans = _("Scans: tick those on which to find the landmarks")
        followUps = _("Follow-ups: tick the scans on which to find the points")
        ui.followUpLabel.setText(scans if protocol else followUps)

    def _add(self, name: str) -> None:
        self._names.append(name)
        self._ui.sourceSelector.addItem(_text(name))

    def _chosen(self, index: int) -> None:
        if 0 <= index < len(self._names):
            self._onChosen(self._names[index])


def _text(name: str) -> str:
    if name == _TEMPLATE:
        return _("Points that you place on a template")
    if name == AUTOMATIC:
        return _("Named landmarks: whichever fit the scan")
    return _("Named landmarks: {protocol}").format(protocol=Path(name).stem)
