"""Which files of a folder are the slices of the one CT series in it."""

from __future__ import annotations

import filecmp
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..utils.errors import VolumeError
from .dicom_header import FileHeader, pydicom_or_error, quiet_pydicom, read_header
from .dicom_stack import SliceStack, StackError

# Media storage class (0002,0002): CT Image Storage. It stands within the first bytes of a file.
_CT_IMAGE = b"\x02\x00\x02\x00UI\x1a\x001.2.840.10008.5.1.4.1.1.2\x00"
_META_BYTES = 1024
# Fewer slices are no volume, but a scout view, a dose report or a picture that someone saved.
_FEWEST_SLICES = 4
# Longer lists are cut off in messages.
_NAMED = 5


class SeveralSeriesError(VolumeError):
    """A folder holds more than one series that is a volume; `series` describes each."""

    def __init__(self, folder: Path, series: Sequence[str]) -> None:
        self.series = tuple(series)
        super().__init__(
            f"{folder} holds {len(series)} DICOM series: {'; '.join(series)}. Name one by its number or UID (--series), or "
            "put the files of the one that you want into a folder of their own."
        )


def slices_of_folder(folder: Path, series: Sequence[str] = ()) -> list[FileHeader]:
    """The headers of the slices of the one series in `folder`, or of the one whose number or UID is in `series`.

    What is no volume (a dose report, a scout view) does not count where there is a volume, and a copy of a slice is
    used once. Raises VolumeError where there is no series, none of those named, or a slice is damaged, and
    SeveralSeriesError.
    """
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    headers = headers_of(paths)
    refuse_damaged([path.name for path in paths if path not in headers and _claims_ct_slice(path)], folder)
    images = [header for header in headers.values() if header.pixels is not None and header.is_image]
    found = by_series(images)
    if not found:
        raise VolumeError(
            f"{folder} holds no DICOM images; give the folder in which the files of one series lie, not one "
            "above it."
        )
    return without_copies(_chosen(found, folder, series))[0]


def headers_of(paths: Sequence[Path]) -> dict[Path, FileHeader]:
    """The headers, with what they say of the pixels, of those files that are DICOM and not damaged."""
    pydicom_or_error()
    with quiet_pydicom():
        headers = {path: read_header(path, with_pixels=True) for path in paths}
    return {path: header for path, header in headers.items() if header is not None}


def _chosen(found: list[list[FileHeader]], folder: Path, series: Sequence[str]) -> list[FileHeader]:
    if series:
        held, found = found, [files for files in found if _names(files) & set(series)]
        if not found:
            raise VolumeError(
                f"{folder} holds no series {listed(series)}, but {'; '.join(map(describe, held))}. Name one of these by its "
                "number or UID (--series may be given several times)."
            )
    if len(found) == 1:
        return found[0]
    volumes = [files for files in found if is_volume(files)]
    if len(volumes) != 1:
        raise SeveralSeriesError(folder, [describe(files) for files in volumes or found])
    return volumes[0]


def _names(files: Sequence[FileHeader]) -> set[str]:
    return {str(files[0].series_number), files[0].series_uid}


def is_volume(files: Sequence[FileHeader]) -> bool:
    """Whether images are a stack of slices at different places, and no scout views."""
    if len(files) < _FEWEST_SLICES or "LOCALIZER" in files[0].image_type:
        return False
    try:
        stack = SliceStack.from_values([file.place for file in files])
    except StackError:
        return False
    return len({round(float(height), 2) for height in stack.heights_mm}) >= _FEWEST_SLICES


def describe(files: Sequence[FileHeader]) -> str:
    """A series in words: its number, description, modality and number of slices."""
    first = files[0]
    number = "without number" if first.series_number is None else first.series_number
    description = first.series_description or "no description"
    modality = first.modality or "unknown modality"
    return f"series {number} ({description}, {modality}, {len(files)} slices)"


def refuse_damaged(names: list[str], folder: Path) -> None:
    """Raise VolumeError where files that should be slices, `names`, can't be read."""
    if names:
        raise VolumeError(
            f"{folder}: {listed(names)} can't be read as DICOM; they may be cut short, so copy or export the "
            "series again."
        )


def listed(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + rest


def by_series(headers: Sequence[FileHeader]) -> list[list[FileHeader]]:
    """Images apart by their series, or by its number and description where they name no UID."""
    series: dict[str, list[FileHeader]] = {}
    for header in headers:
        key = header.series_uid or f"{header.series_number} {header.series_description}"
        series.setdefault(key, []).append(header)
    return list(series.values())


def without_copies(headers: Iterable[FileHeader]) -> tuple[list[FileHeader], list[Path]]:
    """Each image once, and the files that hold one of them again, byte by byte.

    What calls itself the same image but has other bytes stays, for the stack to refuse it.
    """
    used: dict[tuple[object, ...], FileHeader] = {}
    others: list[FileHeader] = []
    copies: list[Path] = []
    for header in headers:
        # Some converters give all images the same UID, so their places must be the same too.
        first = used.setdefault(
            (header.series_uid, header.instance_uid, header.place, header.number_in_series), header
        )
        if first is header:
            continue
        if filecmp.cmp(first.path, header.path, shallow=False):
            copies.append(header.path)
        else:
            others.append(header)
    return [*used.values(), *others], copies


def _claims_ct_slice(path: Path) -> bool:
    """Whether the beginning of a file says that it is a CT image, and not a report or something else."""
    with open(path, "rb") as file:
        start = file.read(_META_BYTES)
    return start[128:132] == b"DICM" and _CT_IMAGE in start
