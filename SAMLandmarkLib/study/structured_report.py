"""DICOM structured reports of a study: one for each scan that was read from DICOM, with its landmarks."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..core.results import Status, TransferredLandmark
from ..io.writers.dicom_sr import REPORT_SUFFIX, algorithm_version, require_libraries, write_report
from ..review.words import error_limit_mm
from ..utils.errors import SAMLandmarkError
from ..utils.progress import Progress
from .outcome import PatientOutcome, ScanOutcome, StudyOutcome, scan_file
from .plan import Excluded, StudyScan
from .source_series import series_of_scan


@dataclass(frozen=True)
class StructuredReports:
    """The files that were written, and the scans without a report."""

    files: tuple[Path, ...]
    excluded: tuple[Excluded, ...]


def write_structured_reports(
    study: Path, output: Path | None = None, progress: Progress | None = None
) -> StructuredReports:
    """Write `PATIENT/SCAN.sr.dcm` for each scan of a study that is done and was read from DICOM.

    A baseline of the patient's own gets one too, with the landmarks as given. `output` is the folder of the study where
    it is None. A scan without a report does not stop the others. Raises UsageError where `study` holds none, or pydicom
    or highdicom is not installed.
    """
    require_libraries()
    outcome = StudyOutcome.read(study)
    reports = list(_reports(outcome))
    files, excluded = [], []
    for number, report in enumerate(reports):
        if progress is not None:
            progress(report.scan.key, number / len(reports))
        try:
            files.append(report.write(output or study))
        except SAMLandmarkError as error:
            excluded.append(Excluded(report.scan.key, str(error)))
    return StructuredReports(tuple(files), (*excluded, *_not_done(outcome)))


@dataclass(frozen=True)
class _Report:
    """A report to be written: about which landmarks of which scan, and how they were found, if they were.

    `sha256` is the checksum of the scan's files when the landmarks were found.
    """

    study_uid: str
    patient: str
    scan: StudyScan
    items: tuple[TransferredLandmark, ...]
    sha256: str | None
    algorithm_version: str = ""
    parameters: tuple[str, ...] = ()
    error_limit_mm: float = 10.0

    def write(self, folder: Path) -> Path:
        """Write the report; returns the file. Raises VolumeError and OutputError, with the reason alone."""
        from ..io.writers.sr_content import ScanFindings

        source = series_of_scan(self.scan, self.sha256)
        findings = ScanFindings(
            self.items, self._tracking_uid, self.algorithm_version, self.parameters, self.error_limit_mm
        )
        path = scan_file(folder, self.scan, REPORT_SUFFIX)
        write_report(path, findings, source)
        return path

    def _tracking_uid(self, label: str) -> str:
        from ..io.writers.sr_content import uid_from_name

        return uid_from_name(uuid.UUID(self.study_uid), f"{self.patient}\0{label}")


def _reports(outcome: StudyOutcome) -> Iterator[_Report]:
    for patient in outcome.patients:
        about = partial(_Report, outcome.uid, patient.patient)
        if patient.plan.own_baseline and patient.template_lps:
            done = next(scan for scan in patient.scans if scan.items)
            yield about(patient.plan.templates[0].scan, _given(patient), done.checksum("template"))
        for scan in patient.scans:
            if scan.items:
                answers = tuple(item.answer for item in scan.items)
                yield about(
                    scan.scan,
                    answers,
                    scan.checksum("target"),
                    *_how_found(scan),
                    error_limit_mm(scan.provenance),
                )


def _given(patient: PatientOutcome) -> tuple[TransferredLandmark, ...]:
    """The landmarks of the baseline as items of a report."""
    return tuple(
        TransferredLandmark(label, np.array(point), Status.FOUND, 1.0)
        for label, point in patient.template_lps.items()
    )


def _how_found(scan: ScanOutcome) -> tuple[str, tuple[str, ...]]:
    """The algorithm's version and parameters."""
    model, settings = scan.provenance["model"], scan.provenance["settings"]
    version = algorithm_version(scan.document["samlandmark_version"], model["version"])
    found_by = [f"atlas {scan.provenance['atlas']['protocol']}"] if scan.atlas_name else []
    return version, (f"model sha256 {model['sha256']}", f"profile {settings['profile']}", *found_by)


def _not_done(outcome: StudyOutcome) -> Iterator[Excluded]:
    for patient in outcome.patients:
        for scan in patient.scans:
            if not scan.items:
                reason = f": {scan.reason}" if scan.reason else ""
                yield Excluded(scan.scan.key, f"it is {scan.state.value}{reason}")
