"""The points a user placed in a markups node, in the own frame of a volume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import slicer

from ..review import Point, ReviewItem
from ..utils.translation import _
from .frames import own_lps_from, ras_from_own_lps
from .mrml import MarkupsNode, Scene, VolumeNode

if TYPE_CHECKING:
    from ..core.landmarks import Landmark


_SLICER_FORMAT = "%N-%d"
"""How Slicer names the points of a list that nobody has given a format."""


@dataclass(frozen=True)
class ScenePoint:
    """A defined control point: its id in the node, its label, and its place in LPS mm of a volume's own frame."""

    id: str
    label: str
    position_lps: Point


def read_points(markups_node: MarkupsNode, volume_node: VolumeNode) -> tuple[ScenePoint, ...]:
    """The defined points of a markups node, in their order; undefined, missing and preview points are left out.

    The node and the volume may be under any parent transforms. Hidden points count: hiding doesn't remove them.
    """
    defined = slicer.vtkMRMLMarkupsNode.PositionDefined
    numbers = [
        number
        for number in range(markups_node.GetNumberOfControlPoints())
        if markups_node.GetNthControlPointPositionStatus(number) == defined
    ]
    ras = np.array([markups_node.GetNthControlPointPosition(number) for number in numbers]).reshape(-1, 3)
    return tuple(
        ScenePoint(
            markups_node.GetNthControlPointID(number),
            markups_node.GetNthControlPointLabel(number).strip(),
            tuple(position),
        )
        for number, position in zip(
            numbers, own_lps_from(ras, markups_node, volume_node).tolist(), strict=True
        )
    )


def create_points(scene: Scene) -> MarkupsNode:
    """A new, empty point list for a template; its points are numbered as they are placed."""
    points: MarkupsNode = scene.AddNewNodeByClass(
        "vtkMRMLMarkupsFiducialNode", scene.GenerateUniqueName(_("Landmarks"))
    )
    number_points(points)
    return points


def add_points(markups_node: MarkupsNode, volume_node: VolumeNode, landmarks: Iterable[Landmark]) -> None:
    """Put the landmarks that have a position (LPS mm, the own frame of a volume) into a point list."""
    defined = [
        (landmark.label, landmark.position_lps) for landmark in landmarks if landmark.position_lps is not None
    ]
    places = ras_from_own_lps([position for label, position in defined], volume_node, markups_node).tolist()
    for (label, _position), place in zip(defined, places, strict=True):
        markups_node.AddControlPoint(place, label)


def number_points(markups_node: MarkupsNode) -> None:
    """Call the points that will be placed in a list "Point 1", "Point 2" and so on."""
    markups_node.CreateDefaultDisplayNodes()
    markups_node.SetControlPointLabelFormat(_("Point {number}").format(number="%d"))


def number_if_new(markups_node: MarkupsNode) -> None:
    """Number the points of a list as `number_points` does, unless it has points or a label format of its own."""
    if (
        not markups_node.GetNumberOfControlPoints()
        and markups_node.GetControlPointLabelFormat() == _SLICER_FORMAT
    ):
        number_points(markups_node)


def tidy_after_undo(markups_node: MarkupsNode) -> None:
    """Let points that are placed after an undo get ids and numbers of their own.

    When Slicer saves its state, the point under the mouse is only a preview: an undo brings that preview back, and
    counts points anew.
    """
    for number in reversed(range(markups_node.GetNumberOfControlPoints())):
        if markups_node.GetNthControlPointPositionStatus(number) == markups_node.PositionPreview:
            markups_node.RemoveNthControlPoint(number)
    ids = map(markups_node.GetNthControlPointID, range(markups_node.GetNumberOfControlPoints()))
    used = max((int(point_id) for point_id in ids if point_id.isdigit()), default=0)
    if used > markups_node.GetLastUsedControlPointNumber():
        markups_node.SetLastUsedControlPointNumber(used)


def rename_repeated(markups_node: MarkupsNode, known_ids: Collection[str]) -> bool:
    """Give points with a label that another one has a free one, unless they are known; whether there were any.

    Slicer numbers points as they are placed, but begins anew after an undo.
    """
    labels: set[str] = set()
    renamed = False
    count = markups_node.GetNumberOfControlPoints()
    numbers = sorted(
        range(count), key=lambda number: markups_node.GetNthControlPointID(number) not in known_ids
    )
    for number in numbers:
        label, point_id = (
            markups_node.GetNthControlPointLabel(number),
            markups_node.GetNthControlPointID(number),
        )
        defined = markups_node.GetNthControlPointPositionStatus(number) == markups_node.PositionDefined
        if defined and label in labels and point_id not in known_ids:
            label, renamed = _free_label(label, labels), True
            markups_node.SetNthControlPointLabel(number, label)
        if defined:
            labels.add(label)
    return renamed


def _free_label(label: str, taken: Collection[str]) -> str:
    stem = label.rstrip("0123456789")
    number = int(label[len(stem) :] or 1)
    stem = stem if stem != label else f"{label} "
    while f"{stem}{number}" in taken:
        number += 1
    return f"{stem}{number}"


def label_problem(points: Sequence[ScenePoint] | Sequence[ReviewItem]) -> str:
    """One sentence on blank or repeated labels, "" where all is well.

    >>> label_problem([ScenePoint("1", "a", (0, 0, 0)), ScenePoint("2", "a", (1, 1, 1))])
    "Two landmarks of the template are called 'a'; give each a name of its own."
    """
    counts = Counter(point.label for point in points)
    if counts[""]:
        return _("A landmark of the template has no name; give each a name of its own.")
    repeated = [label for label, count in counts.items() if count > 1]
    if repeated:
        twice = _("Two landmarks of the template are called '{label}'; give each a name of its own.")
        return twice.format(label=repeated[0])
    return ""
