"""Slicer's own 3D view, offscreen and without a widget: its displayable managers and its way with the mouse."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
)
_PIXELS = 400


class ThreeDView:
    """The first 3D view of the scene; close it, or it goes on to follow the scene."""

    def __init__(self) -> None:
        scene = slicer.mrmlScene
        view_node = scene.GetFirstNodeByClass("vtkMRMLViewNode")
        self._camera_node = scene.AddNewNodeByClass("vtkMRMLCameraNode")
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        for name in _MANAGERS:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self._renderer, self._window = vtk.vtkRenderer(), vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetSize(_PIXELS, _PIXELS)
        self._window.AddRenderer(self._renderer)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._interactor.Initialize()
        self._managers = slicer.vtkMRMLDisplayableManagerGroup()
        self._managers.Initialize(factory, self._renderer)
        self._style = slicer.vtkMRMLThreeDViewInteractorStyle()
        self._style.SetDisplayableManagers(self._managers)
        self._managers.SetMRMLDisplayableNode(view_node)
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self._style.SetInteractor(self._interactor)

    def click(self, ras: Any) -> None:
        """Look at a point (world RAS mm) and click it."""
        camera = self._renderer.GetActiveCamera()
        camera.SetFocalPoint(*ras)
        camera.SetPosition(ras[0], ras[1] + 300.0, ras[2])
        camera.SetViewUp(0.0, 0.0, 1.0)
        self._renderer.ResetCameraClippingRange()
        self._window.Render()
        for shift in (9, 0):
            place = _PIXELS // 2 + shift
            self._interactor.SetEventInformation(place, _PIXELS // 2, 0, 0, chr(0), 0, None)
            self._interactor.InvokeEvent("MouseMoveEvent")
            self._window.Render()
        for event in ("LeftButtonPressEvent", "LeftButtonReleaseEvent"):
            self._interactor.InvokeEvent(event)

    def close(self) -> None:
        """Leave the scene."""
        self._style.SetInteractor(None)
        self._managers.SetMRMLDisplayableNode(None)
        slicer.mrmlScene.RemoveNode(self._camera_node)
