"""The markups node of a follow-up: the template's labels in their order, with status and confidence at every point.

Colors: a point that is settled (found, accepted, corrected) is *selected* and green, one that waits for a decision is
not selected and amber. Slicer has no color for each point, but it has these two for each list. What isn't in the scan
has the position status Missing. Points are never locked: dragging one is how it is corrected, and the log and undo
keep where it was. The list's length is locked, so that no point is added or deleted by mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from ..review import Decision, Point, ReviewItem
from ..utils.translation import _
from .frames import own_lps_from, ras_from_own_lps
from .mrml import MarkupsDisplayNode, MarkupsNode, Scene, VolumeNode
from .nodes import keep_placing
from .point_display import draw_finely
from .studies import place_in_same_study
from .volumes import KEY_ATTRIBUTE, scan_key

SETTLED_COLOR, WAITING_COLOR = (0.435, 0.863, 0.549), (1.0, 0.722, 0.302)
NOT_TRANSFERRED = "not transferred yet"
# Slicer's files hold no "not a number".
NOT_MEASURED = -1.0
_MEASUREMENTS: dict[str, Callable[[ReviewItem], float | None]] = {
    "confidence": lambda item: item.confidence,
    "similarity": lambda item: item.similarity,
    "cycle_mm": lambda item: item.cycle_error_mm,
    "uncertainty_mm": lambda item: item.uncertainty_mm,
}
_CLASS = "vtkMRMLMarkupsFiducialNode"


def create_follow_up_markups(scene: Scene, volume_node: VolumeNode) -> MarkupsNode:
    """A new markups node for a follow-up, under the same parent transform and in the same study as its volume."""
    name = scene.GenerateUniqueName(_("{volume} landmarks").format(volume=volume_node.GetName()))
    with keep_placing(scene):
        node: MarkupsNode = scene.AddNewNodeByClass(_CLASS, name)
    node.SetUndoEnabled(True)
    node.SetAttribute(KEY_ATTRIBUTE, scan_key(volume_node))
    follow_transform(node, volume_node)
    node.SetFixedNumberOfControlPoints(True)
    node.CreateDefaultDisplayNodes()
    _style(node.GetDisplayNode())
    place_in_same_study(node, volume_node)
    return node


def _style(display: MarkupsDisplayNode) -> None:
    display.SetSelectedColor(SETTLED_COLOR)
    display.SetColor(WAITING_COLOR)
    draw_finely(display)


def write_follow_up(
    markups_node: MarkupsNode,
    volume_node: VolumeNode,
    labels: Sequence[str],
    items: Mapping[str, ReviewItem],
) -> None:
    """Make a follow-up's markups node say what its review items say, for all labels of the template."""
    with _modify(markups_node):
        _match_labels(markups_node, labels)
        rows = [items.get(label) for label in labels]
        _write_positions(markups_node, volume_node, rows)
        for number, item in enumerate(rows):
            markups_node.SetNthControlPointDescription(number, describe(item))
            markups_node.SetNthControlPointSelected(number, item is not None and not item.needs_review)
            markups_node.SetNthControlPointAssociatedNodeID(number, volume_node.GetID())
        _write_measurements(markups_node, rows)


def read_follow_up(markups_node: MarkupsNode, volume_node: VolumeNode) -> dict[str, Point]:
    """Where the defined points of a follow-up's markups node are now, by label, LPS mm in the volume's own frame."""
    ras = own_points(markups_node)
    points = own_lps_from(np.array(list(ras.values())), markups_node, volume_node).tolist()
    return {label: tuple(point) for label, point in zip(ras, points, strict=True)}


def own_points(markups_node: MarkupsNode) -> dict[str, Point]:
    """The defined points of a markups node by label, RAS mm in the node's own frame: no transform changes them."""
    defined = slicer.vtkMRMLMarkupsNode.PositionDefined
    return {
        markups_node.GetNthControlPointLabel(number): markups_node.GetNthControlPointPosition(number)
        for number in range(markups_node.GetNumberOfControlPoints())
        if markups_node.GetNthControlPointPositionStatus(number) == defined
    }


def follow_transform(markups_node: MarkupsNode, volume_node: VolumeNode) -> bool:
    """Put a follow-up's markups under the parent transform of its volume, so that both move together.

    Returns whether they were under another one.
    """
    if markups_node.GetTransformNodeID() == volume_node.GetTransformNodeID():
        return False
    markups_node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
    return True


def describe(item: ReviewItem | None) -> str:
    """The text at a point: the user's decision if there is one, and what the engine said.

    >>> describe(ReviewItem.of("carina", "DOUBTFUL", 0.4, reason="low similarity"))
    'DOUBTFUL: low similarity'
    """
    if item is None:
        return NOT_TRANSFERRED
    engine = f"{item.status}: {item.reason}" if item.reason else item.status
    return engine if item.decision is Decision.OPEN else f"{item.decision.value} by the user; {engine}"


@contextmanager
def _modify(node: MarkupsNode) -> Iterator[None]:
    """Merges the node's modified events of a block into one."""
    was_modifying = node.StartModify()
    try:
        yield
    finally:
        node.EndModify(was_modifying)


def _match_labels(node: MarkupsNode, labels: Sequence[str]) -> None:
    if node.GetNumberOfControlPoints() != len(labels):
        node.SetFixedNumberOfControlPoints(False)
        while node.GetNumberOfControlPoints() > len(labels):
            node.RemoveNthControlPoint(node.GetNumberOfControlPoints() - 1)
        while node.GetNumberOfControlPoints() < len(labels):
            node.SetNthControlPointPositionMissing(node.AddControlPoint(0.0, 0.0, 0.0, ""))
        node.SetFixedNumberOfControlPoints(True)
    for number, label in enumerate(labels):
        node.SetNthControlPointLabel(number, label)


def _write_positions(node: MarkupsNode, volume_node: VolumeNode, rows: Sequence[ReviewItem | None]) -> None:
    placed = {
        number: item.position_lps
        for number, item in enumerate(rows)
        if item is not None and item.position_lps is not None
    }
    points = ras_from_own_lps(list(placed.values()), volume_node, node)
    for number, point in zip(placed, points.tolist(), strict=True):
        node.SetNthControlPointPosition(number, *point)
    for number in set(range(len(rows))) - placed.keys():
        if node.GetNthControlPointPositionStatus(number) != node.PositionMissing:
            node.SetNthControlPointPositionMissing(number)


def _write_measurements(node: MarkupsNode, rows: Sequence[ReviewItem | None]) -> None:
    for name, value_of in _MEASUREMENTS.items():
        values = [None if item is None else value_of(item) for item in rows]
        numbers = np.array([NOT_MEASURED if value is None else value for value in values], dtype=float)
        measurement = node.GetMeasurement(name) or _new_measurement(node, name)
        array = numpy_to_vtk(numbers, deep=True, array_type=vtk.VTK_DOUBLE)
        array.SetName(name)
        measurement.SetControlPointValues(array)


def _new_measurement(node: MarkupsNode, name: str) -> Any:
    measurement = slicer.vtkMRMLStaticMeasurement()
    measurement.SetName(name)
    measurement.SetEnabled(True)
    node.AddMeasurement(measurement)
    return measurement
