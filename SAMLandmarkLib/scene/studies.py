"""Study dates of volumes and the order of a patient's scans."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .mrml import Node, VolumeNode

_PATIENT_LEVEL = "Patient"
_DATE_ATTRIBUTES = ("DICOM.StudyDate", "DICOM.SeriesDate", "DICOM.AcquisitionDate", "StudyDate")


def study_date(volume_node: VolumeNode) -> str | None:
    """The date "2024-05-31" of a volume's study: from the subject hierarchy or the node, None where unknown."""
    for name in _DATE_ATTRIBUTES:
        for text in dicom_values(volume_node, name):
            match = re.fullmatch(r"(\d{4})[-.]?(\d{2})[-.]?(\d{2})", text)
            if match:
                return "-".join(match.groups())
    return None


def by_study_date(volume_nodes: Sequence[VolumeNode]) -> list[VolumeNode]:
    """Volumes by rising study date; those without one follow, in the order given."""
    return sorted(volume_nodes, key=lambda node: study_date(node) or "9999")


def patient_item(volume_node: VolumeNode) -> int | None:
    """The subject hierarchy's item of a volume's patient, None where it has none."""
    scene = volume_node.GetScene()
    hierarchy = scene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode") if scene is not None else None
    item = 0 if hierarchy is None else hierarchy.GetItemByDataNode(volume_node)
    while item and item != hierarchy.GetSceneItemID():
        if hierarchy.GetItemLevel(item) == _PATIENT_LEVEL:
            return int(item)
        item = hierarchy.GetItemParent(item)
    return None


def dicom_values(volume_node: VolumeNode, name: str) -> list[str]:
    """What an attribute like "DICOM.StudyDate" says of a volume.

    At its item in the subject hierarchy, at the items above it, and at its node; without what is empty.
    """
    own = volume_node.GetAttribute(name)
    values = (value or "" for value in (*_hierarchy_values(volume_node, name), own))
    return [value.strip() for value in values if value.strip()]


def _hierarchy_values(volume_node: VolumeNode, name: str) -> list[str | None]:
    """The values of an attribute at the volume's item in the subject hierarchy and at the items above it."""
    scene = volume_node.GetScene()
    hierarchy = scene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode") if scene is not None else None
    if hierarchy is None:
        return []
    values, item = [], hierarchy.GetItemByDataNode(volume_node)
    while item not in (hierarchy.GetInvalidItemID(), hierarchy.GetSceneItemID()):
        values.append(hierarchy.GetItemAttribute(item, name))
        item = hierarchy.GetItemParent(item)
    return values


def place_in_same_study(node: Node, volume_node: VolumeNode) -> None:
    """Put a node beside a volume in the subject hierarchy, where the scene has one."""
    hierarchy = volume_node.GetScene().GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")
    item = hierarchy.GetItemByDataNode(volume_node) if hierarchy is not None else 0
    if item:
        hierarchy.CreateItem(hierarchy.GetItemParent(item), node)
