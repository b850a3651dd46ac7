"""Study dates of volumes and the order of a patient's scans."""

from __future__ import annotations

import re
from collections.abc import Sequence

_DATE_ATTRIBUTES = ("DICOM.StudyDate", "DICOM.SeriesDate", "DICOM.AcquisitionDate", "StudyDate")


def study_date(volume_node: object) -> str | None:
    """The date "2024-05-31" of a volume's study: from the subject hierarchy or the node, None where unknown."""
    for name in _DATE_ATTRIBUTES:
        for text in (*_hierarchy_values(volume_node, name), volume_node.GetAttribute(name)):
            match = re.fullmatch(r"(\d{4})[-.]?(\d{2})[-.]?(\d{2})", (text or "").strip())
            if match:
                return "-".join(match.groups())
    return None


def by_study_date(volume_nodes: Sequence[object]) -> list[object]:
    """Volumes by rising study date; those without one follow, in the order given."""
    return sorted(volume_nodes, key=lambda node: study_date(node) or "9999")


def _hierarchy_values(volume_node: object, name: str) -> list[str]:
    """The values of a DICOM attribute at the volume's item in the subject hierarchy and at the items above it."""
    scene = volume_node.GetScene()
    hierarchy = scene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode") if scene is not None else None
    if hierarchy is None:
        return []
    values, item = [], hierarchy.GetItemByDataNode(volume_node)
    while item not in (hierarchy.GetInvalidItemID(), hierarchy.GetSceneItemID()):
        values.append(hierarchy.GetItemAttribute(item, name))
        item = hierarchy.GetItemParent(item)
    return values


def place_in_same_study(node: object, volume_node: object) -> None:
    """Put a node beside a volume in the subject hierarchy, where the scene has one."""
    hierarchy = volume_node.GetScene().GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")
    item = hierarchy.GetItemByDataNode(volume_node) if hierarchy is not None else 0
    if item:
        hierarchy.CreateItem(hierarchy.GetItemParent(item), node)
