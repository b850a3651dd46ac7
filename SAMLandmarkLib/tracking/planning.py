"""Which scans of which patients are followed, in which order, and where their lesions stand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.lesions import Mark, Visit
from ..io.target_names import distinct_names, folder_name
from ..io.volume_paths import VOLUME_SUFFIXES, printable
from ..study.dicom_tree import index_dicom_tree
from ..study.manifest import MarksColumn, read_manifest
from ..study.plan import PatientPlan, StudyScan
from ..study.selection import plan_dicom_study
from ..study.study_landmarks import landmarks_of_patients
from ..study.volume_folder import volumes_below
from ..utils.errors import LesionError, UsageError
from ..utils.translation import _
from .lesion_files import BASELINE, read_lesions

_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?!\d)")
Warn = Callable[[str], None]


@dataclass(frozen=True)
class PatientScans:
    """A patient's scans in the order of time, the baseline first, and the files of lesions by number of the scan.

    `doubts` say why the order, or whose scans these are, is not certain.
    """

    patient: str
    scans: tuple[StudyScan, ...]
    lesions: dict[int, Path]
    doubts: tuple[str, ...] = ()


def tracking_plan(
    study: Path, lesions: Path | None, csv_frame: str | None, warn: Warn, output: Path
) -> list[PatientScans]:
    """The patients of a manifest, of a folder of DICOM files, or of a folder of volume files.

    `lesions` are those of the baseline, or of several dates; a folder of them has a file for each patient, named by the
    patient's id. Raises UsageError and what reading lesions raises.
    """
    if study.is_file():
        return _of_manifest(study, lesions, csv_frame, warn)
    if not study.is_dir():
        raise UsageError(
            _("{path} does not exist; give a manifest or a folder of scans.").format(path=str(study))
        )
    if lesions is None:
        raise UsageError(
            _("{path} is a folder of scans, so --lesions must name the lesions of the baseline.").format(
                path=str(study)
            )
        )
    if not lesions.exists():
        raise UsageError(_("{path} does not exist; check the path of the lesions.").format(path=str(lesions)))
    index = index_dicom_tree(study)
    if index.series:
        plan = plan_dicom_study(index, lesions)
        return [_of_plan(patient, {0: patient.templates[0].landmarks}) for patient in plan.patients]
    return _of_volumes(study, lesions, output)


def _of_manifest(study: Path, lesions: Path | None, csv_frame: str | None, warn: Warn) -> list[PatientScans]:
    column = MarksColumn(lambda path: read_lesions(path, csv_frame), lesions)
    manifest = read_manifest(study, marks=column)
    for doubt in manifest.doubts:
        warn(f"{study}, {doubt}")
    if lesions is not None and len(manifest.plan.patients) > 1 and not lesions.is_dir():
        told = _(
            "{path} is one file, but there are {count} patients; name the file of each in the column landmarks."
        )
        raise UsageError(told.format(path=str(lesions), count=len(manifest.plan.patients)))
    patients = []
    for patient in manifest.plan.patients:
        scans = _all_scans(patient)
        files = {n: manifest.marks[scan.key] for n, scan in enumerate(scans) if scan.key in manifest.marks}
        if files.get(0) is not None and files[0].is_dir():
            files[0] = landmarks_of_patients(files[0], [patient.patient])[patient.patient]
        patients.append(_of_plan(patient, files))
    return patients


def _all_scans(patient: PatientPlan) -> list[StudyScan]:
    """The first template, which is the baseline, and the scans after it; further templates are among them."""
    first, *others = (template.scan for template in patient.templates)
    return [first, *sorted([*others, *patient.follow_ups], key=lambda scan: scan.date or "9999")]


def _of_plan(patient: PatientPlan, files: dict[int, Path]) -> PatientScans:
    scans = _all_scans(patient)
    return PatientScans(patient.patient, tuple(scans), files, (*patient.doubts, *doubts_of_dates(scans)))


def _of_volumes(study: Path, lesions: Path, output: Path) -> list[PatientScans]:
    """Volume files: those of a folder below the study's are one patient's, those in itself another's."""
    marks = {path.resolve() for path in ([lesions] if lesions.is_file() else lesions.iterdir())}
    files = [
        path
        for path in volumes_below(study)
        if path.resolve() not in marks and not path.absolute().is_relative_to(output.absolute())
    ]
    groups: dict[str, list[Path]] = {}
    for path in files:
        parts = path.relative_to(study).parts
        groups.setdefault(
            folder_name(printable(parts[0] if len(parts) > 1 else study.resolve().name)), []
        ).append(path)
    if not groups:
        told = _("{path} holds no scans: no DICOM series and no file ending in {suffixes}.")
        raise UsageError(told.format(path=str(study), suffixes=", ".join(VOLUME_SUFFIXES)))
    known = landmarks_of_patients(lesions, list(groups))
    plans = []
    for patient, paths in groups.items():
        if patient in known:
            named = zip(distinct_names(paths), paths, strict=True)
            scans = [StudyScan(patient, name, path, date_in(path.name)) for name, path in named]
            scans.sort(key=lambda scan: (scan.date or "9999", scan.name))
            plans.append(PatientScans(patient, tuple(scans), {0: known[patient]}, doubts_of_dates(scans)))
    return plans


def date_in(name: str) -> str:
    """The date in a file's name as ISO 8601, empty where there is none.

    >>> date_in("ct_20240531_thin.nii.gz"), date_in("2024-05-31.nrrd"), date_in("chest-12345678.nii")
    ('2024-05-31', '2024-05-31', '')
    """
    found = _DATE.search(name)
    return "-".join(found.groups()) if found else ""


def doubts_of_dates(scans: Sequence[StudyScan]) -> tuple[str, ...]:
    """Why the order of a patient's scans is not certain: dates that are missing, equal, or before the baseline's."""
    return tuple(_doubts(scans))


def _doubts(scans: Sequence[StudyScan]) -> Iterator[str]:
    undated = [scan.name for scan in scans if not scan.date]
    if undated:
        told = _(
            "{count} of {all} scans have no date ({names}), so their order is that of the list; give dates."
        )
        yield told.format(count=len(undated), all=len(scans), names=", ".join(undated))
    for date, count in Counter(scan.date for scan in scans if scan.date).items():
        if count > 1:
            names = ", ".join(scan.name for scan in scans if scan.date == date)
            told = _("{names} have the same date {date}, so their order is that of the list.")
            yield told.format(names=names, date=date)
    early = [scan.name for scan in scans[1:] if scan.date and scans[0].date and scan.date < scans[0].date]
    if early:
        told = _(
            "{names} are older than the baseline {baseline}; the baseline stays the first, check the dates."
        )
        yield told.format(names=", ".join(early), baseline=scans[0].name)


def marks_of(patient: PatientScans, csv_frame: str | None) -> dict[int, list[Mark]]:
    """The marked lesions of a patient by number of the scan. Raises LesionError where a file names other scans."""
    marks: dict[int, list[Mark]] = {}
    numbers = {scan.name: number for number, scan in enumerate(patient.scans)}
    for number, path in patient.lesions.items():
        for visit, given in read_lesions(path, csv_frame).items():
            place = number if visit == BASELINE else numbers.get(visit)
            if place is None:
                told = _(
                    "{path} has lesions of a scan {visit!r}, and the patient's scans are {names}; name them alike."
                )
                raise LesionError(told.format(path=str(path), visit=visit, names=", ".join(numbers)))
            marks[place] = given
    return marks


def visit_of(scan: StudyScan) -> Visit:
    """The visit of a scan."""
    return Visit(scan.name, scan.date)
