"""A review as files: markups of every scan, tables, the log, and a report to look at."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..core.results import Status, TransferredLandmark, TransferResult
from ..io.landmark_files import write_markups
from ..io.result_files import write_result_markups, write_tables
from ..io.target_names import collision_key, markups_name
from ..review import Decision, Point, ReviewItem, ReviewState
from ..utils.errors import UsageError
from ..utils.files import create_folder, write_atomically
from ..utils.tables import csv_text
from ..utils.translation import _
from .pictures import Pictures
from .review_page import atlas_name, write_report
from .scan_sections import ReportScan

TemplatePoint = tuple[str, Point]
"""A landmark of the template: label and position, LPS mm in the template's own frame."""
REVIEW_TABLE, REVIEW_LOG, REPORT = "review.csv", "review.json", "report.html"
_COLUMNS = (
    *("scan", "date", "label", "decision", "status", "confidence", "similarity", "cycle_mm", "reason"),
    *("x_lps", "y_lps", "z_lps", "transferred_x_lps", "transferred_y_lps", "transferred_z_lps"),
    *("template_x_lps", "template_y_lps", "template_z_lps", "displacement_mm", "relative_displacement_mm"),
    # new columns come last, so that those before stay where programs look for them
    "uncertainty_mm",
)
_USER_REASONS = {
    Decision.CORRECTED: "corrected by the user",
    Decision.REJECTED: "rejected by the user",
    Decision.SET_MISSING: "set missing by the user",
}


def write_review_files(
    folder: str | os.PathLike[str],
    template: ReportScan | None,
    points: Sequence[TemplatePoint],
    follow_ups: Sequence[ReportScan],
    state: ReviewState,
    pictures: Pictures = Pictures.ALL,
    progress: Callable[[float], None] = lambda fraction: None,
) -> list[Path]:
    """Write everything about a review into `folder` and return the files, the report last.

    Without `template` the landmarks are those of a protocol, and its atlas has the template's place.
    Positions are LPS mm in each scan's own frame. `progress` is told the fraction that is done. Raises OutputError
    where a file can't be written and UsageError where there is nothing to export.
    """
    if not any(state.items(scan.key) for scan in follow_ups):
        raise UsageError(_("There is nothing to export yet; transfer the landmarks first."))
    folder = create_folder(folder)
    if template is None:
        follow_ups, files = _with_different_names(follow_ups), []
    else:
        template, *follow_ups = _with_different_names([template, *follow_ups])
        files = [_write_template(folder, template, points)]
    results = [_result(template, scan, state) for scan in follow_ups if state.items(scan.key)]
    files += [write_result_markups(folder, result) for result in results]
    files += write_tables(folder, results, settings={"review": state.counts()})
    texts = {REVIEW_TABLE: review_table(follow_ups, state), REVIEW_LOG: state.to_json() + "\n"}
    for name, text in texts.items():
        write_atomically(folder / name, text)
    write_report(folder / REPORT, template, follow_ups, state, pictures, progress)
    return [*files, *(folder / name for name in (*texts, REPORT))]


def review_table(scans: Sequence[ReportScan], state: ReviewState) -> str:
    """The text of `review.csv`: what the engine said and what the user decided, a row a scan and landmark."""
    rows: list[Sequence[object]] = [_COLUMNS]
    for scan in scans:
        for item in state.items(scan.key).values():
            relative = state.relative_displacement_mm(scan.key, item.label)
            row = [*_row(item), _number(relative), _number(item.uncertainty_mm)]
            rows.append([scan.name, scan.date or "", *row])
    return csv_text(rows)


def _row(item: ReviewItem) -> list[str]:
    scores = [_number(value, 4) for value in (item.confidence, item.similarity, item.cycle_error_mm)]
    points = (item.position_lps, item.transferred_lps, item.template_lps)
    return [
        item.label,
        item.decision.value,
        item.status,
        *scores,
        item.reason,
        *(_number(value) for point in points for value in point or (None,) * 3),
        _number(item.displacement_mm),
    ]


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _write_template(folder: Path, template: ReportScan, points: Sequence[TemplatePoint]) -> Path:
    path = folder / markups_name(template.name)
    positions = np.array([position_lps for _label, position_lps in points]).reshape(-1, 3)
    write_markups(path, [label for label, _position in points], positions, name=template.name)
    return path


def _result(template: ReportScan | None, scan: ReportScan, state: ReviewState) -> TransferResult:
    """The landmarks as the user left them, in the form that all results of the product have."""
    items = tuple(_landmark(item) for item in state.items(scan.key).values())
    name = atlas_name(scan.provenance) if template is None else template.name
    return TransferResult(name, scan.name, items, dict(scan.provenance))


def _landmark(item: ReviewItem) -> TransferredLandmark:
    shown = item.position_lps == item.transferred_lps
    return replace(
        item.answer,
        position_lps=_array_or_none(item.position_lps),
        status=_final_status(item),
        reason=_USER_REASONS.get(item.decision, item.reason),
        # of the engine's own place, and of no other
        uncertainty_mm=item.answer.uncertainty_mm if shown else math.nan,
    )


def _final_status(item: ReviewItem) -> Status:
    """FOUND where the user vouches for a place, MISSING where there is none, else what the engine said."""
    if item.position_lps is None:
        return Status.MISSING
    if item.decision in (Decision.ACCEPTED, Decision.CORRECTED):
        return Status.FOUND
    # At a candidate that the user has not accepted it is doubtful, whatever the engine said of its own place.
    return Status.DOUBTFUL if item.position_lps != item.transferred_lps else Status(item.status)


def _array_or_none(point: Point | None) -> np.ndarray | None:
    return None if point is None else np.array(point)


def _with_different_names(scans: Sequence[ReportScan]) -> list[ReportScan]:
    """The scans with names that lead to different files, numbered where they would not."""
    taken: set[str] = set()
    renamed = []
    for scan in scans:
        name, number = scan.name, 1
        while collision_key(name) in taken:
            number += 1
            name = f"{scan.name}_{number}"
        taken.add(collision_key(name))
        renamed.append(replace(scan, name=name))
    return renamed
