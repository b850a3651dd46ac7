"""Volume nodes as arrays with their place in the patient, and a key for each that survives saving and loading."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from ..core.geometry import LPS_FROM_RAS
from ..core.plausibility import check_geometry
from ..utils.errors import VolumeError
from ..utils.translation import _
from .mrml import Scene, VolumeNode
from .nodes import nodes_of_class

if TYPE_CHECKING:
    from ..core.grey_windows import GreyWindow
    from ..core.volume import Volume

VOLUME_CLASS = "vtkMRMLScalarVolumeNode"
KEY_ATTRIBUTE = "SAMLandmark.ScanKey"
REGISTERED_ATTRIBUTE = "SAMLandmark.Registration"
"""The outputs of a registration have it; see `registration_nodes`."""
_SMALL_TURN = np.deg2rad(20.0)
ContentMark = tuple[int | None, bytes]
"""Modification time of a volume's voxels, and its place as bytes."""


def add_volume(scene: Scene, volume: Volume, name: str, date: str | None = None) -> VolumeNode:
    """Put a volume into the scene; `date` is the study's, like "2024-05-31"."""
    node: VolumeNode = scene.AddNewNodeByClass(VOLUME_CLASS, scene.GenerateUniqueName(name))
    slicer.util.updateVolumeFromArray(node, volume.array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(LPS_FROM_RAS @ volume.ijk_to_lps))
    if date:
        node.SetAttribute("DICOM.StudyDate", date)
    node.CreateDefaultDisplayNodes()
    return node


def show_window(volume_node: VolumeNode, window: GreyWindow) -> None:
    """Show a volume with a gray-level window."""
    display = volume_node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(window.black, window.white)


def scan_key(volume_node: VolumeNode) -> str:
    """The key of a volume: kept in an attribute of the node, and so in saved scenes; made where there is none.

    Slicer copies attributes when a volume is cloned; the younger of two nodes with one key gets a new one.
    """
    key = volume_node.GetAttribute(KEY_ATTRIBUTE)
    scene = volume_node.GetScene()
    if key and (scene is None or find_volume(scene, key) is volume_node):
        return key
    key = uuid.uuid4().hex
    volume_node.SetAttribute(KEY_ATTRIBUTE, key)
    return key


def find_volume(scene: Scene, key: str) -> VolumeNode | None:
    """The volume node with this key, None where the scene has none."""
    nodes = (node for node in scalar_volumes(scene) if node.GetAttribute(KEY_ATTRIBUTE) == key)
    return next(nodes, None)


def scalar_volumes(scene: Scene) -> Iterator[VolumeNode]:
    """The scalar volume nodes of a scene, without label maps and vector volumes."""
    for node in nodes_of_class(scene, VOLUME_CLASS):
        if node.GetClassName() == VOLUME_CLASS:
            yield node


def selectable_scans(scene: Scene) -> list[VolumeNode]:
    """The volumes that a user can choose as scans: those that lists show, without the outputs of registrations."""
    return [
        node
        for node in scalar_volumes(scene)
        if not node.GetHideFromEditors() and node.GetAttribute(REGISTERED_ATTRIBUTE) is None
    ]


def volume_arrays(volume_node: VolumeNode) -> tuple[np.ndarray, np.ndarray]:
    """The voxels `[z, y, x]` of a volume and its 4x4 map `ijk_to_lps` in mm, in the volume's own frame.

    The array is Slicer's own memory: don't write to it. Raises VolumeError where there are no scalar 3-D voxels,
    or they lie as no scan of a patient can.
    """
    image = volume_node.GetImageData()
    scalars = None if image is None else image.GetPointData().GetScalars()
    if scalars is None:
        empty = _("The volume '{name}' has no voxels; load it again.")
        raise VolumeError(empty.format(name=volume_node.GetName()))
    if scalars.GetNumberOfComponents() != 1:
        several = _("The volume '{name}' has {count} values a voxel, not one; choose a CT.")
        raise VolumeError(several.format(name=volume_node.GetName(), count=scalars.GetNumberOfComponents()))
    array = vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])
    ijk_to_lps = LPS_FROM_RAS @ ijk_to_ras(volume_node)
    check_geometry(ijk_to_lps, array.shape[::-1], volume_node.GetName())
    return array, ijk_to_lps


def ijk_to_ras(volume_node: VolumeNode) -> np.ndarray:
    """The 4x4 map of a volume from index to RAS mm of its own frame."""
    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    return np.array(slicer.util.arrayFromVTKMatrix(matrix))


def upright_from_own(volume_node: VolumeNode) -> np.ndarray:
    """The rotation, 4x4 in LPS, that turns a volume as its linear parent transforms turn it; else the identity.

    The network knows patients upright. Where a transform puts right a volume that lies on its side, the volume is
    embedded turned; small turns, as registration makes them, don't matter and would only cause embedding again.
    """
    transform, upright = volume_node.GetParentTransformNode(), np.eye(4)
    matrix = vtk.vtkMatrix4x4()
    if transform is None or not transform.IsTransformToWorldLinear():
        return upright
    transform.GetMatrixTransformToWorld(matrix)
    linear = (LPS_FROM_RAS @ slicer.util.arrayFromVTKMatrix(matrix) @ LPS_FROM_RAS)[:3, :3]
    if not np.isfinite(linear).all():
        return upright
    left, _, right = np.linalg.svd(linear)
    rotation = left @ right
    if np.linalg.det(rotation) > 0 and np.trace(rotation) < 1 + 2 * np.cos(_SMALL_TURN):
        upright[:3, :3] = rotation
    return upright


def content_mark(volume_node: VolumeNode) -> ContentMark:
    """A mark that differs after the voxels or the geometry of a volume were changed, or after it was turned."""
    image = volume_node.GetImageData()
    placed = upright_from_own(volume_node) @ LPS_FROM_RAS @ ijk_to_ras(volume_node)
    return (None if image is None else image.GetMTime(), placed.tobytes())


def source_path(volume_node: VolumeNode) -> str | None:
    """The file that a volume was loaded from, None where there is none."""
    storage = volume_node.GetStorageNode()
    return (storage.GetFullNameFromFileName() or None) if storage is not None else None
