"""Stand-ins for the widgets of the Markups module: placing points, and the list of points."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from .api import stands_in
from .mrml_widgets import qSlicerWidget

Property, Signal = QtCore.Property, QtCore.Signal
_COORDINATES = 3
_OPTIONS = {
    "nodeSelectorVisible": True,
    "enterPlaceModeOnNodeChange": True,
    "jumpToSliceEnabled": False,
    "viewGroup": -1,
}


def _option(kind: type, name: str) -> Property:
    return Property(
        kind, lambda self: self._options[name], lambda self, value: self._options.__setitem__(name, value)
    )


@stands_in
class qSlicerMarkupsPlaceWidget(qSlicerWidget):
    """Switches Slicer's place mode on and off for one markups node."""

    activeMarkupsPlaceModeChanged = Signal(bool)
    activeMarkupsFiducialPlaceModeChanged = Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._node, self._active, self._observed, self._persistent = None, False, None, False
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._place = QtWidgets.QToolButton()
        self._place.setText("\u2316")
        self._place.setCheckable(True)
        self._place.toggled.connect(self.setPlaceModeEnabled)
        row.addWidget(self._place)

    def setMRMLScene(self, scene: Any) -> None:
        super().setMRMLScene(scene)
        if self._observed is None and scene is not None:
            node = self.interactionNode()
            self._observed = node.AddObserver(node.InteractionModeChangedEvent, self._mode_changed)

    def currentNode(self) -> Any:
        return self._node

    def setCurrentNode(self, node: Any) -> None:
        if node is not self._node and self._active:
            self.setPlaceModeEnabled(False)
        self._node = node

    def interactionNode(self) -> Any:
        return slicer.app.applicationLogic().GetInteractionNode()

    def selectionNode(self) -> Any:
        return slicer.app.applicationLogic().GetSelectionNode()

    def setPlaceModePersistency(self, persistent: bool) -> None:
        self._persistent = persistent

    def placeButton(self) -> QtWidgets.QToolButton:
        return self._place

    def setPlaceModeEnabled(self, enabled: bool) -> None:
        interaction = self.interactionNode()
        if enabled and self._node is not None:
            selection = self.selectionNode()
            selection.SetReferenceActivePlaceNodeClassName(self._node.GetClassName())
            selection.SetActivePlaceNodeID(self._node.GetID())
            interaction.SetPlaceModePersistence(int(self._persistent))
            interaction.SetCurrentInteractionMode(interaction.Place)
        else:
            interaction.SetCurrentInteractionMode(interaction.ViewTransform)
        self._mode_changed()

    placeModeEnabled = Property(
        bool, lambda self: self._active, lambda self, value: self.setPlaceModeEnabled(value)
    )

    def _mode_changed(self, *_: Any) -> None:
        interaction, selection = self.interactionNode(), self.selectionNode()
        placing = interaction.GetCurrentInteractionMode() == interaction.Place
        active = bool(placing and self._node and selection.GetActivePlaceNodeID() == self._node.GetID())
        if active != self._active:
            self._active = active
            self._place.setChecked(active)
            self.activeMarkupsPlaceModeChanged.emit(active)
            self.activeMarkupsFiducialPlaceModeChanged.emit(active)


@stands_in
class qSlicerSimpleMarkupsWidget(qSlicerWidget):
    """The points of one markups node in a table: rename, delete, jump to."""

    markupsNodeChanged = Signal()
    updateFinished = Signal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._node, self._tags, self._filling = None, [], False
        self._options = dict(_OPTIONS)
        self._placer = qSlicerMarkupsPlaceWidget()
        self._table = QtWidgets.QTableWidget(0, 1 + _COORDINATES)
        self._table.setHorizontalHeaderLabels(["Label", "R", "A", "S"])
        self._table.horizontalHeader().setSectionResizeMode(0, QtWidgets.QHeaderView.Stretch)
        self._table.verticalHeader().setVisible(False)
        for column in range(1, 1 + _COORDINATES):
            self._table.setColumnWidth(column, 62)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._placer)
        column.addWidget(self._table)
        self._table.itemChanged.connect(self._edited)
        self._table.cellClicked.connect(self._clicked)

    nodeSelectorVisible = _option(bool, "nodeSelectorVisible")
    enterPlaceModeOnNodeChange = _option(bool, "enterPlaceModeOnNodeChange")
    jumpToSliceEnabled = _option(bool, "jumpToSliceEnabled")
    viewGroup = _option(int, "viewGroup")

    def setMRMLScene(self, scene: Any) -> None:
        super().setMRMLScene(scene)
        self._placer.setMRMLScene(scene)

    def markupsPlaceWidget(self) -> qSlicerMarkupsPlaceWidget:
        return self._placer

    def tableWidget(self) -> QtWidgets.QTableWidget:
        return self._table

    def interactionNode(self) -> Any:
        return self._placer.interactionNode()

    def currentNode(self) -> Any:
        return self._node

    def setCurrentNode(self, node: Any) -> None:
        if node is self._node:
            return
        for tag in self._tags:
            self._node.RemoveObserver(tag)
        self._node = node
        events = ("PointModifiedEvent", "PointPositionDefinedEvent", "PointRemovedEvent")
        self._tags = [node.AddObserver(getattr(node, event), self._fill) for event in events] if node else []
        self._placer.setCurrentNode(node)
        if self._options["enterPlaceModeOnNodeChange"]:
            self._placer.setPlaceModeEnabled(node is not None)
        self._fill()
        self.markupsNodeChanged.emit()

    def _fill(self, *_: Any) -> None:
        defined = []
        if self._node is not None:
            count = self._node.GetNumberOfControlPoints()
            status = self._node.GetNthControlPointPositionStatus
            defined = [i for i in range(count) if status(i) != self._node.PositionPreview]
        self._filling = True
        self._table.setRowCount(len(defined))
        for row, index in enumerate(defined):
            self._fill_row(row, index)
        self._filling = False
        self.updateFinished.emit()

    def _fill_row(self, row: int, index: int) -> None:
        self._table.setItem(row, 0, QtWidgets.QTableWidgetItem(self._node.GetNthControlPointLabel(index)))
        position = [0.0] * _COORDINATES
        self._node.GetNthControlPointPositionWorld(index, position)
        for column, value in enumerate(position, start=1):
            item = QtWidgets.QTableWidgetItem(f"{value:.1f}")
            item.setFlags(QtCore.Qt.ItemIsEnabled | QtCore.Qt.ItemIsSelectable)
            self._table.setItem(row, column, item)

    def _edited(self, item: QtWidgets.QTableWidgetItem) -> None:
        if not self._filling and item.column() == 0:
            self._node.SetNthControlPointLabel(item.row(), item.text())

    def _clicked(self, row: int, column: int) -> None:
        if self._options["jumpToSliceEnabled"]:
            position = [0.0] * _COORDINATES
            self._node.GetNthControlPointPositionWorld(row, position)
            offset, group = slicer.vtkMRMLSliceNode.OffsetJumpSlice, self._options["viewGroup"]
            slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *position, offset, group)
