"""A DICOM series from its files, with its geometry computed from the position of every slice.

pydicom reads the headers. The map to LPS comes from the slices themselves and not from ITK, which looks only at the
first two: so missing slices are noticed, and the stack of a tilted gantry stays sheared as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.modality import CT, MR_BRAIN
from ..utils.errors import VolumeError
from .dicom_header import FileHeader
from .dicom_pixels import PixelError, check_pixels, check_slices_agree, is_cut_short, read_pixels
from .dicom_series import by_series, describe, headers_of, listed, refuse_damaged, slices_of_folder
from .dicom_stack import SliceStack, StackError

DicomContents = tuple[NDArray[Any], NDArray[np.float64], tuple[str, ...], str]
"""Array `[z, y, x]`, of CT in HU, 4x4 `ijk_to_lps`, doubts about them, and the name of their modality."""
_PARTS_OF_THE_HEAD = (
    "HEAD",
    "BRAIN",
    "SKULL",
    "SELLA",
    "PITUITARY",
    "ORBIT",
    "FACE",
    "EAR",
    "IAC",
    "NECK",
    "CEREB",
)


def read_dicom_folder(folder: Path, series: Sequence[str] = ()) -> DicomContents:
    """Read the one DICOM series in `folder` that is a volume, or the one whose number or UID is in `series`.

    Raises VolumeError where there is none or more than one (each is named), where slices are missing (each gap is
    named), share a place or aren't parallel, and where a file can't be decoded or its values can't be believed.
    """
    return read_slices(slices_of_folder(folder, series), folder)


def read_dicom_files(folder: Path, files: Sequence[str]) -> DicomContents:
    """Read the DICOM series whose slices are `files`, in any order and relative to `folder`.

    Raises VolumeError as `read_dicom_folder` does, and where a file is missing.
    """
    paths = {folder / file: file for file in files}
    if not paths:
        raise VolumeError(f"{folder}: no files of a DICOM series are named; name those of all its slices.")
    if missing := [file for path, file in paths.items() if not path.is_file()]:
        raise VolumeError(f"{folder}: {listed(missing)} do not exist any more; check the folder.")
    headers = headers_of(list(paths))
    refuse_damaged([file for path, file in paths.items() if path not in headers], folder)
    _check_one_series(list(headers.values()), folder)
    return read_slices(list(headers.values()), folder)


def _check_one_series(files: Sequence[FileHeader], folder: Path) -> None:
    series = by_series(files)
    if len(series) > 1:
        described = "; ".join(map(describe, series))
        raise VolumeError(
            f"{folder}: the files named are of {len(series)} DICOM series: {described}. Name those of one."
        )


def read_slices(files: Sequence[FileHeader], folder: Path) -> DicomContents:
    """Read the volume whose slices have these headers; raises VolumeError as `read_dicom_folder` does."""
    _check_single_frames(files, folder)
    refuse_damaged([file.path.name for file in files if is_cut_short(file)], folder)
    with _about(folder):
        for file in files:
            _check_file(file)
        stack = SliceStack.from_values([file.place for file in files])
        order = stack.order
        _check_agreement(files)
        geometry = stack[order].geometry()
        slices = _slices([files[number] for number in order])
        doubts = (*_doubts_about(files[0]), *geometry.doubts)
        return geometry.volume_of(slices), geometry.ijk_to_lps, doubts, modality_of(files[0])


@contextmanager
def _about(folder: Path) -> Iterator[None]:
    """Say of which folder an error about a stack or about pixels speaks."""
    try:
        yield
    except (StackError, PixelError) as error:
        raise VolumeError(f"{folder}: {error}") from error


def _check_single_frames(files: Sequence[FileHeader], folder: Path) -> None:
    # Before the places, since a file of many frames has no single one.
    for file in files:
        if file.frames > 1:
            raise VolumeError(
                f"{folder}: {file.path.name} holds {file.frames} frames in one file (enhanced DICOM), whose places "
                "can't be checked; convert it to NIfTI, for example with dcm2niix."
            )


def _check_file(file: FileHeader) -> None:
    if file.pixels is not None:
        try:
            check_pixels(file.pixels)
        except PixelError as error:
            raise PixelError(f"{file.path.name} {error}; give a CT series as the scanner made it.") from error


def _check_agreement(files: Sequence[FileHeader]) -> None:
    try:
        check_slices_agree(files)
    except PixelError as error:
        raise PixelError(
            f"its slices can't be read as one volume; {error}. Export the series again, or give one scan alone."
        ) from error


def _slices(files: Sequence[FileHeader]) -> NDArray[Any]:
    """The values of slices as an array `[n, y, x]`."""
    values = []
    for file in files:
        try:
            values.append(read_pixels(file))
        except PixelError as error:
            raise PixelError(f"{file.path.name} {error}; copy or export the series again.") from error
    return np.stack(values)


def _doubts_about(file: FileHeader) -> tuple[str, ...]:
    modality = file.modality or "CT"
    if modality == "MR":
        return () if _shows_head(file.body_part) else (_no_head(file.body_part),)
    return () if modality == "CT" else (f"its modality is {modality}, not CT; landmarks will be unreliable.",)


def modality_of(file: FileHeader) -> str:
    """The name of the modality of a series, as far as there is a model for it."""
    return MR_BRAIN.name if file.modality == "MR" else CT.name


def _shows_head(body_part: str) -> bool:
    """Whether it may be the head: many series do not tell their body part."""
    return not body_part or any(part in body_part for part in _PARTS_OF_THE_HEAD)


def _no_head(body_part: str) -> str:
    return f"its body part is {body_part[:20]}, but the model of MR knows heads alone; landmarks will be unreliable."
