"""The files of a study: markups and a document for every scan, one table and one document of all."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..io.json_values import number_text
from ..io.result_files import report_document, write_result_markups
from ..io.target_names import MARKUPS_SUFFIX
from ..review import Point, ReviewItem
from ..utils.files import create_folder, output_errors, sha256_of, write_atomically
from ..utils.tables import csv_text
from .input_check import inputs_of, path_of
from .jobs import JobResult, StudyJob
from .ledger import State
from .outcome import PatientOutcome, ScanOutcome, StudyOutcome, scan_file
from .plan import PatientPlan, StudyScan

if TYPE_CHECKING:
    from ..core.results import TransferResult

TABLE_NAME = "study.csv"
DOCUMENT_NAME = "study.json"
DOCUMENT_FORMAT = "samlandmark-study"
COLUMNS = (
    *("patient", "scan", "date", "template", "label"),
    *("x_lps", "y_lps", "z_lps", "status", "confidence", "similarity", "cycle_mm", "reason"),
    *("template_x_lps", "template_y_lps", "template_z_lps"),
    # new columns come last, so that those before stay where programs look for them
    "uncertainty_mm",
)
OLD_COLUMNS = COLUMNS[:-1]
"""The columns up to version 0.3."""
FAILED_STATUS = "FAILED"
"""What stands for the status of a landmark in a scan that could not be done."""


def write_scan(
    folder: Path,
    patient: PatientPlan,
    scan: StudyScan,
    done: JobResult,
    settings: Mapping[str, Any],
    before: Mapping[str, str],
) -> dict[str, str]:
    """Write the results of one scan; the SHA-256 of each file by its path below `folder`.

    `before` is what an earlier call returned for the scan: markups that somebody has changed since are kept under
    another name. Raises OutputError.
    """
    document_file = scan_file(folder, scan, ".json")
    create_folder(document_file.parent)
    _keep_edited(folder, scan_file(folder, scan, MARKUPS_SUFFIX), before, done.result)
    markups_file = write_result_markups(document_file.parent, done.result)
    write_atomically(document_file, _text(_scan_document(patient, scan, done, settings)))
    files = (markups_file, document_file)
    return {file.relative_to(folder).as_posix(): sha256_of(file) for file in files}


def _keep_edited(folder: Path, markups: Path, before: Mapping[str, str], result: TransferResult) -> None:
    """Move markups out of the way that hold somebody's corrections: that are neither as written nor as they will be."""
    with output_errors(markups):
        if not markups.exists():
            return
        found = sha256_of(markups)
        # a run that was killed may have written them and not recorded it
        if found in (before.get(markups.relative_to(folder).as_posix()), _markups_digest(result)):
            return
        stem = markups.name.removesuffix(MARKUPS_SUFFIX)
        numbers = itertools.count(1)
        kept = (markups.with_name(f"{stem}.edited-{number}{MARKUPS_SUFFIX}") for number in numbers)
        markups.rename(next(path for path in kept if not path.exists()))


def _markups_digest(result: TransferResult) -> str:
    """The SHA-256 of the markups that a result is written as."""
    with tempfile.TemporaryDirectory() as folder:
        return sha256_of(write_result_markups(folder, result))


def write_study(outcome: StudyOutcome) -> list[Path]:
    """Write `study.csv` and `study.json` about all scans as they are now. Raises OutputError."""
    table, document = outcome.folder / TABLE_NAME, outcome.folder / DOCUMENT_NAME
    write_atomically(table, table_text(outcome))
    write_atomically(document, _text(_study_document(outcome)))
    return [table, document]


def table_text(outcome: StudyOutcome) -> str:
    """The text of `study.csv`: a row for each patient, scan and landmark, in the order of the plan; LPS mm.

    A scan that could not be done has a row for each landmark that is known, or one; its status is FAILED.
    """
    rows = (row for patient in outcome.patients for scan in patient.scans for row in _rows(patient, scan))
    return csv_text([COLUMNS, *rows])


def _rows(patient: PatientOutcome, scan: ScanOutcome) -> list[list[str]]:
    template = scan.atlas_name or patient.plan.source_name
    beginning = [patient.patient, scan.scan.name, scan.scan.date, template]
    if scan.state in (State.FAILED, State.SKIPPED):
        return [[*beginning, *_not_computed(label, scan.reason)] for label in patient.labels or ("",)]
    return [[*beginning, *_values(item)] for item in scan.items]


def _not_computed(label: str, reason: str) -> list[str]:
    nothing = _coordinates(None)
    return [label, *nothing, FAILED_STATUS, "", "", "", reason, *nothing, ""]


def _values(item: ReviewItem) -> list[str]:
    scores = [
        number_text(item.confidence, 4),
        number_text(item.similarity, 4),
        number_text(item.cycle_error_mm, 3),
    ]
    place, template = _coordinates(item.position_lps), _coordinates(item.template_lps)
    uncertainty = number_text(item.uncertainty_mm, 3)
    return [item.label, *place, item.status, *scores, item.reason, *template, uncertainty]


def _coordinates(point: Point | None) -> list[str]:
    return [number_text(value, 3) for value in point or (None, None, None)]


def _scan_document(
    patient: PatientPlan, scan: StudyScan, done: JobResult, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The document that `samlandmark transfer` writes, with the template's landmarks and the place in the study."""
    inputs = inputs_of(StudyJob.of(patient, scan, None))
    # backwards, for the first of several templates is the one that the document names
    roles = {str(path_of(inputs[role])): role for role in reversed(inputs) if role != "target"}
    roles = {str(scan.path): "target"} | roles
    document = report_document([done.result], (), settings, lambda path: done.inputs[roles[path]].sha256)
    # series of a DICOM tree may share a folder, whose path alone does not tell them apart
    document["targets"][0]["inputs"]["target"]["sha256"] = done.inputs["target"].sha256
    for landmark in document["targets"][0]["landmarks"]:
        landmark["template_lps"] = done.template_lps.get(landmark["label"])
    study = {"patient": scan.patient, "scan": scan.name, "date": scan.date, "worker": done.worker}
    return {**document, "study": {**study, "seconds": dict(done.seconds)}}


def _study_document(outcome: StudyOutcome) -> dict[str, Any]:
    scans = [
        {"patient": patient.patient, "scan": scan.scan.name, "state": scan.state.value, "reason": scan.reason}
        for patient in outcome.patients
        for scan in patient.scans
    ]
    return {
        "format": DOCUMENT_FORMAT,
        "format_version": 1,
        "samlandmark_version": __version__,
        "uid": outcome.uid,
        "coordinate_system": "LPS",
        "unit": "mm",
        "settings": dict(outcome.settings),
        "counts": dict(Counter(scan["state"] for scan in scans)),
        "scans": scans,
        "plan": outcome.plan.to_document(),
    }


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
