"""A review as files: markups of every scan, tables, the log, and a report to look at."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import SAMLandmarkError, UsageError
from ..files import create_folder, write_atomically
from ..markups_files import write_markups
from ..results import write_result_markups, write_tables
from ..review import Decision, Point, ReviewItem, ReviewState
from ..review.report import ReportScan, write_report
from ..scene.points import ScenePoint
from ..scene.volumes import volume_arrays
from ..target_names import collision_key, markups_name
from ..transferred import Candidate, Status, TransferredLandmark, TransferResult
from ..translation import _
from ..volume import Volume

REVIEW_TABLE, REVIEW_LOG, REPORT = "review.csv", "review.json", "report.html"
_COLUMNS = (
    *("scan", "date", "label", "decision", "status", "confidence", "similarity", "cycle_mm", "reason"),
    *("x_lps", "y_lps", "z_lps", "transferred_x_lps", "transferred_y_lps", "transferred_z_lps"),
    *("template_x_lps", "template_y_lps", "template_z_lps", "displacement_mm", "relative_displacement_mm"),
)
_USER_REASONS = {
    Decision.CORRECTED: "corrected by the user",
    Decision.REJECTED: "rejected by the user",
    Decision.SET_MISSING: "set missing by the user",
}


@dataclass(frozen=True, eq=False)
class ExportScan:
    """A scan to export: its key in the review, name, study date, volume node, and how its landmarks were made."""

    key: str
    name: str
    date: str | None
    node: object
    provenance: Mapping


def write_export(
    folder: str | os.PathLike,
    template: ExportScan | None,
    points: Sequence[ScenePoint],
    follow_ups: Sequence[ExportScan],
    state: ReviewState,
) -> list[Path]:
    """Write everything about a review into `folder` and return the files; see `TransferSession.export`."""
    if template is None or not any(state.items(scan.key) for scan in follow_ups):
        raise UsageError(_("There is nothing to export yet; transfer the landmarks first."))
    folder = create_folder(folder)
    template, *follow_ups = _with_different_names([template, *follow_ups])
    results = [_result(template.name, scan, state) for scan in follow_ups if state.items(scan.key)]
    files = [_write_template(folder, template, points)]
    files += [write_result_markups(folder, result) for result in results]
    files += write_tables(folder, results, settings={"review": state.counts()})
    texts = {REVIEW_TABLE: review_table(follow_ups, state), REVIEW_LOG: state.to_json() + "\n"}
    for name, text in texts.items():
        write_atomically(folder / name, text)
    write_report(folder / REPORT, _report_scan(template), [_report_scan(scan) for scan in follow_ups], state)
    return [*files, *(folder / name for name in (*texts, REPORT))]


def review_table(scans: Sequence[ExportScan], state: ReviewState) -> str:
    """The text of `review.csv`: what the engine said and what the user decided, a row a scan and landmark."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for scan in scans:
        for item in state.items(scan.key).values():
            relative = state.relative_displacement_mm(scan.key, item.label)
            writer.writerow([scan.name, scan.date or "", *_row(item), _number(relative)])
    return text.getvalue()


def _row(item: ReviewItem) -> list[str]:
    scores = [_number(value, 4) for value in (item.confidence, item.similarity, item.cycle_mm)]
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


def _write_template(folder: Path, template: ExportScan, points: Sequence[ScenePoint]) -> Path:
    path = folder / markups_name(template.name)
    positions = np.array([point.position_lps for point in points]).reshape(-1, 3)
    write_markups(path, [point.label for point in points], positions, name=template.name)
    return path


def _result(template_name: str, scan: ExportScan, state: ReviewState) -> TransferResult:
    """The landmarks as the user left them, in the form that all results of the product have."""
    items = tuple(_landmark(item) for item in state.items(scan.key).values())
    return TransferResult(template_name, scan.name, items, dict(scan.provenance))


def _landmark(item: ReviewItem) -> TransferredLandmark:
    return TransferredLandmark(
        label=item.label,
        position_lps=_array_or_none(item.position_lps),
        status=_final_status(item),
        confidence=item.confidence,
        similarity=np.nan if item.similarity is None else item.similarity,
        cycle_mm=np.nan if item.cycle_mm is None else item.cycle_mm,
        candidates=tuple(Candidate(np.array(point), score) for point, score in item.candidates),
        reason=_USER_REASONS.get(item.decision, item.reason),
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


def _report_scan(scan: ExportScan) -> ReportScan:
    return ReportScan(scan.key, scan.name, scan.date, _volume_or_none(scan), scan.provenance)


def _volume_or_none(scan: ExportScan) -> Volume | None:
    try:
        return Volume(*volume_arrays(scan.node), name=scan.name)
    except SAMLandmarkError:
        return None  # a report without pictures of this scan is better than none


def _with_different_names(scans: Sequence[ExportScan]) -> list[ExportScan]:
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
