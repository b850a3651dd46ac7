"""The points a user placed in a markups node, in the own frame of a volume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import slicer

from ..review import Point, ReviewItem
from ..translation import _
from .frames import own_lps_from


@dataclass(frozen=True)
class ScenePoint:
    """A defined control point: its id in the node, its label, and its place in LPS mm of a volume's own frame."""

    id: str
    label: str
    position_lps: Point


def read_points(markups_node: object, volume_node: object) -> tuple[ScenePoint, ...]:
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
