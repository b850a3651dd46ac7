"""Slicer's slice widget: a slice view below its bar with name and position."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets

from .api import stands_in
from .mrml_widgets import qMRMLWidget
from .slice_view import qMRMLSliceView


@stands_in
class qMRMLSliceWidget(qMRMLWidget):
    """One slice node with its own slice logic."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = qMRMLSliceView()
        self._logic = slicer.vtkMRMLSliceLogic()
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._build_bar())
        column.addWidget(self._view, 1)

    def _build_bar(self) -> QtWidgets.QHBoxLayout:
        self._title, self._offset = QtWidgets.QLabel(), QtWidgets.QLabel()
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal)
        self._slider.valueChanged.connect(self._moved)
        self._offset.setMinimumWidth(72)
        bar = QtWidgets.QHBoxLayout()
        bar.setContentsMargins(0, 0, 4, 0)
        for widget in (self._title, self._slider, self._offset):
            bar.addWidget(widget)
        return bar

    def setMRMLSliceNode(self, node: Any) -> None:
        logic, application = self._logic, slicer.app.applicationLogic()
        logic.SetMRMLApplicationLogic(application)
        application.GetSliceLogics().AddItem(logic)
        logic.SetMRMLScene(slicer.mrmlScene)
        logic.SetSliceNode(node)
        self._view._attach(logic)
        self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._update_bar)
        self._update_bar()

    def sliceLogic(self) -> Any:
        return self._logic

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def sliceView(self) -> qMRMLSliceView:
        return self._view

    def interactorStyle(self) -> Any:
        return self._view.interactorStyle()

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()
        self._logic.SnapSliceOffsetToIJK()

    def _close(self) -> None:
        self.mrmlSliceNode().RemoveObserver(self._tag)
        self._view._close()
        slicer.app.applicationLogic().GetSliceLogics().RemoveItem(self._logic)
        self._logic.SetMRMLScene(None)

    def _update_bar(self, *_: Any) -> None:
        node, bounds = self.mrmlSliceNode(), [0.0] * 6
        self._logic.GetLowestVolumeSliceBounds(bounds)
        color = QtGui.QColor.fromRgbF(*node.GetLayoutColor())
        self._title.setText(f" {node.GetLayoutLabel() or node.GetName()} ")
        self._title.setStyleSheet(
            f"background-color: {color.name()}; color: black; font-weight: bold; padding: 3px"
        )
        self._slider.blockSignals(True)
        self._slider.setRange(int(bounds[4]), int(bounds[5]))
        self._slider.setValue(round(self._logic.GetSliceOffset()))
        self._slider.blockSignals(False)
        self._offset.setText(f"{self._logic.GetSliceOffset():.1f} mm")

    def _moved(self, value: int) -> None:
        self._logic.SetSliceOffset(value)
