"""Where the mouse is in the slice views; Slicer's crosshair node tells it."""

from __future__ import annotations

from collections.abc import Iterable

from ..review import Point
from .frames import local_lps_from_world_ras
from .layout import slice_node_ids
from .volumes import scan_key


def cursor_node(scene: object) -> object | None:
    """The node that follows the mouse, None in a scene without one."""
    return scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")


def is_above(scene: object, scan_keys: Iterable[str]) -> bool:
    """Whether the mouse is in one of the scans' own views."""
    cursor = cursor_node(scene)
    view = None if cursor is None else cursor.GetCursorPositionXYZ([0.0, 0.0, 0.0])
    return view is not None and any(view.GetID() in slice_node_ids(scene, key) for key in scan_keys)


def place_under_cursor(volume_node: object) -> Point | None:
    """The place under the mouse in a volume (LPS mm, its own frame), None while it is not in the volume's own views."""
    scene, place_ras = volume_node.GetScene(), [0.0, 0.0, 0.0]
    if not is_above(scene, [scan_key(volume_node)]) or not cursor_node(scene).GetCursorPositionRAS(place_ras):
        return None
    return tuple(local_lps_from_world_ras(volume_node, [place_ras])[0].tolist())
