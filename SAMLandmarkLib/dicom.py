"""A DICOM series from its files, with its geometry computed from the position of every slice.

GDCM finds the series and decodes and rescales the slices. The map to LPS comes from the slices themselves and
not from ITK, which looks only at the first two: so missing slices are noticed, and the stack of a tilted
gantry stays sheared as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .dicom_stack import SliceStack, StackError
from .errors import VolumeError

if TYPE_CHECKING:
    import SimpleITK as sitk

_MODALITY, _SERIES_DESCRIPTION, _SERIES_NUMBER = "0008|0060", "0008|103e", "0020|0011"
_SERIES_UID = "0020|000e"
# Position, orientation, pixel spacing.
_PLACE = ("0020|0032", "0020|0037", "0028|0030")
_FRAMES, _ROWS, _COLUMNS, _BITS_ALLOCATED = "0028|0008", "0028|0010", "0028|0011", "0028|0100"
_RESCALING = ("0028|1052", "0028|1053", "0028|0103")
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
# Media storage class (0002,0002): CT Image Storage. It stands within the first bytes of a file.
_CT_IMAGE = b"\x02\x00\x02\x00UI\x1a\x001.2.840.10008.5.1.4.1.1.2\x00"
_META_BYTES = 1024
# Longer lists are cut off in messages.
_NAMED = 5


DicomContents = tuple[np.ndarray, np.ndarray, tuple[str, ...]]
"""Array `[z, y, x]` in HU, 4x4 `ijk_to_lps`, and doubts about them."""


def read_dicom_folder(folder: Path) -> DicomContents:
    """Read the one DICOM series in `folder`.

    Raises VolumeError where there is no series or more than one (each is named), where slices are missing
    (each gap is named), share a place or aren't parallel, and where a file can't be decoded.
    """
    files = _only_series(folder)
    tags = _read_tags(files[0])
    _check_single_frame(tags, files[0], folder)
    return _read_series(files, tags, folder)


def read_dicom_files(folder: Path, files: Sequence[str]) -> DicomContents:
    """Read the DICOM series whose slices are `files`, in any order and relative to `folder`.

    Raises VolumeError as `read_dicom_folder` does, and where a file is missing.
    """
    paths = [str(folder / file) for file in files]
    if not paths:
        raise VolumeError(f"{folder}: no files of a DICOM series are named; name those of all its slices.")
    if missing := [file for file, path in zip(files, paths) if not Path(path).is_file()]:
        raise VolumeError(f"{folder}: {_listed(missing)} do not exist any more; check the folder.")
    tags = [_read_tags(path) for path in paths]
    _refuse_damaged([file for file, of_file in zip(files, tags) if not of_file], folder)
    _check_one_series(paths, tags, folder)
    # Before the order, since a file of many frames has no single place.
    _check_single_frame(tags[0], paths[0], folder)
    with _about(folder):
        order = _stack([[of_file.get(tag, "") for tag in _PLACE] for of_file in tags]).order
    return _read_series([paths[number] for number in order], tags[order[0]], folder)


def _read_series(files: Sequence[str], tags: dict[str, str], folder: Path) -> DicomContents:
    """Read slices that are sorted along their normal; `tags` are those of the first."""
    _check_whole(files, tags, folder)
    array, reader = _read_slices(files, folder)
    with _about(folder):
        stack = _stack([_tags(reader, number, *_PLACE) for number in range(len(files))])
        return array, stack.ijk_to_lps(), _doubts_about(tags)


@contextmanager
def _about(folder: Path) -> Iterator[None]:
    """Say of which folder an error about a stack speaks."""
    try:
        yield
    except StackError as error:
        raise VolumeError(f"{folder}: {error}") from error


def _stack(texts: Sequence[Sequence[str]]) -> SliceStack:
    return SliceStack.from_values([[text.split("\\") for text in of_slice] for of_slice in texts])


def _check_one_series(files: Sequence[str], tags: Sequence[dict[str, str]], folder: Path) -> None:
    series: dict[str, list[str]] = {}
    for file, of_file in zip(files, tags):
        series.setdefault(of_file.get(_SERIES_UID, ""), []).append(file)
    if len(series) > 1:
        listed = "; ".join(map(_describe, series.values()))
        raise VolumeError(
            f"{folder}: the files named are of {len(series)} DICOM series: {listed}. Name those of one."
        )


def _doubts_about(tags: dict[str, str]) -> tuple[str, ...]:
    modality = tags.get(_MODALITY) or "CT"
    return () if modality == "CT" else (f"its modality is {modality}, not CT; landmarks will be unreliable.",)


def _only_series(folder: Path) -> Sequence[str]:
    series = _find_series(folder)
    if not series:
        raise VolumeError(
            f"{folder} holds no DICOM images; give the folder in which the files of one series lie, not one "
            "above it."
        )
    if len(series) > 1:
        listed = "; ".join(_describe(files) for files in series)
        raise VolumeError(
            f"{folder} holds {len(series)} DICOM series: {listed}. Put the files of the one that you want "
            "into a folder of their own."
        )
    return series[0]


def _find_series(folder: Path) -> list[Sequence[str]]:
    """The files of every series of images; VolumeError where a CT slice belongs to none: it is damaged."""
    import SimpleITK as sitk

    with _quiet_itk():
        uids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
        series = [sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid) for uid in uids]
    known = {Path(file).name for files in series for file in files}
    unknown = (file for file in sorted(folder.iterdir()) if file.name not in known)
    _refuse_damaged([file.name for file in unknown if _claims_ct_slice(file)], folder)
    return series


def _claims_ct_slice(path: Path) -> bool:
    """Whether the beginning of a file says that it is a CT image, and not a report or something else."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        start = file.read(_META_BYTES)
    return start[128:132] == b"DICM" and _CT_IMAGE in start


def _describe(files: Sequence[str]) -> str:
    tags = _read_tags(files[0])
    number = tags.get(_SERIES_NUMBER) or "without number"
    description = tags.get(_SERIES_DESCRIPTION) or "no description"
    modality = tags.get(_MODALITY) or "unknown modality"
    return f"series {number} ({description}, {modality}, {len(files)} slices)"


def _read_tags(file: str) -> dict[str, str]:
    """The tags of a DICOM image; empty where it can't be read."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(file)
    try:
        with _quiet_itk():
            reader.ReadImageInformation()
    except RuntimeError:
        return {}
    return {key: reader.GetMetaData(key).strip() for key in reader.GetMetaDataKeys()}


def _check_single_frame(tags: dict[str, str], file: str, folder: Path) -> None:
    frames = tags.get(_FRAMES) or "1"
    if int(frames) > 1:
        raise VolumeError(
            f"{folder}: {Path(file).name} holds {frames} frames in one file (enhanced DICOM), whose places "
            "can't be checked; convert it to NIfTI, for example with dcm2niix."
        )


def _check_whole(files: Sequence[str], tags: dict[str, str], folder: Path) -> None:
    """Raise VolumeError where pixels are missing at the end of a file, which older GDCM fills up silently."""
    counts = [int(tags.get(key) or 0) for key in (_ROWS, _COLUMNS, _BITS_ALLOCATED)]
    pixel_bytes = np.prod(counts) // 8
    _refuse_damaged(
        [Path(file).name for file in files if _is_cut_short(Path(file), int(pixel_bytes))], folder
    )


def _is_cut_short(path: Path, pixel_bytes: int) -> bool:
    content = path.read_bytes()
    for representation in (b"OW\0\0", b"OB\0\0", b""):
        element = _PIXEL_DATA + representation + struct.pack("<I", pixel_bytes)
        if element in content:
            return len(content) < content.index(element) + len(element) + pixel_bytes
    return False


def _refuse_damaged(names: list[str], folder: Path) -> None:
    if names:
        raise VolumeError(
            f"{folder}: {_listed(names)} can't be read as DICOM; they may be cut short, so copy or export the "
            "series again."
        )


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + rest


def _read_slices(files: Sequence[str], folder: Path) -> tuple[np.ndarray, sitk.ImageSeriesReader]:
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames(files)
    reader.MetaDataDictionaryArrayUpdateOn()
    image = _execute(reader, folder)
    if len({_tags(reader, number, *_RESCALING) for number in range(len(files))}) > 1:
        # ITK takes the type of the first slice for all, which need not hold the values of the others.
        reader.SetOutputPixelType(sitk.sitkFloat32)
        image = _execute(reader, folder)
    return sitk.GetArrayFromImage(image), reader


def _execute(reader: sitk.ImageSeriesReader, folder: Path) -> sitk.Image:
    try:
        with _quiet_itk():
            image = reader.Execute()
    except RuntimeError as error:
        raise VolumeError(
            f"{folder}: its slices can't be read as one volume; they may differ in size, or one may be "
            "damaged, so copy or export the series again."
        ) from error
    if image.GetNumberOfComponentsPerPixel() > 1:
        raise VolumeError(f"{folder}: its slices are colour pictures; give a CT series.")
    return image


@contextmanager
def _quiet_itk() -> Iterator[None]:
    """Keep ITK from writing to the user's terminal what is raised here as an error, with more in it."""
    import SimpleITK as sitk

    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def _tags(reader: sitk.ImageSeriesReader, number: int, *keys: str) -> tuple[str, ...]:
    present = (reader.HasMetaDataKey(number, key) for key in keys)
    return tuple(reader.GetMetaData(number, key) if has else "" for has, key in zip(present, keys))
