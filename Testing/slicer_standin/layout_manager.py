"""Slicer's layout manager: builds the views that the scene's layout node describes (nested rows and columns)."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from .api import stands_in
from .pythonqt import PythonQtObject
from .slice_widget import qMRMLSliceWidget

_SLICE, _VERTICAL = "vtkMRMLSliceNode", "vertical"


@stands_in
class qSlicerLayoutManager(PythonQtObject, QtCore.QObject):
    """Shows the current layout in a viewport; Slicer's own layout logic makes the view nodes."""

    layoutChanged = QtCore.Signal(int)

    def __init__(self, viewport: QtWidgets.QWidget) -> None:
        super().__init__(viewport)
        self._viewport = viewport
        self._column = QtWidgets.QVBoxLayout(viewport)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._widgets: dict[str, qMRMLSliceWidget] = {}
        self._description, self._root = None, None
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._logic.SetMRMLScene(slicer.mrmlScene)
        node = self._logic.GetLayoutNode()
        self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._update)
        node.SetViewArrangement(node.SlicerLayoutOneUpRedSliceView)
        self._update()

    def layoutLogic(self) -> Any:
        return self._logic

    def _arrangement(self) -> int:
        return self._logic.GetLayoutNode().GetViewArrangement()

    layout = QtCore.Property(int, _arrangement, lambda self, value: self.setLayout(value))

    def setLayout(self, arrangement: int) -> None:
        self._logic.GetLayoutNode().SetViewArrangement(arrangement)

    def sliceViewNames(self) -> tuple[str, ...]:
        return tuple(tag for tag, widget in self._widgets.items() if widget.isVisibleTo(self._viewport))

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:
        return self._widgets.get(name)

    def resetSliceViews(self) -> None:
        for name in self.sliceViewNames():
            self._widgets[name].fitSliceToBackground()

    def _close(self) -> None:
        self._logic.GetLayoutNode().RemoveObserver(self._tag)
        for widget in self._widgets.values():
            widget._close()

    def _update(self, *_: Any) -> None:
        description = self._logic.GetLayoutNode().GetCurrentLayoutDescription()
        if description == self._description or not description:
            return
        self._description = description
        for widget in self._widgets.values():
            # never without a parent: it would be a window of its own and take the keyboard away
            widget.setParent(self._viewport)
            widget.hide()
        if self._root is not None:
            self._root.deleteLater()
        self._root = self._build(ElementTree.fromstring(description))
        self._column.addWidget(self._root)
        self._root.show()
        self.layoutChanged.emit(self._arrangement())

    def _build(self, element: ElementTree.Element) -> QtWidgets.QWidget:
        if element.tag == "view":
            return self._view(element.get("class"), element.get("singletontag"))
        vertical = element.get("type") == _VERTICAL
        splitter = QtWidgets.QSplitter(
            QtCore.Qt.Vertical if vertical else QtCore.Qt.Horizontal, self._viewport
        )
        for item in element.findall("item"):
            view = self._build(item[0])
            splitter.addWidget(view)
            view.show()
        splitter.setSizes([1000] * splitter.count())
        return splitter

    def _view(self, class_name: str, tag: str) -> QtWidgets.QWidget:
        if class_name != _SLICE:
            return QtWidgets.QLabel(class_name)  # no 3D, table and plot views here
        if tag not in self._widgets:
            widget = qMRMLSliceWidget()
            widget.setMRMLSliceNode(slicer.mrmlScene.GetSingletonNode(tag, class_name))
            self._widgets[tag] = widget
        return self._widgets[tag]
