"""The report of a study as HTML pages: a summary, and one page for each patient, each of which needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...reporting.landmark_pairs import Pair, landmark_pairs
from ...reporting.picture import require_matplotlib
from ...utils.files import create_folder, write_atomically
from ..outcome import StudyOutcome
from .paths import PAGE_NAME, patient_page
from .patient import PatientReport
from .summary import summary_page
from .volumes import TemplateVolumes


@dataclass
class ReportFiles:
    """What was written, and by patient which scans are not shown and why."""

    summary: Path
    patients: list[Path] = field(default_factory=list)
    without_pictures: dict[str, list[str]] = field(default_factory=dict)

    @property
    def all(self) -> list[Path]:
        """Every page, the summary first."""
        return [self.summary, *self.patients]

    def document(self) -> dict[str, Any]:
        """The same in types of JSON."""
        return {"files": list(map(str, self.all)), "without_pictures": self.without_pictures, "exit_code": 0}


def distance_pairs(study: StudyOutcome, texts: Sequence[str]) -> tuple[Pair, ...]:
    """The pairs that texts like "carina,hilum" name; UsageError where the study has no such landmarks."""
    labels = {label for patient in study.patients for label in patient.labels}
    return landmark_pairs(texts, labels)


def write_study_report(
    study: StudyOutcome,
    output: Path | None = None,
    pairs: Sequence[Pair] = (),
    start_patient: Callable[[str], object] = lambda patient: None,
) -> ReportFiles:
    """Write `report.html` about the study, and `<patient>/report.html` about each patient, into `output`.

    `output` is the study's own folder by default; `pairs` are labels to measure between. Every page is whole or not
    there; `start_patient` is told whose turn it is. Raises UsageError where matplotlib is missing and OutputError where
    a page can't be written.
    """
    require_matplotlib()
    folder = create_folder(output or study.folder)
    files = ReportFiles(folder / PAGE_NAME)
    templates = TemplateVolumes()
    for patient in study.patients:
        start_patient(patient.patient)
        report = PatientReport(patient, templates, pairs)
        path = folder / patient_page(patient.patient)
        create_folder(path.parent)
        write_atomically(path, report.page(f"../{PAGE_NAME}"))
        files.patients.append(path)
        if report.notes:
            files.without_pictures[patient.patient] = report.notes
    write_atomically(files.summary, summary_page(study))
    return files
