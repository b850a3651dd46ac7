"""What is measured on the scans of a patient, in the order of time."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from ..review import Point, ReviewState
from .ledger import State
from .outcome import PatientOutcome
from .report_pairs import Pair


@dataclass(frozen=True)
class Measure:
    """A length in mm, None where a landmark it needs is missing; `doubtful` where such a landmark is."""

    millimeters: float | None = None
    doubtful: bool = False


@dataclass(frozen=True)
class TimePoint:
    """A scan: `places` of its landmarks by label (LPS mm, its own frame); `key` is that in the review, empty for the template."""

    title: str
    key: str = ""
    day: date | None = None
    state: State = State.DONE
    places: Mapping[str, Point] = field(default_factory=dict)
    doubtful: frozenset[str] = frozenset()

    def distance(self, pair: Pair) -> Measure:
        """From one landmark to the other on this scan."""
        places = [self.places.get(label) for label in pair]
        if None in places:
            return Measure()
        return Measure(math.dist(*places), not self.doubtful.isdisjoint(pair))

    def displacement(self, review: ReviewState, label: str) -> Measure:
        """How far a landmark has moved since the template, beyond what all landmarks of the scan have in common."""
        return Measure(review.relative_displacement_mm(self.key, label), label in self.doubtful)


def scan_key(number: int) -> str:
    """The key in the review, and the place in the page, of a patient's scan."""
    return f"scan-{number + 1}"


def review_of(patient: PatientOutcome) -> ReviewState:
    """The landmarks of all scans of a patient that are done, as a review in which nobody has decided anything."""
    scans = {
        scan_key(number): {item.label: item for item in scan.items}
        for number, scan in enumerate(patient.scans)
        if scan.state is State.DONE
    }
    return ReviewState(patient.labels, scans)


def time_points(patient: PatientOutcome) -> list[TimePoint]:
    """The patient's own baseline, where the template is one, and every follow-up; by date where all dates are known."""
    points = [
        TimePoint(
            scan.scan.name,
            scan_key(number),
            day_of(scan.scan.date),
            scan.state,
            {item.label: item.position_lps for item in scan.items if item.position_lps is not None},
            frozenset(item.label for item in scan.items if item.status == "DOUBTFUL"),
        )
        for number, scan in enumerate(patient.scans)
    ]
    if patient.plan.own_baseline:
        template = patient.plan.templates[0].scan
        points.insert(0, TimePoint(template.name, day=day_of(template.date), places=patient.template_lps))
    return sorted(points, key=lambda point: point.day) if all_dated(points) else points


def all_dated(points: Collection[TimePoint]) -> bool:
    """Whether a date is known for each."""
    return all(point.day is not None for point in points)


def days_since_first(points: Sequence[TimePoint]) -> list[int | None]:
    """Days since the first scan, None where that is unknown."""
    first = points[0].day if points else None
    return [(point.day - first).days if point.day and first else None for point in points]


def day_of(text: str) -> date | None:
    """The day of a date in ISO 8601, None where the text has no whole date.

    >>> day_of("2024-05-02T10:30:00"), day_of("2024-05")
    (datetime.date(2024, 5, 2), None)
    """
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
