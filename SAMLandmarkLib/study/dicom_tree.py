"""What lies in a tree of DICOM folders: every series, found by reading headers and no pixels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..core.geometry import spacing_of
from ..io.dicom_header import FileHeader, pydicom_or_error, quiet_pydicom, read_header
from ..io.dicom_series import without_copies
from ..io.dicom_stack import SliceStack, StackError
from ..utils.errors import UsageError
from ..utils.progress import Progress
from .identity import Person

# Reading a header is waiting for the disk or the network more than computing.
_THREADS = 8
_FILES_A_STEP = 64
_DIRECTORY_NAME = "DICOMDIR"


@dataclass(frozen=True)
class DicomSeries:
    """A series of images.

    `patient` is the patient's id, or the name only where there is no id. `date` is ISO 8601, empty where unknown.
    `spacing_mm` along i, j, k and `extent_mm` along the slices are None and 0 where the images are not one volume;
    `no_volume` then says why. `files` are relative to `folder`. `persons` are all whom its images name, usually one.
    """

    patient: str
    study_uid: str
    date: str
    time: str
    study_description: str
    series_uid: str
    number: int | None
    description: str
    modality: str
    image_type: tuple[str, ...]
    frame_of_reference_uid: str
    folder: Path
    files: tuple[str, ...]
    spacing_mm: tuple[float, float, float] | None = None
    extent_mm: float = 0.0
    no_volume: str = ""
    persons: tuple[Person, ...] = ()

    @property
    def slices(self) -> int:
        """How many images it has."""
        return len(self.files)

    def __str__(self) -> str:
        number = "without number" if self.number is None else self.number
        description = self.description or "no description"
        return f"series {number} ({description}, {self.modality or 'unknown modality'}, {self.slices} images)"


@dataclass(frozen=True)
class DicomIndex:
    """All series below `root`, by patient, study and number.

    `unreadable` are the files that are no DICOM or damaged, `copies` those that hold the same image as another one
    and are not used; both relative to `root`.
    """

    root: Path
    series: tuple[DicomSeries, ...]
    unreadable: tuple[Path, ...] = ()
    copies: tuple[Path, ...] = ()


def index_dicom_tree(root: Path, progress: Progress | None = None) -> DicomIndex:
    """Find every DICOM series in a folder and all below it; no file in it makes this fail.

    Links are followed, each folder is visited once; hidden files and DICOMDIR are not looked at. Raises UsageError
    where `root` is no folder, or pydicom is not installed.
    """
    if not root.is_dir():
        raise UsageError(
            f"{root} is not a folder; give the one in which the DICOM files lie, or one above it."
        )
    root = root.absolute()
    return index_dicom_files(root, sorted(_files_below(root)), progress)


def index_dicom_files(root: Path, paths: Sequence[Path], progress: Progress | None = None) -> DicomIndex:
    """Every DICOM series in the files of a list, all of which lie below `root`; no file in it makes this fail.

    Raises UsageError where pydicom is not installed.
    """
    pydicom_or_error()
    headers: list[FileHeader] = []
    unreadable: list[Path] = []
    for path, header in zip(paths, _read_headers(paths, progress), strict=True):
        if header is None:
            unreadable.append(path.relative_to(root))
        else:
            headers.append(header)
    used, copies = without_copies(headers)
    series = sorted(map(_series, _by_series(used)), key=_place_in_index)
    return DicomIndex(
        root, tuple(series), tuple(unreadable), tuple(path.relative_to(root) for path in copies)
    )


def _files_below(root: Path) -> Iterator[Path]:
    visited: set[tuple[int, int]] = set()
    for folder, subfolders, names in os.walk(root, onerror=_refuse_closed_folder, followlinks=True):
        place = os.stat(folder)
        if (place.st_dev, place.st_ino) in visited:
            # A link to a folder above or beside it; its files are there already.
            subfolders.clear()
            continue
        visited.add((place.st_dev, place.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        shown = (name for name in names if not name.startswith(".") and name.upper() != _DIRECTORY_NAME)
        yield from (Path(folder, name) for name in shown)


def _refuse_closed_folder(error: OSError) -> None:
    """A folder that can't be looked into may hold half of the study, which must not be missing silently."""
    raise UsageError(f"{error.filename} can't be read ({error.strerror}); check the permissions.") from error


def _read_headers(paths: Sequence[Path], progress: Progress | None) -> Iterator[FileHeader | None]:
    with quiet_pydicom(), ThreadPoolExecutor(_THREADS) as pool:
        for number, header in enumerate(pool.map(read_header, paths)):
            if progress is not None and number % _FILES_A_STEP == 0:
                progress("indexing", number / len(paths))
            yield header
    if progress is not None:
        progress("indexing", 1.0)


def _by_series(headers: Iterable[FileHeader]) -> list[list[FileHeader]]:
    series: dict[tuple[str, str, str], list[FileHeader]] = {}
    for header in headers:
        series.setdefault((header.patient, header.study_uid, header.series_uid), []).append(header)
    return list(series.values())


def _series(headers: list[FileHeader]) -> DicomSeries:
    first = headers[0]
    folder = Path(os.path.commonpath([header.path.parent for header in headers]))
    spacing, extent, no_volume = _geometry(headers)
    return DicomSeries(
        patient=first.patient,
        study_uid=first.study_uid,
        date=first.date,
        time=first.time,
        study_description=first.study_description,
        series_uid=first.series_uid,
        number=first.series_number,
        description=first.series_description,
        modality=first.modality,
        image_type=first.image_type,
        frame_of_reference_uid=first.frame_of_reference_uid,
        folder=folder,
        files=tuple(header.path.relative_to(folder).as_posix() for header in headers),
        spacing_mm=spacing,
        extent_mm=extent,
        no_volume=no_volume,
        persons=tuple(dict.fromkeys(map(Person.of, headers))),
    )


def _geometry(headers: list[FileHeader]) -> tuple[tuple[float, float, float] | None, float, str]:
    """Spacing and extent in mm, and why the images are not one volume."""
    if any(header.frames > 1 for header in headers):
        reason = "its files hold several frames each (enhanced DICOM); convert it to NIfTI, for example with dcm2niix."
        return None, 0.0, reason
    try:
        stack = SliceStack.from_values([header.place for header in headers])
        ijk_to_lps = stack[stack.order].ijk_to_lps()
    except StackError as error:
        return None, 0.0, str(error)
    if len(stack) == 1:
        return None, 0.0, ""
    spacing = tuple(float(value) for value in spacing_of(ijk_to_lps))
    return spacing, stack.extent_mm, ""


def _place_in_index(series: DicomSeries) -> tuple:
    number = float("inf") if series.number is None else series.number
    return (series.patient, series.date, series.time, series.study_uid, number, series.series_uid)
