"""Points from one place of the scene to another: through parent transforms, linear or not, and from RAS to LPS.

Slicer counts in RAS. A node's *own* frame is the one before its parent transform; *world* is the one after. A volume
is embedded in its own frame (or that turned upright, see `volumes.upright_from_own`), so a parent transform of any
kind is only ever applied to points, exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk

from ..core.geometry import swap_lps_ras
from .mrml import TransformableNode, TransformNode, VolumeNode

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def points_between(
    points_ras: ArrayLike, source: TransformableNode | None, target: TransformableNode | None
) -> np.ndarray:
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


def world_lps_from(points_lps: ArrayLike, transform_node: TransformNode) -> np.ndarray:
    """Points `(n, 3)` LPS mm of a frame under a transform node as world points in LPS mm."""
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(transform_node, None, transform)
    ras = swap_lps_ras(np.asarray(points_lps, dtype=float).reshape(-1, 3))
    return swap_lps_ras(np.array([transform.TransformPoint(point) for point in ras]).reshape(-1, 3))


def own_lps_from(
    points_ras: ArrayLike, source: TransformableNode | None, volume_node: VolumeNode
) -> np.ndarray:
    """Points `(n, 3)` RAS mm of node `source` (None: world) as LPS mm in the own frame of a volume."""
    return swap_lps_ras(points_between(points_ras, source, volume_node))


def ras_from_own_lps(
    points_lps: ArrayLike, volume_node: VolumeNode, target: TransformableNode | None
) -> np.ndarray:
    """Points `(n, 3)` LPS mm of a volume's own frame as RAS mm of node `target` (None: world)."""
    return points_between(
        swap_lps_ras(np.asarray(points_lps, dtype=float).reshape(-1, 3)), volume_node, target
    )


def local_lps_from_world_ras(volume_node: VolumeNode, points_ras: ArrayLike) -> np.ndarray:
    """World points `(n, 3)` RAS mm as LPS mm in the own frame of a volume."""
    return own_lps_from(points_ras, None, volume_node)


def world_ras_from_local_lps(volume_node: VolumeNode, points_lps: ArrayLike) -> np.ndarray:
    """Points `(n, 3)` LPS mm of a volume's own frame as world points in RAS mm."""
    return ras_from_own_lps(points_lps, volume_node, None)


def _parent(node: TransformableNode | None) -> TransformNode | None:
    return None if node is None else node.GetParentTransformNode()
