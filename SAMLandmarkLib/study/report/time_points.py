"""The scans of a patient in the order of time, and their landmarks as a review."""

from __future__ import annotations

from ...reporting.time_points import TimePoint, all_dated, day_of
from ...review import ReviewState
from ..ledger import State
from ..outcome import PatientOutcome


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
            scan.state.value,
            {item.label: item.position_lps for item in scan.items if item.position_lps is not None},
            frozenset(item.label for item in scan.items if item.status == "DOUBTFUL"),
        )
        for number, scan in enumerate(patient.scans)
    ]
    if patient.plan.own_baseline:
        template = patient.plan.templates[0].scan
        points.insert(0, TimePoint(template.name, day=day_of(template.date), places=patient.template_lps))
    return sorted(points, key=lambda point: point.day) if all_dated(points) else points
