"""Where the mouse is in the slice views; Slicer's crosshair node tells it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..core.geometry import LPS_FROM_RAS, transform_points
from ..review import Point
from .frames import local_lps_from_world_ras
from .layout import slice_node_ids
from .mrml import CrosshairNode, Scene, VolumeNode
from .volumes import ijk_to_ras, scan_key


def cursor_node(scene: Scene) -> CrosshairNode | None:
    """The node that follows the mouse, None in a scene without one."""
    node: CrosshairNode | None = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    return node


def is_above(scene: Scene, scan_keys: Iterable[str]) -> bool:
    """Whether the mouse is in one of the scans' own views."""
    cursor = cursor_node(scene)
    view = None if cursor is None else cursor.GetCursorPositionXYZ([0.0, 0.0, 0.0])
    return view is not None and any(view.GetID() in slice_node_ids(scene, key) for key in scan_keys)


def is_outside(volume_node: VolumeNode) -> bool:
    """Whether the mouse is in a slice view, beside the voxels of a volume."""
    cursor, place_ras = cursor_node(volume_node.GetScene()), [0.0, 0.0, 0.0]
    image = volume_node.GetImageData()
    if cursor is None or image is None or not cursor.GetCursorPositionRAS(place_ras):
        return False
    if cursor.GetCursorPositionXYZ([0.0, 0.0, 0.0]) is None:
        return False
    ijk_to_lps = LPS_FROM_RAS @ ijk_to_ras(volume_node)
    place = transform_points(np.linalg.inv(ijk_to_lps), local_lps_from_world_ras(volume_node, [place_ras])[0])
    last = np.array(image.GetDimensions()) - 0.5
    return bool((place < -0.5).any() or (place > last).any())


def place_under_cursor(volume_node: VolumeNode) -> Point | None:
    """The place under the mouse in a volume (LPS mm, its own frame), None while it is not in the volume's own views."""
    scene, place_ras = volume_node.GetScene(), [0.0, 0.0, 0.0]
    cursor = cursor_node(scene)
    if cursor is None or not is_above(scene, [scan_key(volume_node)]):
        return None
    if not cursor.GetCursorPositionRAS(place_ras):
        return None
    x, y, z = local_lps_from_world_ras(volume_node, [place_ras])[0].tolist()
    return x, y, z
