"""DICOM structured reports of a study: one for each scan that was read from DICOM, with its landmarks."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import OutputError, SAMLandmarkError, UsageError
from ..files import create_folder, write_atomically
from ..progress import Progress
from ..review import ReviewItem
from .dicom_header import pydicom_or_error
from .outcome import PatientOutcome, ScanOutcome, StudyOutcome, scan_file
from .plan import LeftOut, StudyScan

if TYPE_CHECKING:
    from highdicom.sr import MeasurementReport

    from .sr_source import SourceSeries

REPORT_SUFFIX = ".sr.dcm"
_SERIES_NUMBER = 9901
_SERIES_DESCRIPTION = "SAMLandmark landmarks"


@dataclass(frozen=True)
class StructuredReports:
    """The files that were written, and the scans without a report."""

    files: tuple[Path, ...]
    left_out: tuple[LeftOut, ...]


def write_structured_reports(
    study: Path, output: Path | None = None, progress: Progress | None = None
) -> StructuredReports:
    """Write `PATIENT/SCAN.sr.dcm` for each scan of a study that is done and was read from DICOM.

    A baseline of the patient's own gets one too, with the landmarks as given. `output` is the folder of the study where
    it is None. A scan without a report does not stop the others. Raises UsageError where `study` holds none, or pydicom
    or highdicom is not installed.
    """
    _require_libraries()
    outcome = StudyOutcome.read(study)
    reports = list(_reports(outcome))
    files, left_out = [], []
    for number, report in enumerate(reports):
        if progress is not None:
            progress(report.scan.key, number / len(reports))
        try:
            files.append(report.write(output or study))
        except SAMLandmarkError as error:
            left_out.append(LeftOut(report.scan.key, str(error)))
    return StructuredReports(tuple(files), (*left_out, *_not_done(outcome)))


@dataclass(frozen=True)
class _Report:
    """A report to be written: about which landmarks of which scan, and how they were found, if they were.

    `sha256` is the checksum of the scan's files when the landmarks were found.
    """

    study_uid: str
    patient: str
    scan: StudyScan
    items: tuple[ReviewItem, ...]
    sha256: str | None
    algorithm_version: str = ""
    parameters: tuple[str, ...] = ()

    def write(self, folder: Path) -> Path:
        """Write the report; returns the file. Raises VolumeError and OutputError, with the reason alone."""
        from .sr_content import ScanFindings, measurement_report
        from .sr_source import UTF_8, SourceSeries

        source = SourceSeries.of_scan(self.scan, self.sha256)
        findings = ScanFindings(self.items, self._tracking_uid, self.algorithm_version, self.parameters)
        path = scan_file(folder, self.scan, REPORT_SUFFIX)
        try:
            content = measurement_report(findings, source.frame_of_reference_uid)
            data = _encoded(content, source, source.character_set if self._is_ascii else UTF_8)
        except (AttributeError, TypeError, ValueError) as error:
            raise OutputError(f"its images or labels can't be put into a report: {error}") from error
        create_folder(path.parent)
        write_atomically(path, data)
        return path

    @property
    def _is_ascii(self) -> bool:
        """Whether any character set can hold its own texts, as labels may be in any language."""
        return all(f"{item.label}{item.reason}".isascii() for item in self.items)

    def _tracking_uid(self, label: str) -> str:
        from .sr_content import uid_from_name

        return uid_from_name(uuid.UUID(self.study_uid), f"{self.patient}\0{label}")


def _require_libraries() -> None:
    pydicom_or_error()
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "DICOM reports need highdicom, which is not installed; install it with `pip install samlandmark[dicom]`."
        ) from error


def _reports(outcome: StudyOutcome) -> Iterator[_Report]:
    for patient in outcome.patients:
        about = partial(_Report, outcome.uid, patient.patient)
        if patient.plan.own_baseline and patient.template_lps:
            done = next(scan for scan in patient.scans if scan.items)
            yield about(patient.plan.templates[0].scan, _given(patient), done.checksum("template"))
        for scan in patient.scans:
            if scan.items:
                yield about(scan.scan, scan.items, scan.checksum("target"), *_how_found(scan))


def _given(patient: PatientOutcome) -> tuple[ReviewItem, ...]:
    """The landmarks of the baseline as items of a report."""
    from .sr_content import TEMPLATE_STATUS

    return tuple(
        ReviewItem(label, TEMPLATE_STATUS, 1.0, template_lps=point, position_lps=point)
        for label, point in patient.template_lps.items()
    )


def _how_found(scan: ScanOutcome) -> tuple[str, tuple[str, ...]]:
    """The algorithm's version and parameters."""
    model, settings = scan.provenance["model"], scan.provenance["settings"]
    version = f"{scan.document['samlandmark_version']}, model {model['version']}"
    return version, (f"model sha256 {model['sha256']}", f"profile {settings['profile']}")


def _not_done(outcome: StudyOutcome) -> Iterator[LeftOut]:
    for patient in outcome.patients:
        for scan in patient.scans:
            if not scan.items:
                reason = f": {scan.reason}" if scan.reason else ""
                yield LeftOut(scan.scan.key, f"it is {scan.state.value}{reason}")


def _encoded(content: MeasurementReport, source: SourceSeries, character_set: str) -> bytes:
    """The bytes of a DICOM file with its content, about the patient and study of its source."""
    from highdicom.sr import Comprehensive3DSR
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    from .sr_codes import own_scheme
    from .sr_content import MANUFACTURER, PRODUCT

    document = Comprehensive3DSR(
        evidence=source.images,
        content=content[0],
        # New ones each time: a UID must never stand for two different reports.
        series_instance_uid=generate_uid(prefix=None),
        sop_instance_uid=generate_uid(prefix=None),
        series_number=_SERIES_NUMBER,
        instance_number=1,
        series_description=_SERIES_DESCRIPTION,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=PRODUCT,
        software_versions=__version__,
        device_serial_number=__version__,
        coding_schemes=[own_scheme()],
        is_complete=True,
        specific_character_set=character_set,
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    file = io.BytesIO()
    document.save_as(file, enforce_file_format=True)
    return file.getvalue()
