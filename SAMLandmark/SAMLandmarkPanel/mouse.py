"""Where the mouse is in the slice views; Slicer's crosshair node tells it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import slicer

from SAMLandmarkLib.scene import local_lps_from_world_ras, slice_node_ids


def cursorNode() -> Any | None:
    """The node that follows the mouse, None in a scene without one."""
    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")


def isAbove(scanKeys: Iterable[str]) -> bool:
    """Whether the mouse is in one of the scans' own views."""
    cursor = cursorNode()
    view = None if cursor is None else cursor.GetCursorPositionXYZ([0.0, 0.0, 0.0])
    return view is not None and any(view.GetID() in slice_node_ids(slicer.mrmlScene, key) for key in scanKeys)


def placeUnderMouse(scan: Any) -> tuple[float, float, float] | None:
    """The place under the mouse in a scan (LPS mm, its own frame), None while the mouse is not in its own views."""
    placeRas = [0.0, 0.0, 0.0]
    if not isAbove([scan.key]) or not cursorNode().GetCursorPositionRAS(placeRas):
        return None
    return tuple(local_lps_from_world_ras(scan.volume_node, [placeRas])[0].tolist())
