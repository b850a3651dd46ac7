"""Points from one place of the scene to another: through parent transforms, linear or not, and from RAS to LPS.

Slicer counts in RAS. A node's *own* frame is the one before its parent transform; *world* is the one after. A volume
is embedded in its own frame (or that turned upright, see `volumes.upright_from_own`), so a parent transform of any
kind is only ever applied to points, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import vtk

from ..geometry import swap_lps_ras


def points_between(points_ras: np.ndarray, source: object | None, target: object | None) -> np.ndarray:
    """Points `(n, 3)` RAS mm of the own frame of node `source` in the own frame of node `target`; None is world.

    The inverse of a non-linear transform is iterated by VTK, to 0.01 mm and better.
    """
    points = np.array(points_ras, dtype=float).reshape(-1, 3)
    source_transform, target_transform = _parent(source), _parent(target)
    if source_transform is target_transform:
        return points
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(source_transform, target_transform, transform)
    return np.array([transform.TransformPoint(point) for point in points]).reshape(-1, 3)


def own_lps_from(points_ras: np.ndarray, source: object | None, volume_node: object) -> np.ndarray:
    """Points `(n, 3)` RAS mm of node `source` (None: world) as LPS mm in the own frame of a volume."""
    return swap_lps_ras(points_between(points_ras, source, volume_node))


def ras_from_own_lps(points_lps: Sequence, volume_node: object, target: object | None) -> np.ndarray:
    """Points `(n, 3)` LPS mm of a volume's own frame as RAS mm of node `target` (None: world)."""
    return points_between(swap_lps_ras(np.reshape(points_lps, (-1, 3))), volume_node, target)


def local_lps_from_world_ras(volume_node: object, points_ras: np.ndarray) -> np.ndarray:
    """World points `(n, 3)` RAS mm as LPS mm in the own frame of a volume."""
    return own_lps_from(points_ras, None, volume_node)


def world_ras_from_local_lps(volume_node: object, points_lps: np.ndarray) -> np.ndarray:
    """Points `(n, 3)` LPS mm of a volume's own frame as world points in RAS mm."""
    return ras_from_own_lps(points_lps, volume_node, None)


def _parent(node: object | None) -> object | None:
    return None if node is None else node.GetParentTransformNode()
