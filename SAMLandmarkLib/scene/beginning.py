"""What a user most likely wants in a scene in which nothing was chosen yet."""

from __future__ import annotations

from dataclasses import dataclass

from .mrml import MarkupsNode, Scene, VolumeNode
from .nodes import nodes_of_class
from .review_node import ReviewNode
from .studies import by_study_date, patient_item
from .volumes import selectable_scans


@dataclass(frozen=True)
class Beginning:
    """The earliest scan as template, the only list of points there is, and the later scans of the same patient."""

    template: VolumeNode
    points: MarkupsNode | None
    follow_ups: tuple[VolumeNode, ...]

    @classmethod
    def of_scene(cls, scene: Scene) -> Beginning | None:
        """The beginning in a scene, None where it holds no scan; scans without a date count as the latest."""
        shown = selectable_scans(scene)
        if not shown:
            return None
        template, *others = by_study_date(shown)
        patient = patient_item(template)
        same = (node for node in others if patient_item(node) == patient)
        return cls(template, _only_list(scene), tuple(same))


def _only_list(scene: Scene) -> MarkupsNode | None:
    results = [node for review in ReviewNode.all(scene) for node in review.markups]
    lists = [
        node
        for node in nodes_of_class(scene, "vtkMRMLMarkupsFiducialNode")
        if not node.GetHideFromEditors() and node not in results and node.GetNumberOfControlPoints()
    ]
    return lists[0] if len(lists) == 1 else None
