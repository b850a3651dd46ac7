"""Exams of several series in planes that follow the anatomy, from DICOM files or NIfTI stacks.

Series belong to one exam where they share a frame of reference; of NIfTI files those of one folder below the top do. What
cannot be used is told with the reason, and the rest is used.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.planes import SlicePlane, angle_degrees
from ..core.slice_order import GREATEST_ANGLE_DEGREES
from ..utils.errors import SAMLandmarkError, UsageError, VolumeError
from .dicom_header import FileHeader
from .dicom_pixels import check_pixels, is_cut_short, read_pixels
from .dicom_series import headers_of
from .volume_files import read_volume_file
from .volume_paths import VOLUME_SUFFIXES, files_ending, printable, volume_name

MASK_NAME = re.compile(r"(^|[_\-. ])(mask|label|labels|seg|segmentation|gt)([_\-. ]|$)", re.IGNORECASE)
"""Names of files that hold no picture."""
VIEWS = (
    ("four chambers", re.compile(r"4[\s_-]*ch?(amber)?\b|\b4c\b|four[\s_-]*ch", re.IGNORECASE)),
    ("three chambers", re.compile(r"3[\s_-]*ch?(amber)?\b|lvot|three[\s_-]*ch", re.IGNORECASE)),
    ("two chambers", re.compile(r"2[\s_-]*ch?(amber)?\b|\bvla\b|two[\s_-]*ch", re.IGNORECASE)),
    ("short axis", re.compile(r"\bs(a|ax|ao)\b|short[\s_-]*axis", re.IGNORECASE)),
)
"""Cardiac views by words in the descriptions of their series; other series are called by their description."""


@dataclass(frozen=True, eq=False)
class ExamSlice:
    """One picture: `values [rows, columns]` float32 as the file has them, and where it lies."""

    name: str
    plane: SlicePlane
    values: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ExamSeries:
    """Parallel slices of one view, in the order of the files; `thickness_mm` is None where nothing says it."""

    view: str
    slices: tuple[ExamSlice, ...]
    thickness_mm: float | None = None

    @property
    def planes(self) -> list[SlicePlane]:
        """Where the slices lie."""
        return [part.plane for part in self.slices]

    def first_in_place(self) -> ExamSeries:
        """The series with one picture for each place: of a film of the beating heart the first."""
        kept: list[ExamSlice] = []
        for part in self.slices:
            if all(np.abs(part.plane.center_lps - other.plane.center_lps).max() > 0.01 for other in kept):
                kept.append(part)
        return ExamSeries(self.view, tuple(kept), self.thickness_mm)


@dataclass(frozen=True, eq=False)
class Exam:
    """Series that share a frame of reference."""

    name: str
    series: tuple[ExamSeries, ...]

    def summary(self) -> str:
        """What the exam has, in one line."""
        views = ", ".join(f"{series.view} ({len(series.slices)})" for series in self.series)
        return f"{self.name}: {views}"


@dataclass(frozen=True)
class ExamFolder:
    """All exams below a folder, by name, and sentences about what was left out or taken to be so."""

    exams: tuple[Exam, ...]
    notes: tuple[str, ...]


def read_exams(folder: Path) -> ExamFolder:
    """Read every exam below a folder; UsageError where the folder is missing or holds none that can be used."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; name the one that holds the exams.")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    stacks = files_ending(paths, VOLUME_SUFFIXES)
    notes: list[str] = []
    exams = [
        *_dicom_exams([path for path in paths if path not in set(stacks)], folder, notes),
        *_stack_exams(stacks, folder, notes),
    ]
    if not exams:
        reasons = " ".join(notes[:5]) or "It has neither DICOM files nor NIfTI, NRRD or MetaImage stacks."
        raise UsageError(f"{folder} holds no exam that can be used. {reasons}")
    return ExamFolder(tuple(sorted(exams, key=lambda exam: exam.name)), tuple(notes))


def view_of(description: str) -> str:
    """The view that a series' description names; the description itself, in small letters, where it names none known.

    >>> view_of("cine_trufi_retro 4CH"), view_of("T1 Knee  sag")
    ('four chambers', 't1 knee sag')
    """
    spaced = description.replace("_", " ")
    known = next((view for view, words in VIEWS if words.search(spaced)), None)
    return known or " ".join(printable(description).lower().split()) or "no description"


def _dicom_exams(paths: Sequence[Path], folder: Path, notes: list[str]) -> list[Exam]:
    candidates = [path for path in paths if path.suffix.lower() in ("", ".dcm", ".dicom", ".ima")]
    if not candidates:
        return []
    headers = headers_of(candidates)
    exams: dict[tuple[str, str], list[FileHeader]] = defaultdict(list)
    seen: set[str] = set()
    for path in candidates:
        header = headers.get(path)
        reason = "is no DICOM file, or damaged" if header is None else _why_not(header)
        if header is not None and header.instance_uid in seen:
            reason = "is a copy of another file"
        if header is None or reason:
            notes.append(f"{path.relative_to(folder)} {reason}; it was left out.")
        else:
            seen.update(filter(None, [header.instance_uid]))
            exams[header.patient, _frame(header, folder, notes)].append(header)
    patients = [patient for patient, _ in exams]
    made = []
    for number, ((patient, _reference), files) in enumerate(exams.items()):
        several = patients.count(patient) > 1
        name = f"{patient} ({patients[:number].count(patient) + 1})" if several else patient
        made.append(Exam(printable(name), tuple(_series_of(files, folder, notes))))
    return [exam for exam in made if exam.series]


def _frame(header: FileHeader, folder: Path, notes: list[str]) -> str:
    """What tells the frame of reference: its UID, or the folder of a file that has none."""
    if header.frame_of_reference_uid:
        return header.frame_of_reference_uid
    parent = header.path.parent.relative_to(folder).as_posix()
    note = f"The files in {parent} don't name their frame of reference; they are taken to share one."
    if note not in notes:
        notes.append(note)
    return parent


def _why_not(header: FileHeader) -> str:
    """What keeps a file from being used; empty where nothing does."""
    if not header.is_image or header.pixels is None:
        return "holds no picture"
    if header.frames > 1:
        return f"holds {header.frames} frames in one file (enhanced DICOM), whose places can't be checked"
    if [len(part) for part in header.place] != [3, 6, 2]:
        return "does not say where it lies"
    if is_cut_short(header):
        return "is cut short"
    try:
        check_pixels(header.pixels)
    except SAMLandmarkError as error:
        return str(error)
    return ""


def _series_of(files: Iterable[FileHeader], folder: Path, notes: list[str]) -> list[ExamSeries]:
    """The series of an exam: files of one view and one orientation, also where they were acquired as several series."""
    ordered = sorted(files, key=lambda file: (file.series_number or 0, _number(file), file.path.name))
    groups: dict[str, list[list[tuple[ExamSlice, float | None]]]] = defaultdict(list)
    for header in ordered:
        try:
            picture = _slice(header)
        except SAMLandmarkError as error:
            notes.append(f"{header.path.relative_to(folder)} {error}; it was left out.")
            continue
        alike = groups[view_of(header.series_description)]
        parallel = (group for group in alike if _parallel(group[0][0].plane, picture.plane))
        group = next(parallel, None)
        if group is None:
            alike.append(group := [])
        group.append((picture, header.thickness_mm))
    return [
        _series(view if number == 0 else f"{view} {number + 1}", group)
        for view, alike in groups.items()
        for number, group in enumerate(alike)
    ]


def _series(view: str, group: Sequence[tuple[ExamSlice, float | None]]) -> ExamSeries:
    known = [thickness for _, thickness in group if thickness is not None]
    return ExamSeries(view, tuple(part for part, _ in group), float(np.median(known)) if known else None)


def _slice(header: FileHeader) -> ExamSlice:
    pixels = header.pixels
    if pixels is None:
        raise VolumeError("holds no pixels")
    position, orientation, spacing = header.place
    plane = SlicePlane.from_dicom(position, orientation, spacing, pixels.rows, pixels.columns)
    return ExamSlice(header.path.name, plane, _finite(read_pixels(header)))


def _parallel(first: SlicePlane, second: SlicePlane) -> bool:
    return angle_degrees(first, second) <= GREATEST_ANGLE_DEGREES


def _number(file: FileHeader) -> int:
    return int(file.number_in_series) if file.number_in_series.isdecimal() else 0


def _finite(values: NDArray[Any]) -> NDArray[np.float32]:
    numbers = np.asarray(values, dtype=np.float32)
    if not np.isfinite(numbers).all():
        raise VolumeError("holds values that are no numbers")
    return numbers


def _stack_exams(paths: Sequence[Path], folder: Path, notes: list[str]) -> list[Exam]:
    exams: dict[str, list[ExamSeries]] = defaultdict(list)
    for path in paths:
        place = path.relative_to(folder)
        if MASK_NAME.search(volume_name(path)):
            notes.append(f"{place} is a mask by its name; it was left out.")
            continue
        # files beside each other at the top are exams of their own, as in most data sets of one view
        alone = len(place.parts) == 1
        name = volume_name(path) if alone else place.parent.as_posix()
        try:
            series = _stack(path, "stack" if alone else view_of(volume_name(path)))
        except SAMLandmarkError as error:
            notes.append(f"{place} was left out: {error}")
            continue
        exams[printable(name)].append(series)
    return [Exam(name, tuple(series)) for name, series in exams.items()]


def _stack(path: Path, view: str) -> ExamSeries:
    contents = read_volume_file(path)
    planes = SlicePlane.of_stack(contents.ijk_to_lps, contents.array.shape[::-1])
    values = _finite(contents.array)
    step = float(np.linalg.norm(contents.ijk_to_lps[:3, 2]))
    slices = tuple(
        ExamSlice(f"{volume_name(path)} slice {number}", plane, part)
        for number, (plane, part) in enumerate(zip(planes, values))
    )
    return ExamSeries(view, slices, step)
