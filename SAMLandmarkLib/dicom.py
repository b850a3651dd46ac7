"""A DICOM series from a folder, with its geometry computed from the position of every slice.

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

from .errors import VolumeError

if TYPE_CHECKING:
    import SimpleITK as sitk

_MODALITY, _SERIES_DESCRIPTION, _SERIES_NUMBER = "0008|0060", "0008|103e", "0020|0011"
_POSITION, _ORIENTATION, _PIXEL_SPACING = "0020|0032", "0020|0037", "0028|0030"
_FRAMES, _ROWS, _COLUMNS, _BITS_ALLOCATED = "0028|0008", "0028|0010", "0028|0011", "0028|0100"
_RESCALING = ("0028|1052", "0028|1053", "0028|0103")
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
# Media storage class (0002,0002): CT Image Storage. It stands within the first bytes of a file.
_CT_IMAGE = b"\x02\x00\x02\x00UI\x1a\x001.2.840.10008.5.1.4.1.1.2\x00"
_META_BYTES = 1024
# A slice further than this from its place in an even stack would make landmarks there wrong by as much.
_UNEVENNESS_MM = 0.5
_SAME_PLACE_MM = 0.01
# A larger difference of direction or pixel spacing moves the end of a slice by more than half a millimetre.
_SAME_GRID = 1e-3
# Longer lists are cut off in messages.
_NAMED = 5


def read_dicom_folder(folder: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Read the one DICOM series in `folder`: array `[z, y, x]` in HU, 4x4 `ijk_to_lps`, and doubts about it.

    Raises VolumeError where there is no series or more than one (each is named), where slices are missing
    (each gap is named), share a place or aren't parallel, and where a file can't be decoded.
    """
    files = _only_series(folder)
    tags = _read_tags(files[0])
    _check_single_frame(tags, files[0], folder)
    _check_whole(files, tags, folder)
    array, reader = _read_slices(files, folder)
    ijk_to_lps = _map_of_stack(*_slice_geometry(reader, len(files), folder), folder)
    return array, ijk_to_lps, _doubts_about(tags)


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
        rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        raise VolumeError(
            f"{folder}: {', '.join(names[:_NAMED])}{rest} can't be read as DICOM; they may be cut short, "
            "so copy or export the series again."
        )


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


def _slice_geometry(
    reader: sitk.ImageSeriesReader, count: int, folder: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position `(n, 3)` mm, orientation `(n, 6)` and pixel spacing `(n, 2)` mm (rows, columns) of each."""
    tags = (_POSITION, _ORIENTATION, _PIXEL_SPACING)
    texts = [_tags(reader, number, *tags) for number in range(count)]
    try:
        return tuple(np.array([text.split("\\") for text in column], dtype=float) for column in zip(*texts))
    except ValueError as error:
        raise VolumeError(
            f"{folder}: not every slice says its position, orientation and pixel spacing (tags 0020,0032, "
            "0020,0037 and 0028,0030); export the original series from the scanner or the archive."
        ) from error


def _map_of_stack(
    positions: np.ndarray, orientations: np.ndarray, pixel_spacings: np.ndarray, folder: Path
) -> np.ndarray:
    """The `ijk_to_lps` of evenly spaced, parallel slices, which GDCM has sorted along their normal."""
    if max(np.ptp(orientations, axis=0).max(), np.ptp(pixel_spacings, axis=0).max()) > _SAME_GRID:
        raise VolumeError(
            f"{folder}: its slices differ in orientation or pixel spacing, as when a scout view lies among "
            "them; put the slices of one scan into a folder of their own."
        )
    along_row, along_column = orientations[0, :3], orientations[0, 3:]
    row_spacing, column_spacing = pixel_spacings[0]
    # Sorted again, since GDCM goes by number and name where slices share a place.
    _check_steps(np.sort(positions @ np.cross(along_row, along_column)), folder)
    step = (positions[-1] - positions[0]) / max(1, len(positions) - 1)
    _check_evenness(positions, step, folder)
    columns = [along_row * column_spacing, along_column * row_spacing, step, positions[0]]
    return np.vstack([np.column_stack(columns), (0, 0, 0, 1)])


def _check_steps(heights: np.ndarray, folder: Path) -> None:
    steps = np.diff(heights)
    if (steps < _SAME_PLACE_MM).any():
        count = int((steps < _SAME_PLACE_MM).sum())
        raise VolumeError(
            f"{folder}: {count} slices lie in the same place as another, as in scans with several phases; "
            "put the slices of one phase into a folder of their own."
        )
    usual = np.median(steps) if len(steps) else 0.0
    gaps = np.flatnonzero(steps > 1.5 * usual)
    if len(gaps):
        named = [f"{steps[gap]:.2f} mm from {heights[gap]:.2f} to {heights[gap + 1]:.2f}" for gap in gaps]
        rest = f" and {len(gaps) - _NAMED} more" if len(gaps) > _NAMED else ""
        raise VolumeError(
            f"{folder}: slices are missing; neighbours lie {usual:.2f} mm apart, but there are gaps of "
            f"{', '.join(named[:_NAMED])}{rest} (mm along the stack). Export the whole series again."
        )


def _check_evenness(positions: np.ndarray, step: np.ndarray, folder: Path) -> None:
    even = positions[0] + np.arange(len(positions))[:, None] * step
    off = np.linalg.norm(positions - even, axis=1)
    if off.max(initial=0.0) > _UNEVENNESS_MM:
        raise VolumeError(
            f"{folder}: its slices are not evenly spaced along a line; slice {int(off.argmax()) + 1} is "
            f"{off.max():.2f} mm from its place. Resample the series evenly, for example with dcm2niix."
        )
