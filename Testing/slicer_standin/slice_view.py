"""Slicer's own slice view (displayable managers, interactor style) drawn offscreen into a Qt widget."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from vtkmodules.util.numpy_support import vtk_to_numpy

from .api import stands_in
from .pythonqt import PythonQtObject

_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLTransformsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
)
_PRESSED = {QtCore.Qt.LeftButton: "LeftButton", QtCore.Qt.RightButton: "RightButton"}


@stands_in
class qMRMLSliceView(PythonQtObject, QtWidgets.QWidget):
    """Draws one slice node; mouse and wheel go to Slicer's interactor style, as in the application."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._image, self._connection, self._waiting, self._closed = None, None, False, False
        self.setMouseTracking(True)
        self.setMinimumSize(80, 80)
        self._build_window()
        self._build_managers()

    def _build_window(self) -> None:
        self._renderer = vtk.vtkRenderer()
        self._renderer.GetActiveCamera().ParallelProjectionOn()
        self._window = vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.ShowWindowOff()
        self._window.SetMultiSamples(0)
        self._window.AddRenderer(self._renderer)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._interactor.Initialize()
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()

    def _build_managers(self) -> None:
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        for name in _MANAGERS:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self._managers = slicer.vtkMRMLDisplayableManagerGroup()
        self._managers.SetRenderer(self._renderer)
        self._managers.AddObserver(vtk.vtkCommand.UpdateEvent, self._request)
        self._managers.Initialize(factory, self._renderer)
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._style.SetDisplayableManagers(self._managers)

    def _attach(self, logic: Any) -> None:
        """Show what a slice logic computes; called once by the slice widget."""
        self._logic = logic
        self._style.SetSliceLogic(logic)
        self._managers.SetMRMLDisplayableNode(logic.GetSliceNode())
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self._style.SetInteractor(self._interactor)
        self._tags = [
            (logic, logic.AddObserver(vtk.vtkCommand.ModifiedEvent, self._image_changed)),
            (
                logic.GetSliceNode(),
                logic.GetSliceNode().AddObserver(vtk.vtkCommand.ModifiedEvent, self._request),
            ),
        ]
        self._image_changed()

    def _close(self) -> None:
        """Leave the scene: a view that is gone must not react to it any more."""
        self._closed = True
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._style.SetInteractor(None)
        self._managers.SetMRMLDisplayableNode(None)
        self._mapper.SetInputConnection(None)

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def renderWindow(self) -> vtk.vtkRenderWindow:
        return self._window

    def interactor(self) -> vtk.vtkRenderWindowInteractor:
        return self._interactor

    def interactorStyle(self) -> Any:
        return self._style

    def scheduleRender(self) -> None:
        self._request()

    def forceRender(self) -> None:
        self._render()

    def convertRASToXYZ(self, ras: tuple[float, float, float]) -> tuple[float, float, float]:
        to_xyz = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.mrmlSliceNode().GetXYToRAS(), to_xyz)
        return tuple(to_xyz.MultiplyPoint((*ras, 1.0))[:3])

    def _image_changed(self, *_: Any) -> None:
        connection = self._logic.GetImageDataConnection()
        if connection is not self._connection:
            self._connection = connection
            self._mapper.SetInputConnection(connection)
            if connection is None:
                self._renderer.RemoveViewProp(self._actor)
            elif not self._renderer.HasViewProp(self._actor):
                self._renderer.AddViewProp(self._actor)
        self._request()

    def _request(self, *_: Any) -> None:
        if not self._waiting and not self._closed:
            self._waiting = True
            QtCore.QTimer.singleShot(0, self, self._render)

    def _render(self) -> None:
        self._waiting = False
        if self._closed:
            return
        self._window.Render()
        width, height = self._window.GetSize()
        pixels = vtk.vtkUnsignedCharArray()
        self._window.GetPixelData(0, 0, width - 1, height - 1, 0, pixels, 0)
        rows = np.ascontiguousarray(vtk_to_numpy(pixels).reshape(height, width, 3)[::-1])
        image = QtGui.QImage(rows.data, width, height, 3 * width, QtGui.QImage.Format_RGB888)
        self._image = image.copy()
        self.update()

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        width, height = self.width, self.height
        self._window.SetSize(width, height)
        self._interactor.UpdateSize(width, height)
        self._interactor.InvokeEvent("ConfigureEvent")
        self._logic.ResizeSliceNode(width, height)
        self._request()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect, QtCore.Qt.black)
        if self._image is not None:
            painter.drawImage(0, 0, self._image)
        painter.end()

    def _forward(self, event: QtGui.QSinglePointEvent, name: str) -> None:
        position, keys = event.position(), event.modifiers()
        control, shift = (bool(keys & key) for key in (QtCore.Qt.ControlModifier, QtCore.Qt.ShiftModifier))
        y = self._window.GetSize()[1] - 1 - int(position.y())  # VTK counts from the bottom
        self._interactor.SetEventInformation(int(position.x()), y, control, shift, chr(0), 0, None)
        self._interactor.InvokeEvent(name)

    def enterEvent(self, event: QtGui.QEnterEvent) -> None:
        self._forward(event, "EnterEvent")

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        self._forward(event, "MouseMoveEvent")

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        self._forward(event, _PRESSED.get(event.button(), "MiddleButton") + "PressEvent")

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        self._forward(event, _PRESSED.get(event.button(), "MiddleButton") + "ReleaseEvent")

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        forward = event.angleDelta().y() > 0
        self._forward(event, "MouseWheelForwardEvent" if forward else "MouseWheelBackwardEvent")
