"""A study written down by hand: a table of patients, their scans, and the landmarks of those that are templates."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from ..errors import SAMLandmarkError, UsageError
from ..landmarks import LandmarkSet
from ..target_names import distinct_names, folder_name
from .plan import PatientPlan, StudyPlan, StudyScan, Template

COLUMNS = ("patient", "role", "date", "volume", "landmarks")
TEMPLATE, FOLLOW_UP = "template", "follow-up"
RULE = (
    "Templates and follow-ups as the manifest says; the first template of a patient counts, further ones make the "
    "transfer surer."
)
_MISTAKES_SHOWN = 20


@dataclass(frozen=True)
class Manifest:
    """A study's plan, and what is odd about it but does not stop it."""

    plan: StudyPlan
    doubts: tuple[str, ...]


def read_manifest(
    path: Path, common_templates: Sequence[Template] = (), csv_frame: str | None = None
) -> Manifest:
    """Read a manifest: CSV with the columns patient, role, date, volume, landmarks, or JSON with a list of such objects.

    Paths are absolute or relative to the manifest. `common_templates` are for the patients without a template of their
    own. Raises UsageError, naming the line and the column of each mistake; landmark files are read, volumes only looked
    for: one that is missing is a doubt.
    """
    rows = _read_rows(path)
    # A report may be made from another folder than the study was run from, and workers of a cluster run elsewhere.
    check = _Check(path.absolute().parent, csv_frame)
    scans = [scan for row in rows if (scan := check.scan(row)) is not None]
    plan = _plan(scans, common_templates, check)
    if check.mistakes:
        raise UsageError(_mistakes_text(path, check.mistakes))
    return Manifest(plan, tuple(check.doubts))


@dataclass(frozen=True)
class _Row:
    """A line of the manifest: where it stands, and its values by column."""

    where: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class _ListedScan:
    row: _Row
    patient: str
    role: str
    date: str
    path: Path
    landmarks: Path | None


def _read_rows(path: Path) -> list[_Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(
            f"{path} can't be read as a manifest: {reason}; give a .csv or .json file."
        ) from error
    rows = _rows_of_json(path, text) if path.suffix.lower() == ".json" else _rows_of_csv(path, text)
    if not rows:
        raise UsageError(f"{path} lists no scans; write a line for each template and each follow-up.")
    return rows


def _rows_of_csv(path: Path, text: str) -> list[_Row]:
    first_line = text.partition("\n")[0]
    # what spreadsheets write where the comma is the decimal point
    separator = ";" if ";" in first_line and "," not in first_line else ","
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    try:
        lines = [(reader.line_num, line) for line in reader if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}: {error}; check the quotes.") from error
    if not lines:
        return []
    header = [name.strip().lower() for name in lines[0][1]]
    _require_columns(path, header)
    too_long = [number for number, line in lines if len(line) > len(header)]
    if too_long:
        raise UsageError(
            f"{path}, line {too_long[0]}: there are more cells than the {len(header)} columns of the first line; put "
            'values with a comma into "quotes".'
        )
    return [_Row(f"line {number}", dict(zip(header, line, strict=False))) for number, line in lines[1:]]


def _require_columns(path: Path, header: Sequence[str]) -> None:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise UsageError(
            f"{path}, line 1: the columns {', '.join(missing)} are missing; the first line must name "
            f"{', '.join(COLUMNS)}, and is {', '.join(header)}."
        )
    repeated = [name for name in COLUMNS if list(header).count(name) > 1]
    if repeated:
        raise UsageError(f"{path}, line 1: the column {repeated[0]} is there twice; keep one.")


def _rows_of_json(path: Path, text: str) -> list[_Row]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{path}, line {error.lineno}, column {error.colno}: {error.msg}; mend the JSON."
        ) from error
    entries = document.get("scans") if isinstance(document, dict) else document
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(
            f'{path}: a manifest in JSON is a list of objects with {", ".join(COLUMNS)}, or {{"scans": [...]}}.'
        )
    return [
        _Row(f"entry {number}", {key: _json_text(value) for key, value in entry.items()})
        for number, entry in enumerate(entries, start=1)
    ]


def _json_text(value: Any) -> str:
    return "" if value is None else str(value)


@dataclass
class _Check:
    """Turns rows into scans and notes what is wrong with them, so that all mistakes are told at once."""

    folder: Path
    csv_frame: str | None
    mistakes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def scan(self, row: _Row) -> _ListedScan | None:
        """The scan of a row, None where it has mistakes."""
        before = len(self.mistakes)
        values = {column: row.values.get(column, "").strip() for column in COLUMNS}
        if not values["patient"]:
            self.mistake(row, "patient", "it is empty; give every scan its patient.")
        role = values["role"].lower()
        if role not in (TEMPLATE, FOLLOW_UP):
            self.mistake(row, "role", f"{values['role']!r} is no role; write {TEMPLATE} or {FOLLOW_UP}.")
        when = self._date(row, values["date"])
        path = self._volume(row, values["volume"], role)
        landmarks = self._landmarks(row, values["landmarks"], role)
        if len(self.mistakes) > before:
            return None
        return _ListedScan(row, values["patient"], role, when, path, landmarks)

    def mistake(self, row: _Row, column: str, text: str) -> None:
        """Note what is wrong in a column of a row."""
        self.mistakes.append(f"{row.where}, column {column}: {text}")

    def _date(self, row: _Row, text: str) -> str:
        if not text:
            return ""
        digits = f"{text[:4]}-{text[4:6]}-{text[6:]}" if text.isdigit() and len(text) == 8 else text
        try:
            return date.fromisoformat(digits).isoformat()
        except ValueError:
            self.mistake(row, "date", f"{text!r} is no date; write it like 2024-05-31, or leave it empty.")
            return ""

    def _volume(self, row: _Row, text: str, role: str) -> Path:
        path = self.folder / text
        if not text:
            self.mistake(row, "volume", "it is empty; give the path of a volume file or of a DICOM folder.")
        elif not path.exists():
            missing = f"{path} does not exist"
            if role == TEMPLATE:
                self.mistake(row, "volume", f"{missing}; check the path.")
            else:
                self.doubts.append(f"{row.where}, column volume: {missing}; it will be recorded as failed.")
        return path

    def _landmarks(self, row: _Row, text: str, role: str) -> Path | None:
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


def _plan(scans: Sequence[_ListedScan], common_templates: Sequence[Template], check: _Check) -> StudyPlan:
    patients: dict[str, list[_ListedScan]] = {}
    for scan in scans:
        patients.setdefault(scan.patient, []).append(scan)
    _refuse_repeated_volumes(scans, check)
    _refuse_shared_folders(patients, check)
    plans = (_patient_plan(name, listed, common_templates, check) for name, listed in patients.items())
    return StudyPlan(tuple(plan for plan in plans if plan is not None), RULE)


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
        if item.landmarks is not None
    ]
    follow_ups = [scan for scan, item in zip(scans, listed, strict=True) if item.role == FOLLOW_UP]
    if not templates and not common_templates:
        check.mistake(
            listed[0].row,
            "role",
            f"patient {patient} has no {TEMPLATE}; add one, or give one for all with --template and --landmarks.",
        )
        return None
    # Those without a date stay where the manifest has them, at the end.
    follow_ups.sort(key=lambda scan: scan.date or "9999")
    return PatientPlan(patient, tuple(templates or common_templates), tuple(follow_ups))


def _mistakes_text(path: Path, mistakes: Sequence[str]) -> str:
    rest = len(mistakes) - _MISTAKES_SHOWN
    more = f"\n  and {rest} more" if rest > 0 else ""
    return f"{path} has mistakes:\n  " + "\n  ".join(mistakes[:_MISTAKES_SHOWN]) + more
