"""A study of lesions: every patient followed, one after the other, and all files that are written about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.lesions import LesionHistory, Track
from ..core.volume import Volume
from ..io.lesion_json import write_history
from ..io.lesion_lines import write_lesion_lines
from ..io.target_names import MARKUPS_SUFFIX, file_name, folder_name
from ..study.source_series import series_of_scan
from ..utils.errors import SAMLandmarkError
from ..utils.files import create_folder, write_atomically
from ..utils.progress import Progress
from ..utils.translation import _
from .planning import PatientScans, marks_of, visit_of
from .report import lesion_page
from .response import assess, best_of
from .sdtm import write_sdtm
from .structured_reports import write_lesion_reports
from .tracker import DatedScan, track_lesions

if TYPE_CHECKING:
    from ..engine.runtime import EngineRuntime
    from ..io.writers.sr_source import SourceSeries

PAGE_NAME, DOCUMENT_NAME = "report.html", "lesions.json"


@dataclass
class TrackingOutcome:
    """What came of a study: histories, files, and by patient why there is none, or a scan has no DICOM report."""

    histories: list[LesionHistory] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def track_study(
    runtime: EngineRuntime,
    patients: Sequence[PatientScans],
    output: Path,
    csv_frame: str | None = None,
    start_patient: Callable[[str], Progress | None] = lambda patient: None,
) -> TrackingOutcome:
    """Follow the lesions of all patients; what goes wrong with one does not stop the others.

    Writes DIR/PATIENT/lesions.json, report.html and VISIT.mrk.json, a VISIT.sr.dcm for scans from DICOM, and tu.csv, tr.csv
    and rs.csv about all. Raises OutputError where the tables can't be written.
    """
    outcome = TrackingOutcome()
    for patient in patients:
        progress = start_patient(patient.patient)
        try:
            history = follow_patient(runtime, patient, csv_frame, progress)
            outcome.files += write_patient(output, patient, history, outcome.notes)
            outcome.histories.append(history)
        except (SAMLandmarkError, MemoryError) as error:
            outcome.failures[patient.patient] = str(error) or _("there is too little memory")
    if outcome.histories:
        outcome.files += write_sdtm(output, outcome.histories)
    return outcome


def follow_patient(
    runtime: EngineRuntime,
    patient: PatientScans,
    csv_frame: str | None = None,
    progress: Progress | None = None,
) -> LesionHistory:
    """The lesions of one patient of a plan over time; raises as `track_lesions` does."""
    marks = marks_of(patient, csv_frame)
    scans = [
        DatedScan(visit_of(scan), partial(scan.read, runtime.settings.pixel_spacing_mm), marks.get(number))
        for number, scan in enumerate(patient.scans)
    ]
    history = track_lesions(runtime, patient.patient, scans, progress)
    return LesionHistory(history.patient, history.visits, history.tracks, (*patient.doubts, *history.notes))


def write_patient(
    output: Path, patient: PatientScans, history: LesionHistory, notes: list[str]
) -> list[Path]:
    """Write all files about a patient; why a scan has no DICOM report is added to `notes`."""
    folder = create_folder(output / folder_name(patient.patient))
    document = folder / DOCUMENT_NAME
    write_history(document, history, {"response": response_document(history)})
    files = [document]
    for number, visit in enumerate(history.visits):
        path = folder / file_name(visit.name, MARKUPS_SUFFIX)
        write_lesion_lines(path, _findings(history.tracks, number))
        files.append(path)
    page = folder / PAGE_NAME
    write_atomically(page, lesion_page(history, partial(_read_again, patient)))
    reports, reasons = _reports(folder, patient, history)
    notes += [f"{patient.patient}/{scan}: {reason}" for scan, reason in reasons.items()]
    return [*files, page, *reports]


def _findings(tracks: Sequence[Track], visit: int) -> list[tuple[Any, Any]]:
    return [(track.lesion, finding) for track in tracks if (finding := track.at(visit)) is not None]


def _read_again(patient: PatientScans, visit: int) -> Volume | None:
    """A scan for the pictures; None where it can't be read any more."""
    try:
        return patient.scans[visit].read()
    except (SAMLandmarkError, MemoryError):
        return None


def _reports(
    folder: Path, patient: PatientScans, history: LesionHistory
) -> tuple[list[Path], dict[str, str]]:
    """The DICOM reports of the scans that were read from DICOM."""
    if not any(scan.files or scan.path.is_dir() for scan in patient.scans):
        return [], {}

    def source_of(visit: int) -> SourceSeries:
        return series_of_scan(patient.scans[visit])

    return write_lesion_reports(folder, history, source_of)


def response_document(history: LesionHistory) -> dict[str, Any]:
    """The sums and proposed responses of all dates in types of JSON."""
    best = best_of(history)
    visits = []
    for item in assess(history):
        judged = {"target": item.target, "non_target": item.non_target, "overall": item.overall}
        visits.append(
            {
                "visit": item.visit,
                "sum_mm": item.sum_mm,
                "of_baseline": item.of_baseline,
                "of_nadir": item.of_nadir,
                "new_lesions": list(item.new_lesions),
                **{
                    name: None if part is None else {"response": part.response.value, "rule": str(part.rule)}
                    for name, part in judged.items()
                },
                "remarks": list(map(str, item.remarks)),
            }
        )
    return {
        "criteria": "RECIST 1.1, proposed",
        "visits": visits,
        "best_overall": {"response": best.response.value, "rule": str(best.rule)},
    }
