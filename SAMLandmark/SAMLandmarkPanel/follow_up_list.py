"""The list of the scene's other scans, by study date, to be ticked as follow-ups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from SAMLandmarkLib.scene import by_study_date, study_date
from SAMLandmarkLib.scene.volumes import selectable_scans

_LOOK_MILLISECONDS = 500


class FollowUpList(VTKObservationMixin):
    """Shows the volumes in a list widget.

    `onTicked()` is called when the user changes a tick, `onLook()` whenever the scene was looked through.
    """

    def __init__(self, listWidget: Any, onTicked: Callable[[], None], onLook: Callable[[], None]) -> None:
        super().__init__()
        self._list = listWidget
        self._template: Any = None
        self._ticked: list[str] = []
        self._onTicked, self._onLook = onTicked, onLook
        self._texts: list[str] = []
        self._list.itemChanged.connect(self._itemChanged)
        for event in (slicer.mrmlScene.NodeAddedEvent, slicer.mrmlScene.NodeRemovedEvent):
            self.addObserver(slicer.mrmlScene, event, self._sceneChanged)
        # the subject hierarchy, which knows the dates, can't be watched: what keeps it alive keeps it in the scene
        self._timer = qt.QTimer()
        self._timer.setInterval(_LOOK_MILLISECONDS)
        self._timer.timeout.connect(self.fillIfChanged)
        self._timer.start()
        self.fill()

    def show(self, template: Any, followUps: list[Any]) -> None:
        """Leave the template out of the list and tick the follow-ups."""
        ticked = [node.GetID() for node in followUps if node is not None]
        if template is not self._template or ticked != self._ticked:
            self._template, self._ticked = template, ticked
            self.fill()

    def tickedVolumes(self) -> list[Any]:
        """The ticked volumes that are in the list, in its order."""
        return [node for node in self._volumes() if node.GetID() in self._ticked]

    def close(self) -> None:
        """Stop to follow the scene."""
        self._timer.stop()
        self.removeObservers()
        self._list.itemChanged.disconnect(self._itemChanged)

    def fillIfChanged(self) -> None:
        """Show what the scene holds now, if that is not what is shown."""
        self._onLook()
        if self._texts != [_itemText(volume) for volume in self._volumes()]:
            self.fill()

    def fill(self) -> None:
        """Show what the scene holds now."""
        self._texts = [_itemText(volume) for volume in self._volumes()]
        self._list.blockSignals(True)
        self._list.clear()
        volumes = self._volumes()
        for volume in volumes:
            self._list.addItem(self._itemOf(volume))
        if not volumes:
            self._list.addItem(_emptyItem())
        self._list.blockSignals(False)

    def _itemOf(self, volume: Any) -> Any:
        item = qt.QListWidgetItem(_itemText(volume))
        item.setData(qt.Qt.UserRole, volume.GetID())
        item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
        item.setCheckState(qt.Qt.Checked if volume.GetID() in self._ticked else qt.Qt.Unchecked)
        item.setToolTip(volume.GetName())
        return item

    def _volumes(self) -> list[Any]:
        others = [node for node in selectable_scans(slicer.mrmlScene) if node is not self._template]
        return by_study_date(sorted(others, key=lambda node: node.GetName()))

    def _itemChanged(self, item: Any) -> None:
        node_id, checked = item.data(qt.Qt.UserRole), item.checkState() == qt.Qt.Checked
        others = [ticked for ticked in self._ticked if ticked != node_id]
        self._ticked = [*others, node_id] if checked else others
        self._onTicked()

    def _sceneChanged(self, *_unused: Any) -> None:
        # a node is named after it was added, and the removed one is still there during the event
        qt.QTimer.singleShot(0, self.fill)


def _itemText(volume: Any) -> str:
    date = study_date(volume)
    text = _("{date}   {name}") if date else "{name}"
    return text.format(date=date, name=volume.GetName())


def _emptyItem() -> Any:
    item = qt.QListWidgetItem(_("No other scan is loaded."))
    item.setFlags(qt.Qt.NoItemFlags)
    return item
