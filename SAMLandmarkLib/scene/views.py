"""What the views of a scan show, and where they look."""

from __future__ import annotations

from collections.abc import Sequence

import vtk

from .frames import ras_from_own_lps, world_ras_from_local_lps
from .layout import composite_node, slice_node_ids, slice_nodes
from .mrml import MarkupsDisplayNode, MarkupsNode, Scene, SliceNode, VolumeNode
from .nodes import add_hidden_node, keep_placing, nodes_of_class
from .point_display import draw_finely
from .volumes import KEY_ATTRIBUTE, scan_key

_MARK = "SAMLandmark.Crosshair"
# Where the axes R, A and S of Slicer lead, forward and back.
_DIRECTIONS = (("R", "L"), ("A", "P"), ("S", "I"))
_EDGE = 0.1
"""What of a view's width and height, at each side, does not count as in sight."""
_CROSSHAIR_COLOR = (0.21, 0.84, 0.90)


def show_volume(volume_node: VolumeNode) -> None:
    """Show a volume as the background of its own views."""
    scene = volume_node.GetScene()
    for view in slice_nodes(scene, scan_key(volume_node)):
        composite_node(scene, view).SetBackgroundVolumeID(volume_node.GetID())


def show_overlay(volume_node: VolumeNode, overlay_node: VolumeNode, opacity: float = 0.5) -> None:
    """Lay a volume over the views that show `volume_node`."""
    for view in _views_that_show(volume_node):
        composite = composite_node(volume_node.GetScene(), view)
        composite.SetForegroundVolumeID(overlay_node.GetID())
        composite.SetForegroundOpacity(opacity)


def overlay_shown(overlay_node: VolumeNode) -> bool:
    """Whether a volume lies over another one in any view."""
    composites = nodes_of_class(overlay_node.GetScene(), "vtkMRMLSliceCompositeNode")
    return any(node.GetForegroundVolumeID() == overlay_node.GetID() for node in composites)


def hide_overlay(overlay_node: VolumeNode) -> None:
    """Take a volume that lies over another one out of all views."""
    for composite in nodes_of_class(overlay_node.GetScene(), "vtkMRMLSliceCompositeNode"):
        if composite.GetForegroundVolumeID() == overlay_node.GetID():
            composite.SetForegroundVolumeID(None)
            composite.SetForegroundOpacity(0.0)


def jump(
    volume_node: VolumeNode, position_lps: Sequence[float], name: str = "", to_center: bool = True
) -> None:
    """Move the views that show a volume, and no others, to a point (LPS mm in its own frame), and `mark` it.

    Not `to_center`: a view of its own, in which the point is in sight, moves to its slice only.
    """
    world = world_ras_from_local_lps(volume_node, position_lps)[0]
    own = slice_nodes(volume_node.GetScene(), scan_key(volume_node))
    for view in _views_that_show(volume_node):
        if not to_center and view in own and _has_in_sight(view, world):
            view.JumpSliceByOffsetting(*world)
        else:
            view.JumpSliceByCentering(*world)
    mark(volume_node, position_lps, name)


def _has_in_sight(slice_node: SliceNode, world_ras: Sequence[float]) -> bool:
    """Whether a point (world RAS mm) lies well within a view, whose part of the body need not be moved then."""
    to_pixels = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(slice_node.GetXYToRAS(), to_pixels)
    pixel = to_pixels.MultiplyPoint((*world_ras, 1.0))[:2]
    sizes = slice_node.GetDimensions()[:2]
    return all(_EDGE * size < place < (1 - _EDGE) * size for place, size in zip(pixel, sizes, strict=True))


def slice_in_words(slice_node: SliceNode) -> str:
    """Where a slice is along the patient's axis that it is seen along, like "S 12 mm" or "I 340 mm"."""
    matrix = slice_node.GetSliceToRAS()
    axis = max(range(3), key=lambda row: abs(matrix.GetElement(row, 2)))
    place_mm = slice_node.GetSliceOffset() * matrix.GetElement(axis, 2)
    return f"{_DIRECTIONS[axis][place_mm < 0]} {abs(place_mm):.0f} mm"


def _views_that_show(volume_node: VolumeNode) -> list[SliceNode]:
    """A volume's own views, and those of Slicer's other layouts that have it as their background."""
    scene = volume_node.GetScene()
    views = slice_nodes(scene, scan_key(volume_node))
    for composite in nodes_of_class(scene, "vtkMRMLSliceCompositeNode"):
        view = scene.GetSingletonNode(composite.GetLayoutName(), "vtkMRMLSliceNode")
        if view is None or view.GetAttribute(KEY_ATTRIBUTE):
            continue
        if composite.GetBackgroundVolumeID() == volume_node.GetID():
            views.append(view)
    return views


def mark(volume_node: VolumeNode, position_lps: Sequence[float], name: str = "") -> None:
    """Put a volume's crosshair at a point (LPS mm in the volume's own frame), with a name; its views stay where they are.

    It is the scan's own crosshair: Slicer's is one for all views, and so is wrong in every scan but one.
    """
    scene, key = volume_node.GetScene(), scan_key(volume_node)
    node = next((item for item in _crosshairs(scene) if item.GetAttribute(KEY_ATTRIBUTE) == key), None)
    if node is None:
        node = _new_crosshair(scene, key)
    node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
    node.SetNthControlPointPosition(0, *ras_from_own_lps(position_lps, volume_node, node)[0])
    node.SetNthControlPointLabel(0, name)
    node.GetDisplayNode().SetPointLabelsVisibility(bool(name))
    node.GetDisplayNode().SetViewNodeIDs(slice_node_ids(scene, key))
    # Without own views it would be drawn in the views of every scan.
    node.SetDisplayVisibility(bool(slice_node_ids(scene, key)))


def unmark(volume_node: VolumeNode) -> None:
    """Show no crosshair in a volume's views."""
    key = scan_key(volume_node)
    for node in _crosshairs(volume_node.GetScene()):
        if node.GetAttribute(KEY_ATTRIBUTE) == key:
            node.SetDisplayVisibility(False)


def unmark_all(scene: Scene) -> None:
    """Show no crosshair in any view."""
    for node in _crosshairs(scene):
        node.SetDisplayVisibility(False)


def _crosshairs(scene: Scene) -> list[MarkupsNode]:
    nodes = nodes_of_class(scene, "vtkMRMLMarkupsFiducialNode")
    return [node for node in nodes if node.GetAttribute(_MARK)]


def _new_crosshair(scene: Scene, key: str) -> MarkupsNode:
    with keep_placing(scene):
        node: MarkupsNode = add_hidden_node(
            scene, "vtkMRMLMarkupsFiducialNode", "SAMLandmark crosshair", _MARK
        )
    node.SetAttribute(KEY_ATTRIBUTE, key)
    node.AddControlPoint(0.0, 0.0, 0.0, "")
    node.SetLocked(True)
    node.CreateDefaultDisplayNodes()
    _style_crosshair(node.GetDisplayNode())
    return node


def _style_crosshair(display: MarkupsDisplayNode) -> None:
    display.SetSaveWithScene(False)
    display.SetSelectedColor(_CROSSHAIR_COLOR)
    draw_finely(display)
    display.SetGlyphTypeFromString("Cross2D")
    display.SetGlyphScale(12.0)
    display.SetOpacity(0.8)
    display.SetPointLabelsVisibility(False)
