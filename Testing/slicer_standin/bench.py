"""The test bench: a window like Slicer's with the module panel on the left and the views on the right."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer
from PySide6 import QtCore, QtGui, QtTest, QtWidgets

from . import ctk_widgets, markups_widgets, mrml_widgets, pythonqt, translation, ui_loader

_SLICER_WIDGETS = (
    mrml_widgets.qMRMLWidget,
    mrml_widgets.qSlicerWidget,
    mrml_widgets.qMRMLNodeComboBox,
    markups_widgets.qSlicerMarkupsPlaceWidget,
    markups_widgets.qSlicerSimpleMarkupsWidget,
)
PANEL_WIDTH = 420


class Bench:
    """One application with one scene; make it once a process and empty the scene between tests."""

    def __init__(self) -> None:
        _install_modules()
        from .layout_manager import qSlicerLayoutManager

        self.scene = slicer.mrmlScene
        self.window = _application_module().qSlicerMainWindow()
        self._panel = QtWidgets.QScrollArea()
        self._panel.setWidgetResizable(True)
        self._panel.setFixedWidth(PANEL_WIDTH)
        self._panel.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarAlwaysOff)
        views = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._panel)
        row.addWidget(views, 1)
        center = QtWidgets.QWidget()
        center.setLayout(row)
        self.window.setCentralWidget(center)
        self.layout_manager = qSlicerLayoutManager(views)
        slicer.app.setLayoutManager(self.layout_manager)

    def show(self, width: int, height: int) -> None:
        """Show the window at this size; it must be shown before anything is clicked."""
        self.window.resize(width, height)
        self.window.show()
        self.window.activateWindow()
        self.settle()

    def load_module(self, path: Path) -> Any:
        """Load a scripted module as Slicer does at start-up; returns its module object (title, path, ...)."""
        name = path.stem
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(path.parent))
        sys.modules[name] = module
        spec.loader.exec_module(module)
        holder = _application_module().qSlicerScriptedLoadableModule(str(path), name)
        setattr(slicer.modules, name.lower(), holder)
        setattr(slicer.modules, f"{name}Instance", getattr(module, name)(holder))
        holder._make_widget = lambda: self._make_panel(name)
        return holder

    def _make_panel(self, name: str) -> QtWidgets.QWidget:
        panel = _application_module().qSlicerScriptedLoadableModuleWidget()
        panel.setLayout(QtWidgets.QVBoxLayout())
        panel.setMRMLScene(self.scene)
        panel._make_python = lambda: self._make_widget(panel, name)
        panel.reload()
        return panel

    def _make_widget(self, panel: QtWidgets.QWidget, name: str) -> Any:
        widget = getattr(sys.modules[name], f"{name}Widget")(panel)
        setattr(slicer.modules, f"{name}Widget", widget)
        return widget

    def open_module(self, name: str) -> Any:
        """Select the module: its panel is made at the first time and entered; returns its widget object."""
        panel = slicer.app.moduleManager().module(name).widgetRepresentation()
        if self._panel.widget() is not panel:
            self._panel.setWidget(panel)
        widget = panel.self()
        widget.enter()
        return widget

    def close_module(self, name: str) -> None:
        """Leave the module and unload it, as at the end of the application."""
        panel = slicer.app.moduleManager().module(name).widgetRepresentation()
        panel.self().exit()
        slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(name)
        self._panel.takeWidget()
        panel.deleteLater()
        slicer.app.moduleManager().module(name)._widget = None
        self.settle()

    def settle(self, milliseconds: int = 20) -> None:
        """Let Qt and the views do what is due."""
        QtTest.QTest.qWait(milliseconds)

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Run the event loop until `condition()`; AssertionError with `what` when it takes longer than `seconds`."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"After {seconds} s still not: {what}"
            self.settle()

    def view_point(
        self, view_name: str, ras: tuple[float, float, float]
    ) -> tuple[QtWidgets.QWidget, QtCore.QPoint]:
        """The view widget of that name and the pixel where a point (RAS mm, of its slice) is drawn."""
        view = self.layout_manager.sliceWidget(view_name).sliceView()
        x, y, _depth = view.convertRASToXYZ(ras)
        return view, QtCore.QPoint(round(x), view.renderWindow().GetSize()[1] - 1 - round(y))

    def click(self, view_name: str, ras: tuple[float, float, float]) -> None:
        """Move the mouse to a point of a view and click."""
        view, pixel = self.view_point(view_name, ras)
        self._hover(view, pixel)
        QtTest.QTest.mouseClick(view, QtCore.Qt.LeftButton, pos=pixel)
        self.settle()

    def hover(self, view_name: str, ras: tuple[float, float, float]) -> None:
        """Move the mouse to a point of a view."""
        self._hover(*self.view_point(view_name, ras))

    def drag(self, view_name: str, start_ras: tuple, end_ras: tuple) -> None:
        """Drag from one point of a view to another with the left button."""
        view, start = self.view_point(view_name, start_ras)
        end = self.view_point(view_name, end_ras)[1]
        self._hover(view, start)
        QtTest.QTest.mousePress(view, QtCore.Qt.LeftButton, pos=start)
        for step in range(1, 6):
            QtTest.QTest.mouseMove(view, start + (end - start) * step / 5)
            self.settle()
        QtTest.QTest.mouseRelease(view, QtCore.Qt.LeftButton, pos=end)
        self.settle()

    def _hover(self, view: QtWidgets.QWidget, pixel: QtCore.QPoint) -> None:
        # from elsewhere: a mouse that is there already moves nothing, and no point below it wakes up
        QtTest.QTest.mouseMove(view, pixel + QtCore.QPoint(9, 9))
        self.settle()
        QtTest.QTest.mouseMove(view, pixel)
        self.settle()

    def press(self, key: str) -> None:
        """Press a key or a combination such as "Ctrl+Z" in the window."""
        combination = QtGui.QKeySequence(key)[0]
        QtTest.QTest.keyClick(self.window, combination.key(), combination.keyboardModifiers())
        self.settle()

    def save_picture(self, path: Path, widget: QtWidgets.QWidget | None = None) -> None:
        """Write what the window (or one widget of it) shows as PNG."""
        self.settle(200)
        (widget or self.window).grab().save(str(path))

    def save_panel_picture(self, path: Path) -> None:
        """Write the module panel as PNG, without the empty space below its last widget."""
        self.settle(200)
        panel = self._panel.widget()
        height = min(panel.height, panel.sizeHint().height() + 8)
        panel.grab(QtCore.QRect(0, 0, panel.width, height)).save(str(path))


def _install_modules() -> None:
    qt = pythonqt.build_qt()
    sys.modules["qt"] = qt
    sys.modules["ctk"] = ctk = ctk_widgets.build_ctk()
    for cls in _SLICER_WIDGETS:
        setattr(slicer, cls.__name__, cls)
    plain = {name: getattr(qt, name) for name in dir(qt) if name.startswith("Q")}
    stand_ins = {
        cls.__name__: cls for cls in (*_SLICER_WIDGETS, *vars(ctk).values()) if isinstance(cls, type)
    }
    ui_loader.QUiLoader.classes = {**plain, **stand_ins}
    qt.QUiLoader = ui_loader.QUiLoader
    _application_module().start_application()
    from . import parameter_node, scripted_module

    sys.modules["slicer.i18n"] = slicer.i18n = translation
    sys.modules["slicer.parameterNodeWrapper"] = slicer.parameterNodeWrapper = parameter_node
    sys.modules["slicer.ScriptedLoadableModule"] = slicer.ScriptedLoadableModule = scripted_module


def _application_module() -> ModuleType:
    from . import application

    return application
