"""The part of a study's summary about its landmarks: which scans have none, and how sure all are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from ...reporting.charts import confidence_chart
from ...reporting.views import Chart, Section, Table, date_cell
from ...review import ReviewItem
from ..ledger import State
from ..outcome import StudyOutcome
from .scan_rows import STATUSES, reason_of

LABELS_SHOWN = 60


def scans_without_result(study: StudyOutcome) -> Section | None:
    """Every scan that failed or could not be tried, and why; None where there is none."""
    rows = [
        [
            patient.patient,
            scan.scan.name,
            date_cell(scan.scan.date),
            scan.state.value,
            reason_of(scan, patient),
        ]
        for patient in study.patients
        for scan in patient.scans
        if scan.state in (State.FAILED, State.SKIPPED)
    ]
    if not rows:
        return None
    # What failed by itself comes before what could not be tried.
    rows.sort(key=lambda row: row[3])
    head = ("Patient", "Scan", "Date", "State", "Reason")
    return Section("without-result", "Scans without a result", blocks=[Table(head, rows)])


def confidence(items: Sequence[ReviewItem], limits: str) -> Section | None:
    """How the confidence is distributed; None where no landmark has a place. `limits`: the errors it speaks of."""
    placed = {
        status: [item.confidence for item in items if item.status == status]
        for status in ("FOUND", "DOUBTFUL")
    }
    if not any(placed.values()):
        return None
    note = "Landmarks that are missing have no place to be confident of, and are not in the chart."
    chart = Chart(confidence_chart(placed["FOUND"], placed["DOUBTFUL"], limits))
    return Section("confidence", "Confidence", (note,), [chart])


def landmarks(items: Sequence[ReviewItem]) -> Section | None:
    """A row for each label, the least often found first; None without landmarks."""
    by_label: Mapping[str, list[ReviewItem]] = defaultdict(list)
    for item in items:
        by_label[item.label].append(item)
    if not by_label:
        return None
    rows = sorted((_landmark_row(label, group) for label, group in by_label.items()), key=_found_share)
    more = f" The first {LABELS_SHOWN} of {len(rows)} are shown." if len(rows) > LABELS_SHOWN else ""
    head = ("Landmark", *map(str.capitalize, STATUSES), "Median confidence")
    note = f"Over all scans that are done, the least often found first.{more}"
    table = Table(head, rows[:LABELS_SHOWN], numbers=range(1, len(head)))
    return Section("landmarks", "Landmarks", (note,), [table])


def _landmark_row(label: str, items: Sequence[ReviewItem]) -> list[object]:
    counts = Counter(item.status for item in items)
    placed = [item.confidence for item in items if item.position_lps is not None]
    return [label, *(counts[status] for status in STATUSES), f"{median(placed):.0%}" if placed else "–"]


def _found_share(row: Sequence[Any]) -> float:
    return row[1] / sum(row[1:4])
