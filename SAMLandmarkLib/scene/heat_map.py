"""The similarity of every place of a follow-up to one landmark, as a colored overlay."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from ..core.geometry import LPS_FROM_RAS
from ..utils.translation import _
from .mrml import ColorTableNode, Scene, VolumeNode
from .nodes import add_hidden_node, nodes_of_class
from .views import hide_overlay, show_overlay

_MARK = "SAMLandmark.HeatMap"
# Only what is most alike is colored; the rest would cover the scan without telling anything.
_SHOWN_SHARE = 0.01
_COLOR_MARK = "SAMLandmark.HeatMapColors"
# From a dark red over orange to a bright yellow: never gray, so that it is never taken for anatomy.
_COLOR_STOPS = ((0.45, 0.0, 0.05), (0.95, 0.30, 0.05), (1.0, 0.95, 0.35))
_COLOR_COUNT = 256


def write_heat_map(volume_node: VolumeNode, array: np.ndarray, ijk_to_lps: np.ndarray) -> VolumeNode:
    """Show similarities `array [z, y, x]` over a volume, in that volume's views only, and return the overlay's node.

    `ijk_to_lps` leads to LPS mm of the volume's own frame. The scene has one such node, which is used again.
    """
    scene = volume_node.GetScene()
    hide_heat_map(scene)
    node = _find(scene) or _create(scene)
    _set_voxels(node, array, ijk_to_lps)
    node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
    node.SetName(_("Similarity in {volume}").format(volume=volume_node.GetName()))
    _show_best(node, array)
    show_overlay(volume_node, node)
    return node


def hide_heat_map(scene: Scene) -> None:
    """Take the overlay out of all views."""
    node = _find(scene)
    if node is not None:
        hide_overlay(node)


def _find(scene: Scene) -> VolumeNode | None:
    nodes: list[VolumeNode] = nodes_of_class(scene, "vtkMRMLScalarVolumeNode")
    return next((node for node in nodes if node.GetAttribute(_MARK)), None)


def _create(scene: Scene) -> VolumeNode:
    node: VolumeNode = add_hidden_node(scene, "vtkMRMLScalarVolumeNode", "Similarity", _MARK)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetSaveWithScene(False)
    node.GetDisplayNode().SetAndObserveColorNodeID(_colors(scene).GetID())
    return node


def _colors(scene: Scene) -> ColorTableNode:
    """The overlay's color table; its own, because Slicer's warm ones begin with black."""
    nodes: list[ColorTableNode] = nodes_of_class(scene, "vtkMRMLColorTableNode")
    found = next((node for node in nodes if node.GetAttribute(_COLOR_MARK)), None)
    if found is not None:
        return found
    node: ColorTableNode = add_hidden_node(scene, "vtkMRMLColorTableNode", "Similarity", _COLOR_MARK)
    node.SetTypeToUser()
    node.SetNumberOfColors(_COLOR_COUNT)
    for number in range(_COLOR_COUNT):
        share, stops = number / (_COLOR_COUNT - 1), np.linspace(0, 1, len(_COLOR_STOPS))
        red, green, blue = (
            float(np.interp(share, stops, channel)) for channel in zip(*_COLOR_STOPS, strict=True)
        )
        node.SetColor(number, str(number), red, green, blue, 1.0)
    return node


def _set_voxels(node: VolumeNode, array: np.ndarray, ijk_to_lps: np.ndarray) -> None:
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    scalars = numpy_to_vtk(np.ascontiguousarray(array, dtype=np.float32).ravel(), deep=True)
    image.GetPointData().SetScalars(scalars)
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(LPS_FROM_RAS @ np.asarray(ijk_to_lps, dtype=float)))


def _show_best(node: VolumeNode, array: np.ndarray) -> None:
    values = array[np.isfinite(array)]
    highest = float(values.max()) if values.size else 1.0
    lowest = float(np.quantile(values, 1 - _SHOWN_SHARE)) if values.size else 0.0
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(lowest, max(highest, lowest + 1e-3))
    display.SetLowerThreshold(lowest)
    display.SetUpperThreshold(max(highest, lowest + 1e-3))
    display.SetApplyThreshold(True)
