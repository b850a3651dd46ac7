"""Radiographs from pictures (PNG, JPEG, TIFF) and DICOM images, as images of one slice with bone bright.

They lie as 3D Slicer loads them: columns along L, rows along P, the first pixel at the origin.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.modality import RADIOGRAPH
from ..core.volume_contents import VolumeContents
from ..utils.errors import VolumeError
from .dicom_header import FileHeader, pydicom_or_error, quiet_pydicom, read_header
from .dicom_pixels import PixelError, check_pixels, is_cut_short, quiet_itk, read_pixels
from .volume_paths import PICTURE_SUFFIXES, printable, volume_name

RADIOGRAPH_MODALITIES = frozenset({"CR", "DX", "RG", "IO", "PX"})
"""Values of the DICOM attribute Modality that projection radiographs have."""
_MOST_PIXELS_A_SIDE = 1 << 14
_FEWEST_PIXELS_A_SIDE = 16
_BYTES_PER_PIXEL = 4
_SPACINGS_MM = (0.01, 10.0)
# Compression shifts the colours of a grey picture by a few of 255 levels.
_GREY_TOLERANCE = 8
_SPACING_KEYWORDS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_KEYWORDS = [*_SPACING_KEYWORDS, "WindowCenter", "WindowWidth", "VOILUTFunction", "PresentationLUTShape"]


def read_picture(path: Path, pixel_spacing_mm: float | None) -> VolumeContents:
    """Read a radiograph saved as a picture, whose pixels are `pixel_spacing_mm` long.

    Raises VolumeError where the spacing isn't given or is implausible, and where the file isn't one grey picture.
    """
    spacing = _stated_spacing(path, pixel_spacing_mm)
    pixels = _grey(_picture(path), path)
    return _contents(path, pixels, (spacing, spacing), ())


def is_radiograph(files: Sequence[FileHeader]) -> bool:
    """Whether the images of a DICOM series are a projection radiograph."""
    return len(files) == 1 and files[0].modality in RADIOGRAPH_MODALITIES


def read_dicom_file(path: Path, pixel_spacing_mm: float | None) -> VolumeContents:
    """Read a DICOM file that is a radiograph (CR, DX); `pixel_spacing_mm` outweighs what the file says.

    Its window is applied, and MONOCHROME1 is inverted. Raises VolumeError where it is damaged, of another modality, in
    colours or of several frames, or tells no spacing and none is given.
    """
    pydicom_or_error()
    with quiet_pydicom():
        header = read_header(path, with_pixels=True)
    if header is None or header.pixels is None:
        raise VolumeError(f"{path} can't be read as a DICOM image; copy or export it again.")
    if header.modality not in RADIOGRAPH_MODALITIES:
        raise VolumeError(
            f"{path} is a single DICOM image of the modality {header.modality or 'unknown'}, no radiograph (CR, DX); give "
            "the folder in which all files of its series lie."
        )
    if header.frames > 1:
        raise VolumeError(
            f"{path} holds {header.frames} frames, a film rather than a radiograph; export the frame that you want as "
            "an image of its own."
        )
    values = _values(header, path)
    tags = _tags(path)
    shown, inverted = _windowed(values, tags), header.pixels.photometric == "MONOCHROME1"
    bright = shown.max() - shown if inverted else shown
    spacing, doubts = _spacing(path, tags, pixel_spacing_mm)
    return _contents(path, bright.astype(np.float32), spacing, doubts)


def announced_radiograph_bytes(path: Path) -> int:
    """How many bytes the pixels of a radiograph will take, as its header says; VolumeError where it is damaged."""
    if not path.name.lower().endswith(PICTURE_SUFFIXES):
        header = read_header(path, with_pixels=True)
        pixels = None if header is None else header.pixels
        return 0 if pixels is None else pixels.rows * pixels.columns * _BYTES_PER_PIXEL
    reader = _picture_reader(path)
    columns, rows = reader.GetSize()[:2]
    return int(columns * rows * reader.GetNumberOfComponents() * _BYTES_PER_PIXEL)


def _values(header: FileHeader, path: Path) -> NDArray[Any]:
    assert header.pixels is not None
    try:
        check_pixels(header.pixels)
        if is_cut_short(header):
            raise PixelError("is cut short")
        return read_pixels(header).astype(np.float32)
    except PixelError as error:
        raise VolumeError(f"{path} {error}; copy or export it again, in grey values.") from error


def _tags(path: Path) -> Any:
    with quiet_pydicom():
        return pydicom_or_error().dcmread(
            path, stop_before_pixels=True, force=True, specific_tags=_KEYWORDS, defer_size=4096
        )


def _numbers(tags: Any, keyword: str) -> list[float]:
    value = tags.get(keyword)
    if value is None or value == "":
        return []
    try:
        values = [value] if isinstance(value, (str, int, float)) else list(value)
        return [float(item) for item in values]
    except (TypeError, ValueError):
        return []


def _windowed(values: NDArray[Any], tags: Any) -> NDArray[Any]:
    """Values within the first window that the file suggests; as they are where it suggests none that shows anything."""
    centers, widths = _numbers(tags, "WindowCenter"), _numbers(tags, "WindowWidth")
    if not centers or not widths or not widths[0] > 1:
        return values
    low, high = centers[0] - widths[0] / 2, centers[0] + widths[0] / 2
    shown = np.clip(values, low, high)
    return shown if shown.min() < shown.max() else values


def _spacing(path: Path, tags: Any, stated: float | None) -> tuple[tuple[float, float], tuple[str, ...]]:
    """Pixel spacing along x and y in mm, and doubts about it."""
    if stated is not None:
        spacing = _stated_spacing(path, stated)
        return (spacing, spacing), ()
    for keyword in _SPACING_KEYWORDS:
        rows_columns = _numbers(tags, keyword)
        if len(rows_columns) == 2:
            y, x = (_stated_spacing(path, value) for value in rows_columns)
            return (x, y), _spacing_doubts(keyword)
    raise _spacing_missing(path)


def _spacing_doubts(keyword: str) -> tuple[str, ...]:
    if keyword == "PixelSpacing":
        return ()
    return (
        f"its pixel spacing is that of the detector ({keyword}); the patient, being nearer to the source, is shown "
        "larger than life, so lengths are too long by the magnification.",
    )


def _stated_spacing(path: Path, spacing_mm: float | None) -> float:
    low, high = _SPACINGS_MM
    if spacing_mm is None:
        raise _spacing_missing(path)
    if not low <= spacing_mm <= high:
        raise VolumeError(
            f"{path}: a pixel spacing of {spacing_mm:g} mm is none of a radiograph; give {low:g} to {high:g} mm "
            "(--pixel-spacing)."
        )
    return spacing_mm


def _spacing_missing(path: Path) -> VolumeError:
    return VolumeError(f"{path} doesn't say how large a pixel is; state it: --pixel-spacing MM.")


def _picture(path: Path) -> NDArray[Any]:
    """The pixels `[y,x]` or `[y,x,c]` of a picture, decoded only after its header has been checked."""
    sitk: Any = importlib.import_module("SimpleITK")

    reader = _picture_reader(path)
    with _decoding(path):
        pixels: NDArray[Any] = sitk.GetArrayFromImage(reader.Execute())
    columns, rows = reader.GetSize()[:2]
    channels = reader.GetNumberOfComponents()
    return pixels.reshape((rows, columns) if channels == 1 else (rows, columns, channels))


def _picture_reader(path: Path) -> Any:
    """A reader that has read and checked the header of a picture."""
    sitk: Any = importlib.import_module("SimpleITK")

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with _decoding(path):
        reader.ReadImageInformation()
    _check_size(path, reader.GetSize())
    return reader


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    try:
        with quiet_itk():
            yield
    except RuntimeError as error:
        raise VolumeError(f"{path} can't be decoded as a picture; copy or export it again.") from error


def _check_size(path: Path, size: Sequence[int]) -> None:
    if len(size) > 2 and max(size[2:]) > 1:
        raise VolumeError(
            f"{path} holds {max(size[2:])} pictures; save the one that you want as a file of its own."
        )
    if min(size[:2]) < _FEWEST_PIXELS_A_SIDE or max(size[:2]) > _MOST_PIXELS_A_SIDE:
        raise VolumeError(
            f"{path} has {size[0]}x{size[1]} pixels, but a radiograph has {_FEWEST_PIXELS_A_SIDE} to "
            f"{_MOST_PIXELS_A_SIDE} a side; give a radiograph."
        )


def _grey(pixels: NDArray[Any], path: Path) -> NDArray[Any]:
    """Grey values `[y,x]` of a picture; colours that are all alike are one grey value, others are refused."""
    if pixels.ndim == 3:
        colours = pixels[..., : 3 if pixels.shape[-1] >= 3 else 1].astype(np.float32)
        difference = float((colours.max(axis=-1) - colours.min(axis=-1)).max())
        scale = 255.0 if pixels.dtype.itemsize == 1 else 65535.0
        if difference > _GREY_TOLERANCE / 255 * scale:
            raise VolumeError(
                f"{path} is a picture in colours (red, green and blue differ by up to {difference:g}); save the radiograph "
                "in grey values, without marks drawn on it."
            )
        pixels = colours.mean(axis=-1)
    return pixels.astype(np.float32)


def _contents(
    path: Path, pixels: NDArray[Any], spacing_xy: tuple[float, float], doubts: tuple[str, ...]
) -> VolumeContents:
    ijk_to_lps = np.diag([*spacing_xy, 1.0, 1.0])
    return VolumeContents(pixels[None], ijk_to_lps, printable(volume_name(path)), doubts, RADIOGRAPH.name)
