"""The part of a patient's page about time: distances between pairs of landmarks, and how far each has moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from ..review import ReviewState
from .charts import LINES_IN_A_CHART, line_chart
from .landmark_pairs import Pair
from .time_points import Measure, TimePoint, days_since_first
from .views import Block, Cell, Chart, Section, Table, date_cell

Item = TypeVar("Item")

_SCANS_IN_A_TABLE = 7
_DISTANCES = (
    "Distances are in mm between two landmarks of one scan, so they do not depend on how the patient lay on the table; "
    "in brackets the change since the first scan that has both. A landmark is only good to a few millimeters: smaller "
    "changes say nothing."
)
_DISPLACEMENTS = (
    "How far each landmark has moved since the template, in mm, beyond the shift that all landmarks of the scan have in "
    "common. A patient who lay turned, or breathed in deeper, moves landmarks too."
)
_MARKS = "○ means that a landmark is doubtful, – that one is missing."
HOW_TO_CHOOSE = (
    'Distances over time appear here for chosen pairs: samlandmark report DIR --distance "LANDMARK,LANDMARK"'
)


def distances(points: Sequence[TimePoint], pairs: Sequence[Pair]) -> Section:
    """Chart and table of the distances between the pairs on each scan; how to choose pairs where there are none."""
    heading = "Distances over time"
    if not pairs:
        return Section("distances", heading, (HOW_TO_CHOOSE,))
    lines = {" – ".join(pair): [point.distance(pair) for point in points] for pair in pairs}
    blocks = [
        block
        for group in _groups(list(lines.items()), LINES_IN_A_CHART)
        for block in (*_chart(dict(group), points, "distance (mm)"), _distance_table(dict(group), points))
    ]
    return Section("distances", heading, (f"{_DISTANCES} {_MARKS}",), blocks)


def displacements(points: Sequence[TimePoint], review: ReviewState, chosen: Iterable[str]) -> Section | None:
    """Table of the displacement of each landmark on each scan, and a chart of the chosen ones; None without scans.

    `points` begin with the template where the patient's own is one; that has no displacement.
    """
    scans = [point for point in points if point.is_done and point.key]
    if not scans:
        return None
    lines = {label: [point.displacement(review, label) for point in scans] for label in review.labels}
    known = [label for label in dict.fromkeys(chosen) if label in lines]
    charts = [
        chart
        for group in _groups(known, LINES_IN_A_CHART)
        for chart in _chart(
            {label: lines[label] for label in group}, scans, "displacement (mm)", from_zero=True
        )
    ]
    tables = [
        _displacement_table(lines, scans, part) for part in _groups(range(len(scans)), _SCANS_IN_A_TABLE)
    ]
    notes = (f"{_DISPLACEMENTS} {_MARKS}",)
    return Section("displacements", "Displacement over time", notes, [*charts, *tables])


def _chart(
    lines: Mapping[str, Sequence[Measure]], points: Sequence[TimePoint], label: str, from_zero: bool = False
) -> list[Block]:
    """A chart, where there are lines to draw: of at least two scans."""
    lengths = np.array([[item.millimeters is not None for item in measures] for measures in lines.values()])
    if lengths.any(axis=0).sum() <= 1:
        return []
    return [Chart(line_chart(lines, points, label, from_zero))]


def _distance_table(lines: Mapping[str, Sequence[Measure]], points: Sequence[TimePoint]) -> Table:
    rows = []
    for row, (point, days) in enumerate(zip(points, days_since_first(points), strict=True)):
        cells = [_with_change(measures, row) for measures in lines.values()]
        rows.append([_scan_cell(point), date_cell(point.day), "–" if days is None else days, *cells])
    return Table(["Scan", "Date", "Days", *lines], rows, numbers=range(2, 3 + len(lines)))


def _with_change(measures: Sequence[Measure], row: int) -> Cell:
    length = measures[row].millimeters
    earlier = (measure.millimeters for measure in measures[:row] if measure.millimeters is not None)
    first = next(earlier, None)
    text = _measure(measures[row])
    return Cell(text) if length is None or first is None else Cell(text, note=f"({length - first:+.1f})")


def _displacement_table(
    lines: Mapping[str, Sequence[Measure]], scans: Sequence[TimePoint], part: Sequence[int]
) -> Table:
    titles = [_title_cell(scans[column]) for column in part]
    rows = [
        [label, *(Cell(_measure(measures[column])) for column in part)] for label, measures in lines.items()
    ]
    return Table(["Landmark", *titles], rows, numbers=range(1, 1 + len(part)))


def _title_cell(point: TimePoint) -> Cell:
    told = point.day is None or point.title.startswith(str(point.day))
    return Cell(point.title, note="" if told else str(point.day), note_below=True)


def _scan_cell(point: TimePoint) -> Cell:
    if not point.key:
        return Cell(point.title, note="template")
    if not point.is_done:
        return Cell(point.title, note=point.state)
    return Cell(point.title, href=f"#{point.key}")


def _measure(measure: Measure) -> str:
    if measure.millimeters is None:
        return "–"
    return f"{'○ ' if measure.doubtful else ''}{measure.millimeters:.1f}"


def _groups(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))
