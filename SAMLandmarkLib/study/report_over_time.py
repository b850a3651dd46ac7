"""The part of a patient's page about time: distances between pairs of landmarks, and how far each has moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from ..review import ReviewState
from ..review.report_html import Html, date_text, element, join, table
from .ledger import State
from .report_charts import LINES_IN_A_CHART, line_chart
from .report_pairs import Pair
from .report_time import Measure, TimePoint, days_since_first

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


def distances(points: Sequence[TimePoint], pairs: Sequence[Pair]) -> Html:
    """Chart and table of the distances between the pairs on each scan; how to choose pairs where there are none."""
    heading = element("h2", "Distances over time", id="distances")
    if not pairs:
        return join([heading, _faint(HOW_TO_CHOOSE)])
    lines = {" – ".join(pair): [point.distance(pair) for point in points] for pair in pairs}
    parts = [
        part
        for group in _groups(list(lines.items()), LINES_IN_A_CHART)
        for part in (_chart(dict(group), points, "distance (mm)"), _distance_table(dict(group), points))
    ]
    return join([heading, _faint(f"{_DISTANCES} {_MARKS}"), *parts])


def displacements(points: Sequence[TimePoint], review: ReviewState, chosen: Iterable[str]) -> Html:
    """Table of the displacement of each landmark on each scan, and a chart of the chosen ones.

    `points` begin with the template where the patient's own is one; that has no displacement.
    """
    scans = [point for point in points if point.state is State.DONE and point.key]
    if not scans:
        return Html()
    lines = {label: [point.displacement(review, label) for point in scans] for label in review.labels}
    known = [label for label in dict.fromkeys(chosen) if label in lines]
    charts = [
        _chart({label: lines[label] for label in group}, scans, "displacement (mm)", from_zero=True)
        for group in _groups(known, LINES_IN_A_CHART)
    ]
    tables = [
        _displacement_table(lines, scans, part) for part in _groups(range(len(scans)), _SCANS_IN_A_TABLE)
    ]
    heading = element("h2", "Displacement over time", id="displacements")
    return join([heading, _faint(f"{_DISPLACEMENTS} {_MARKS}"), *charts, *tables])


def _chart(
    lines: Mapping[str, Sequence[Measure]], points: Sequence[TimePoint], label: str, from_zero: bool = False
) -> Html:
    """A chart, where there are lines to draw: of at least two scans."""
    lengths = np.array([[item.millimeters is not None for item in measures] for measures in lines.values()])
    return line_chart(lines, points, label, from_zero) if lengths.any(axis=0).sum() > 1 else Html()


def _distance_table(lines: Mapping[str, Sequence[Measure]], points: Sequence[TimePoint]) -> Html:
    rows = []
    for row, (point, days) in enumerate(zip(points, days_since_first(points), strict=True)):
        cells = [_with_change(measures, row) for measures in lines.values()]
        rows.append([_scan_cell(point), date_text(point.day), "–" if days is None else days, *cells])
    return table(["Scan", "Date", "Days", *lines], rows, numbers=range(2, 3 + len(lines)))


def _with_change(measures: Sequence[Measure], row: int) -> Html:
    length = measures[row].millimeters
    first = next(
        number for number in range(row + 1) if number == row or measures[number].millimeters is not None
    )
    if length is None or first == row:
        return _measure(measures[row])
    return join(
        [_measure(measures[row]), " ", element("small", f"({length - measures[first].millimeters:+.1f})")]
    )


def _displacement_table(
    lines: Mapping[str, Sequence[Measure]], scans: Sequence[TimePoint], part: Sequence[int]
) -> Html:
    titles = [join([scans[column].title, *_second_line(scans[column])]) for column in part]
    rows = ([label, *(_measure(measures[column]) for column in part)] for label, measures in lines.items())
    return table(["Landmark", *titles], rows, numbers=range(1, 1 + len(part)))


def _second_line(point: TimePoint) -> list[Html]:
    told = point.day is None or point.title.startswith(str(point.day))
    return [] if told else [Html("<br>"), element("small", point.day)]


def _scan_cell(point: TimePoint) -> Html:
    if not point.key:
        return join([point.title, " ", element("small", "template")])
    if point.state is not State.DONE:
        return join([point.title, " ", element("small", point.state.value)])
    return element("a", point.title, href=f"#{point.key}")


def _measure(measure: Measure) -> Html:
    if measure.millimeters is None:
        return Html("–")
    return Html(f"{'○ ' if measure.doubtful else ''}{measure.millimeters:.1f}")


def _groups(items: Sequence, size: int) -> Iterator[Sequence]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _faint(text: str) -> Html:
    return element("p", text, kind="faint")
