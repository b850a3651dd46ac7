"""`slicer.app` and what hangs on it: application logic, module logics, settings, module manager, main window."""

from __future__ import annotations

import tempfile
import types
from collections.abc import Iterable
from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from .api import stands_in
from .mrml_widgets import qSlicerWidget
from .pythonqt import PythonQtObject

Property, Signal = QtCore.Property, QtCore.Signal
_MODULE_LOGICS = {
    "Markups": "vtkSlicerMarkupsLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Sequences": "vtkSlicerSequencesLogic",
}


@stands_in
class qSlicerModuleManager(PythonQtObject, QtCore.QObject):
    """Knows the loaded modules."""

    moduleAboutToBeUnloaded = Signal(str)
    moduleLoaded = Signal(str)

    def module(self, name: str) -> Any:
        return getattr(slicer.modules, name.lower(), None)


@stands_in
class qSlicerScriptedLoadableModule(PythonQtObject, QtCore.QObject):
    """What Slicer gives a scripted module as its parent."""

    def __init__(self, path: str, name: str) -> None:
        super().__init__()
        self._path, self._name, self._widget, self._make_widget = path, name, None, None
        self._texts: dict[str, Any] = {}

    path = Property(str, lambda self: self._path)
    name = Property(str, lambda self: self._name)

    def widgetRepresentation(self) -> QtWidgets.QWidget:
        """The module's panel, made at the first call."""
        if self._widget is None:
            self._widget = self._make_widget()
        return self._widget


def _text(name: str) -> property:
    return property(
        lambda self: self._texts.get(name), lambda self, value: self._texts.__setitem__(name, value)
    )


for _name in (
    "title",
    "categories",
    "dependencies",
    "contributors",
    "helpText",
    "acknowledgementText",
    "icon",
):
    setattr(qSlicerScriptedLoadableModule, _name, _text(_name))


@stands_in
class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """The panel of a scripted module; `self()` is the Python object."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._python, self._make_python = None, None

    def self(self) -> Any:
        return self._python

    def reload(self) -> None:
        """Make the Python object anew, from the module file as it is now."""
        self._python = self._make_python()
        self._python.setup()


@stands_in
class qSlicerMainWindow(PythonQtObject, QtWidgets.QMainWindow):
    """Slicer's main window: `slicer.util.mainWindow()` finds it by name."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")


class _Application(QtCore.QObject):
    # `testingEnabled` reaches Python through one of Slicer's PythonQt decorators, which no header lists.
    def testingEnabled(self) -> bool:
        return True


@stands_in
class qSlicerApplication(PythonQtObject, _Application):
    """`slicer.app`; in testing mode, so that message boxes answer themselves."""

    startupCompleted = Signal()
    applicationName = "Slicer"
    majorVersion, minorVersion = 5, 12
    documentationBaseUrl = "https://slicer.readthedocs.io/en/5.12/"

    def __init__(self, qt_application: QtWidgets.QApplication) -> None:
        super().__init__()
        self._qt, self._modules, self._layout = qt_application, qSlicerModuleManager(), None
        self._temporary = tempfile.TemporaryDirectory(prefix="slicer-standin-")
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
        QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, QtCore.QSettings.UserScope, self._temporary.name)
        self._logic = _application_logic()
        self._data_io = _scene_reading(self._logic)

    temporaryPath = Property(str, lambda self: self._temporary.name)

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def applicationLogic(self) -> Any:
        return self._logic

    def moduleManager(self) -> qSlicerModuleManager:
        return self._modules

    def layoutManager(self) -> Any:
        return self._layout

    def setLayoutManager(self, manager: Any) -> None:
        self._layout = manager

    def settings(self) -> QtCore.QSettings:
        return QtCore.QSettings()

    userSettings = settings

    def processEvents(self, *_: Any) -> None:
        self._qt.processEvents()

    def setOverrideCursor(self, cursor: Any) -> None:
        self._qt.setOverrideCursor(cursor)

    def restoreOverrideCursor(self) -> None:
        self._qt.restoreOverrideCursor()

    def topLevelWidgets(self) -> Iterable[QtWidgets.QWidget]:
        return self._qt.topLevelWidgets()


def _application_logic() -> Any:
    scene = slicer.mrmlScene
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    logic.SetModuleLogic("Colors", logic.GetColorLogic())
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    cursor = slicer.vtkMRMLCrosshairNode()
    cursor.SetSingletonTag("default")
    scene.AddNode(cursor)
    return logic


def _scene_reading(application_logic: Any) -> tuple[Any, Any]:
    """What reading a scene bundle (.mrb) needs; to be kept alive."""
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(slicer.mrmlScene)
    remote.SetMRMLApplicationLogic(application_logic)
    remote.GetCacheManager().SetRemoteCacheDirectory("")
    manager = slicer.vtkDataIOManagerLogic()
    manager.SetMRMLScene(slicer.mrmlScene)
    manager.SetMRMLApplicationLogic(application_logic)
    manager.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    return remote, manager


def start_application() -> qSlicerApplication:
    """Make the scene, `slicer.app` and `slicer.modules`; once a process, since VTK's factories hold on to them."""
    qt_application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["SlicerApp-real"])
    qt_application.setOrganizationName("SlicerStandIn")
    qt_application.setApplicationName("Slicer")
    slicer.mrmlScene = slicer.vtkMRMLScene()
    slicer.app = qSlicerApplication(qt_application)
    slicer.modules = types.SimpleNamespace()
    for name, cls in _MODULE_LOGICS.items():
        logic = getattr(slicer, cls)()
        logic.SetMRMLScene(slicer.mrmlScene)
        logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        slicer.app.applicationLogic().SetModuleLogic(name, logic)
        setattr(
            slicer.modules, name.lower(), types.SimpleNamespace(name=name, logic=lambda logic=logic: logic)
        )
    return slicer.app
