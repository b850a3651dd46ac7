"""Slicer's own slice view, drawn without a screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from .application import SceneApplication
from .mrml import SliceCompositeNode

_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
)


class SliceView:
    """A slice of the scene as a picture, with Slicer's markups and mouse interaction.

    `name` is the layout name of its slice node, which is made where the scene has none. `on_change()` is called when
    the picture is no longer up to date.
    """

    def __init__(self, application: SceneApplication, name: str, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._image: Any = None
        self._build_window()
        self._logic = self._new_logic(application, name)
        self.node = self._logic.GetSliceNode()
        self._build_managers(application)
        self._logic.AddObserver("ModifiedEvent", self._image_changed)
        self.node.AddObserver("ModifiedEvent", self._changed)
        self._image_changed()

    def _build_window(self) -> None:
        self._renderer = vtk.vtkRenderer()
        self._renderer.GetActiveCamera().ParallelProjectionOn()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.ShowWindowOff()
        # smooth edges would cost most of the time where there is no graphics card
        self.window.SetMultiSamples(0)
        self.window.AddRenderer(self._renderer)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.Initialize()
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()

    def _new_logic(self, application: SceneApplication, name: str) -> Any:
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(application.logic)
        application.logic.GetSliceLogics().AddItem(logic)
        logic.SetMRMLScene(application.scene)
        known = application.scene.GetSingletonNode(name, "vtkMRMLSliceNode")
        if known is None:
            logic.AddSliceNode(name)
        else:
            logic.SetSliceNode(known)
        return logic

    def _build_managers(self, application: SceneApplication) -> None:
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(application.logic)
        for name in _MANAGERS:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self._managers = slicer.vtkMRMLDisplayableManagerGroup()
        self._managers.SetRenderer(self._renderer)
        self._managers.AddObserver("UpdateEvent", self._changed)
        self._managers.Initialize(factory, self._renderer)
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._style.SetDisplayableManagers(self._managers)
        self._style.SetSliceLogic(self._logic)
        self._managers.SetMRMLDisplayableNode(self.node)
        self.interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self._style.SetInteractor(self.interactor)

    @property
    def volume_id(self) -> str | None:
        """Id of the volume in the background."""
        composite: SliceCompositeNode = self._logic.GetSliceCompositeNode()
        return composite.GetBackgroundVolumeID()

    @property
    def offset_range_mm(self) -> tuple[float, float, float]:
        """The slices that there are: lowest and highest offset, and the step between them, in mm."""
        bounds = [0.0] * 6
        self._logic.GetLowestVolumeSliceBounds(bounds)
        return bounds[4], bounds[5], self._logic.GetLowestVolumeSliceSpacing()[2]

    def resize(self, width: int, height: int) -> None:
        """Draw with so many pixels from now on; what is shown keeps its scale."""
        self.window.SetSize(width, height)
        self.interactor.UpdateSize(width, height)
        self.interactor.InvokeEvent("ConfigureEvent")
        self._logic.ResizeSliceNode(width, height)
        self._on_change()

    def fit(self) -> None:
        """Show the whole slice, the middle one, as large as there is room."""
        self._logic.FitSliceToBackground()
        self._logic.SnapSliceOffsetToIJK()

    def scroll_to(self, offset_mm: float) -> None:
        """Show the slice at this offset."""
        self._logic.SetSliceOffset(offset_mm)

    def forget_markups(self) -> None:
        """Draw no points until the next batch of changes of the scene ends."""
        manager = self._managers.GetDisplayableManagerByClassName("vtkMRMLMarkupsDisplayableManager")
        manager.GetHelper().RemoveAllWidgetsAndNodes()

    def picture(self) -> np.ndarray:
        """The view as it is now, drawn anew: RGB bytes `[height, width, 3]`, the upper row first."""
        self.window.Render()
        width, height = self.window.GetSize()
        pixels = vtk.vtkUnsignedCharArray()
        self.window.GetPixelData(0, 0, width - 1, height - 1, 0, pixels, 0)
        return np.ascontiguousarray(vtk_to_numpy(pixels).reshape(height, width, 3)[::-1])

    def _image_changed(self, *_: object) -> None:
        image = self._logic.GetImageDataConnection()
        if image is not self._image:
            self._image = image
            self._mapper.SetInputConnection(image)
            if image is None:
                self._renderer.RemoveViewProp(self._actor)
            elif not self._renderer.HasViewProp(self._actor):
                self._renderer.AddViewProp(self._actor)
        self._on_change()

    def _changed(self, *_: object) -> None:
        self._on_change()
