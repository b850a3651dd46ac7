"""Stand-ins for the widgets that show MRML nodes: the bases and the node selector."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets
from vtkmodules.util.misc import calldata_type
from vtkmodules.util.vtkConstants import VTK_OBJECT

from .api import stands_in
from .pythonqt import PythonQtObject

Property, Signal = QtCore.Property, QtCore.Signal


@stands_in
class qMRMLWidget(PythonQtObject, QtWidgets.QWidget):
    """A widget that knows the scene."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = None

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> Any:
        return self._scene


@stands_in
class qSlicerWidget(PythonQtObject, QtWidgets.QWidget):
    """A widget of the application that knows the scene."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = None

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)


_OPTIONS = {
    "nodeTypes": [],
    "addEnabled": True,
    "removeEnabled": True,
    "renameEnabled": False,
    "editEnabled": False,
    "noneEnabled": False,
    "showHidden": False,
    "showChildNodeTypes": True,
    "selectNodeUponCreation": True,
    "noneDisplay": "None",
    "baseName": "",
}


def _option(kind: type | str, name: str) -> Property:
    def write(self: Any, value: Any) -> None:
        self._options[name] = value
        self._fill()

    return Property(kind, lambda self: self._options[name], write)


@stands_in
class qMRMLSortFilterProxyModel(PythonQtObject, QtCore.QSortFilterProxyModel):
    """Which nodes a selector shows."""

    def __init__(self, on_change: Any) -> None:
        super().__init__()
        self._hidden: list[str] = []
        self._on_change = on_change

    def _hide(self, node_ids: list[str]) -> None:
        self._hidden = list(node_ids)
        self._on_change()

    hiddenNodeIDs = Property("QStringList", lambda self: self._hidden, _hide)


@stands_in
class qMRMLNodeComboBox(PythonQtObject, QtWidgets.QWidget):
    """Chooses a node of some classes; follows the scene."""

    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)
    nodeAdded = Signal(object)
    # in spite of its name emitted for nodes that others add, too
    nodeAddedByUser = Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._options = dict(_OPTIONS)
        self._scene, self._observed, self._id = None, [], ""
        self._filter = qMRMLSortFilterProxyModel(self._fill)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._combo = QtWidgets.QComboBox()
        self._combo.setSizeAdjustPolicy(QtWidgets.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self._combo.setMinimumContentsLength(8)
        row.addWidget(self._combo)
        self._combo.currentIndexChanged.connect(self._chosen)

    nodeTypes = _option("QStringList", "nodeTypes")
    addEnabled = _option(bool, "addEnabled")
    removeEnabled = _option(bool, "removeEnabled")
    renameEnabled = _option(bool, "renameEnabled")
    editEnabled = _option(bool, "editEnabled")
    noneEnabled = _option(bool, "noneEnabled")
    noneDisplay = _option(str, "noneDisplay")
    showHidden = _option(bool, "showHidden")
    showChildNodeTypes = _option(bool, "showChildNodeTypes")
    selectNodeUponCreation = _option(bool, "selectNodeUponCreation")
    baseName = _option(str, "baseName")

    def setMRMLScene(self, scene: Any) -> None:
        for tag in self._observed:
            self._scene.RemoveObserver(tag)
        self._scene = scene
        events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent) if scene else ()
        self._observed = [scene.AddObserver(event, self._fill) for event in events]
        if scene:
            self._observed.append(scene.AddObserver(scene.NodeAddedEvent, self._node_added))
        self._fill()

    def mrmlScene(self) -> Any:
        return self._scene

    def nodeCount(self) -> int:
        return len(self._nodes())

    def sortFilterProxyModel(self) -> qMRMLSortFilterProxyModel:
        return self._filter

    def currentNode(self) -> Any:
        return self._scene.GetNodeByID(self._id) if self._scene and self._id else None

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentNodeID(node.GetID() if node else "")

    def setCurrentNodeID(self, node_id: str) -> None:
        row = self._combo.findData(node_id or "")
        self._combo.setCurrentIndex(row if row >= 0 else self._combo.findData(""))

    currentNodeID = Property(str, lambda self: self._id, lambda self, value: self.setCurrentNodeID(value))

    def addNode(self, node_type: str = "") -> Any:
        """What the user's "Create new" does."""
        name = self._options["baseName"] or "Node"
        cls = node_type or self._options["nodeTypes"][0]
        node = self._scene.AddNewNodeByClass(cls, self._scene.GenerateUniqueName(name))
        self.setCurrentNode(node)
        return node

    def _nodes(self) -> list:
        if self._scene is None:
            return []
        nodes = (self._scene.GetNthNode(i) for i in range(self._scene.GetNumberOfNodes()))
        return [node for node in nodes if self._shows(node)]

    def _shows(self, node: Any) -> bool:
        if node.GetID() in self._filter.hiddenNodeIDs:
            return False
        if node.GetHideFromEditors() and not self._options["showHidden"]:
            return False
        if node.GetClassName() in self._options["nodeTypes"]:
            return True
        return self._options["showChildNodeTypes"] and any(
            node.IsA(cls) for cls in self._options["nodeTypes"]
        )

    @calldata_type(VTK_OBJECT)
    def _node_added(self, scene: Any, event: str, node: Any) -> None:
        if self._shows(node):
            self.nodeAdded.emit(node)
            self.nodeAddedByUser.emit(node)

    def _fill(self, *_: Any) -> None:
        # Slicer's selector keeps its node while there is one, and takes the first one where "none" is not allowed.
        wanted, nodes = self._id, self._nodes()
        self._combo.blockSignals(True)
        self._combo.clear()
        if self._options["noneEnabled"] or not nodes:
            self._combo.addItem(self._options["noneDisplay"], "")
        for node in nodes:
            self._combo.addItem(node.GetName(), node.GetID())
        self._combo.setCurrentIndex(max(self._combo.findData(wanted), 0))
        self._combo.blockSignals(False)
        self._chosen()

    def _chosen(self, *_: Any) -> None:
        chosen = self._combo.currentData or ""
        if chosen != self._id:
            self._id = chosen
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIDChanged.emit(chosen)
