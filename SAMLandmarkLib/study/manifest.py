"""A study written down by hand: a table of patients, their scans, and the landmarks of those that are templates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from ..core.landmarks import LandmarkSet
from ..io.target_names import distinct_names, folder_name
from ..io.volume_paths import printable
from ..utils.errors import SAMLandmarkError, UsageError
from .manifest_rows import COLUMNS, Row, read_rows
from .plan import PatientPlan, StudyPlan, StudyScan, Template
from .protocol import StudyProtocol

TEMPLATE, FOLLOW_UP = "template", "follow-up"
RULE = (
    "Templates and follow-ups as the manifest says; the first template of a patient counts, further ones make the "
    "transfer surer."
)
PROTOCOL_RULE = "The landmarks of the protocol are found in every scan of the manifest."
_COLUMNS_WITH_PROTOCOL = tuple(name for name in COLUMNS if name not in ("role", "landmarks"))
_MISTAKES_SHOWN = 20


@dataclass(frozen=True)
class Manifest:
    """A study's plan, and what is odd about it but does not stop it.

    `marks` are files of marks by the key of their scan, of follow-ups too where these may have any.
    """

    plan: StudyPlan
    doubts: tuple[str, ...]
    marks: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class MarksColumn:
    """What the column `landmarks` holds where it is no landmarks: `read` raises where a file is wrong.

    Every scan may have such a file; a template without one has `default`.
    """

    read: Callable[[Path], object]
    default: Path | None = None


def read_manifest(
    path: Path,
    common_templates: Sequence[Template] = (),
    csv_frame: str | None = None,
    marks: MarksColumn | None = None,
    protocol: StudyProtocol | None = None,
) -> Manifest:
    """Read a manifest: CSV with the columns patient, role, date, volume, landmarks, or JSON with a list of such objects.

    Paths are absolute or relative to the manifest. `common_templates` are for the patients without a template of their
    own; `marks` tells what the files in the last column are instead of landmarks. With a `protocol` there are no templates,
    and the columns role and landmarks may be missing. Raises UsageError, naming the line and the column of each mistake;
    landmark files are read, volumes only looked for: one that is missing is a doubt.
    """
    rows = read_rows(path, _COLUMNS_WITH_PROTOCOL if protocol else COLUMNS)
    # A report may be made from another folder than the study was run from, and workers of a cluster run elsewhere.
    check = _Check(path.absolute().parent, csv_frame, marks, protocol)
    scans = [scan for row in rows if (scan := check.scan(row)) is not None]
    plan = _plan(scans, common_templates, check)
    if check.mistakes:
        raise UsageError(_mistakes_text(path, check.mistakes))
    return Manifest(plan, tuple(check.doubts), _marks_of(plan, scans))


@dataclass(frozen=True)
class _ListedScan:
    row: Row
    patient: str
    role: str
    date: str
    path: Path
    landmarks: Path | None


@dataclass
class _Check:
    """Turns rows into scans and notes what is wrong with them, so that all mistakes are told at once."""

    folder: Path
    csv_frame: str | None
    marks: MarksColumn | None = None
    protocol: StudyProtocol | None = None
    mistakes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def scan(self, row: Row) -> _ListedScan | None:
        """The scan of a row, None where it has mistakes."""
        before = len(self.mistakes)
        values = {column: row.values.get(column, "").strip() for column in COLUMNS}
        for column, value in values.items():
            if printable(value) != value:
                self.mistake(row, column, f"{value[:80]!r} holds a sign that can't be shown; write it anew.")
                return None
        if not values["patient"]:
            self.mistake(row, "patient", "it is empty; give every scan its patient.")
        role = self._role(row, values["role"])
        when = self._date(row, values["date"])
        path = self._volume(row, values["volume"], role)
        landmarks = self._landmarks(row, values["landmarks"], role)
        if len(self.mistakes) > before:
            return None
        return _ListedScan(row, values["patient"], role, when, path, landmarks)

    def mistake(self, row: Row, column: str, text: str) -> None:
        """Note what is wrong in a column of a row."""
        self.mistakes.append(f"{row.where}, column {column}: {text}")

    def _role(self, row: Row, text: str) -> str:
        role = text.lower() or (FOLLOW_UP if self.protocol else "")
        if role not in (TEMPLATE, FOLLOW_UP):
            self.mistake(row, "role", f"{text!r} is no role; write {TEMPLATE} or {FOLLOW_UP}.")
        elif self.protocol and role == TEMPLATE:
            told = f"with a protocol there is no {TEMPLATE}; write {FOLLOW_UP}, or give no --protocol."
            self.mistake(row, "role", told)
        return role

    def _date(self, row: Row, text: str) -> str:
        if not text:
            return ""
        digits = f"{text[:4]}-{text[4:6]}-{text[6:]}" if text.isdigit() and len(text) == 8 else text
        try:
            return date.fromisoformat(digits).isoformat()
        except ValueError:
            self.mistake(row, "date", f"{text!r} is no date; write it like 2024-05-31, or leave it empty.")
            return ""

    def _volume(self, row: Row, text: str, role: str) -> Path:
        path = self.folder / text
        if not text:
            self.mistake(row, "volume", "it is empty; give the path of a volume file or of a DICOM folder.")
        elif (fault := _fault_of(path)) is not None:
            self.mistake(row, "volume", f"{str(path)[:200]!r} can't be looked for ({fault}); check the path.")
        elif not path.exists():
            missing = f"{path} does not exist"
            if role == TEMPLATE:
                self.mistake(row, "volume", f"{missing}; check the path.")
            else:
                self.doubts.append(f"{row.where}, column volume: {missing}; it will be recorded as failed.")
        return path

    def _landmarks(self, row: Row, text: str, role: str) -> Path | None:
        if self.marks is not None:
            return self._marks(row, text, role, self.marks)
        if role != TEMPLATE:
            if text and role == FOLLOW_UP:
                self.mistake(row, "landmarks", f"only a {TEMPLATE} has landmarks; leave it empty.")
            return None
        if not text:
            self.mistake(row, "landmarks", f"it is empty; a {TEMPLATE} needs its landmarks' file.")
            return None
        try:
            LandmarkSet.read(self.folder / text, self.csv_frame)
        except SAMLandmarkError as error:
            self.mistake(row, "landmarks", str(error))
        return self.folder / text

    def _marks(self, row: Row, text: str, role: str, marks: MarksColumn) -> Path | None:
        if not text:
            if role == TEMPLATE and marks.default is None:
                self.mistake(row, "landmarks", f"it is empty; a {TEMPLATE} needs the file of its lesions.")
            return marks.default if role == TEMPLATE else None
        try:
            marks.read(self.folder / text)
        except SAMLandmarkError as error:
            self.mistake(row, "landmarks", str(error))
        return self.folder / text


def _marks_of(plan: StudyPlan, listed: Sequence[_ListedScan]) -> dict[str, Path]:
    """The files of marks by the key of their scan."""
    files = {(item.patient, item.path): item.landmarks for item in listed if item.landmarks is not None}
    scans = [
        scan
        for patient in plan.patients
        for scan in (*(template.scan for template in patient.templates), *patient.follow_ups)
    ]
    return {scan.key: files[scan.patient, scan.path] for scan in scans if (scan.patient, scan.path) in files}


def _fault_of(path: Path) -> str | None:
    """Why the system can't even look for a path, such as its length; None where it can."""
    try:
        path.exists()
        path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None


def _plan(scans: Sequence[_ListedScan], common_templates: Sequence[Template], check: _Check) -> StudyPlan:
    patients: dict[str, list[_ListedScan]] = {}
    for scan in scans:
        patients.setdefault(scan.patient, []).append(scan)
    _refuse_repeated_volumes(scans, check)
    _refuse_shared_folders(patients, check)
    plans = (_patient_plan(name, listed, common_templates, check) for name, listed in patients.items())
    rule = PROTOCOL_RULE if check.protocol else RULE
    return StudyPlan(tuple(plan for plan in plans if plan is not None), rule)


def _refuse_repeated_volumes(scans: Iterable[_ListedScan], check: _Check) -> None:
    seen: dict[tuple[str, Path], _ListedScan] = {}
    for scan in scans:
        first = seen.setdefault((scan.patient, scan.path.resolve()), scan)
        if first is not scan:
            check.mistake(
                scan.row, "volume", f"{scan.path} is the patient's volume of {first.row.where} again."
            )


def _refuse_shared_folders(patients: Mapping[str, list[_ListedScan]], check: _Check) -> None:
    seen: dict[str, str] = {}
    for patient, scans in patients.items():
        first = seen.setdefault(folder_name(patient).casefold(), patient)
        if first != patient:
            check.mistake(
                scans[0].row,
                "patient",
                f"{patient!r} and {first!r} would get the same folder; tell them apart by more than capitals or signs.",
            )


def _patient_plan(
    patient: str, listed: Sequence[_ListedScan], common_templates: Sequence[Template], check: _Check
) -> PatientPlan | None:
    names = distinct_names([scan.path for scan in listed])
    scans = [StudyScan(patient, name, scan.path, scan.date) for name, scan in zip(names, listed, strict=True)]
    templates = [
        Template(scan, item.landmarks)
        for scan, item in zip(scans, listed, strict=True)
        if item.role == TEMPLATE and item.landmarks is not None
    ]
    follow_ups = [scan for scan, item in zip(scans, listed, strict=True) if item.role == FOLLOW_UP]
    if not templates and not common_templates and check.protocol is None:
        check.mistake(
            listed[0].row,
            "role",
            f"patient {patient} has no {TEMPLATE}; add one, or give one for all with --template and --landmarks, or a "
            "--protocol.",
        )
        return None
    # Those without a date stay where the manifest has them, at the end.
    follow_ups.sort(key=lambda scan: scan.date or "9999")
    chosen = tuple(templates or common_templates)
    return PatientPlan(patient, chosen, tuple(follow_ups), protocol=check.protocol)


def _mistakes_text(path: Path, mistakes: Sequence[str]) -> str:
    rest = len(mistakes) - _MISTAKES_SHOWN
    more = f"\n  and {rest} more" if rest > 0 else ""
    return f"{path} has mistakes:\n  " + "\n  ".join(mistakes[:_MISTAKES_SHOWN]) + more
