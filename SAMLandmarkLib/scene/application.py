"""A scene with what Slicer has at its start, for a program that shows it without Slicer's window."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

from .mrml import MarkupsNode, VtkObject

_LOGICS = {
    "Markups": "vtkSlicerMarkupsLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
}


class SceneApplication:
    """The scene and its logics; there can be only one in a process, because views find their logic by a singleton."""

    def __init__(self) -> None:
        self.scene = slicer.mrmlScene = slicer.vtkMRMLScene()
        self.logic = slicer.vtkSlicerApplicationLogic()
        self.logic.SetMRMLScene(self.scene)
        self.logic.SetSliceLogics(vtk.vtkCollection())
        self.logic.SetViewLogics(vtk.vtkCollection())
        colors = self.logic.GetColorLogic()
        colors.SetMRMLScene(self.scene)
        colors.AddDefaultColorNodes()
        self.logic.SetModuleLogic("Colors", colors)
        self._logics = {name: self._logic(name, class_name) for name, class_name in _LOGICS.items()}
        self._add_crosshair()
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)

    def _logic(self, name: str, class_name: str) -> Any:
        logic = getattr(slicer, class_name)()
        logic.SetMRMLScene(self.scene)
        logic.SetMRMLApplicationLogic(self.logic)
        self.logic.SetModuleLogic(name, logic)
        return logic

    def _add_crosshair(self) -> None:
        """Slicer's crosshair node: it also tells where the mouse is."""
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self.scene.AddNode(crosshair)

    @property
    def mouse_places(self) -> bool:
        """Whether clicks in the views add points now."""
        interaction = self.logic.GetInteractionNode()
        return bool(interaction.GetCurrentInteractionMode() == interaction.Place)

    @property
    def mouse_mode_event(self) -> tuple[VtkObject, int]:
        """The node and its event that tell that `mouse_places` may have changed."""
        interaction = self.logic.GetInteractionNode()
        return interaction, interaction.InteractionModeChangedEvent

    def let_mouse_place(self, markups_node: MarkupsNode | None) -> None:
        """Let clicks in the views add points to a list until further notice; None: let them do nothing special."""
        interaction = self.logic.GetInteractionNode()
        if markups_node is None:
            interaction.SetCurrentInteractionMode(interaction.ViewTransform)
            return
        self._logics["Markups"].SetActiveList(markups_node)
        interaction.SetPlaceModePersistence(1)
        interaction.SetCurrentInteractionMode(interaction.Place)
