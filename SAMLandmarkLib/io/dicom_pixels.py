"""The values of one DICOM image in Hounsfield units.

Pixels that are stored plainly are read here, exactly as many bytes as rows and columns take. GDCM decodes the
compressed ones, after their header has been checked.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils.errors import VolumeError
from .dicom_header import FileHeader, PixelHeader

_PLAIN = {
    "1.2.840.10008.1.2": "<",
    "1.2.840.10008.1.2.1": "<",
    "1.2.840.10008.1.2.2": ">",
}
_GREY = ("MONOCHROME1", "MONOCHROME2")
# Far beyond what any scanner writes, and far from what numbers can hold.
_LARGEST_RESCALING = 1e6
_MOST_ROWS = 1 << 14


class PixelError(VolumeError):
    """The pixels of an image can't be used; the message begins with what is wrong, for the file's name to come first."""


def check_pixels(header: PixelHeader) -> None:
    """Raise PixelError where an image isn't one grey picture of whole numbers."""
    if header.real:
        raise PixelError("holds its pixels as real numbers (float pixel data), which is not supported")
    if header.samples != 1 or header.photometric not in _GREY:
        kind = header.photometric[:20] or "of no stated kind"
        raise PixelError(
            f"is a picture in colours or without grey values ({kind}, {header.samples} samples a pixel), as colour pictures "
            "are"
        )
    if not (0 < header.rows <= _MOST_ROWS and 0 < header.columns <= _MOST_ROWS):
        raise PixelError(f"has {header.columns}x{header.rows} pixels")
    bits = (header.bits_allocated, header.bits_stored, header.high_bit)
    if bits[0] not in (8, 16, 32) or not 1 <= bits[1] <= bits[0] or bits[2] != bits[1] - 1:
        raise PixelError(f"says that bits 0 to {bits[2]} of {bits[1]} in {bits[0]} hold its values")
    if header.has_lut:
        raise PixelError("turns its pixels into values by a table (Modality LUT), which is not supported")
    rescaling(header)


def rescaling(header: PixelHeader) -> tuple[float, float] | None:
    """Slope and intercept that turn stored numbers into values, None where the header says neither; PixelError."""
    if not header.slope and not header.intercept:
        return None
    try:
        slope, intercept = float(header.slope), float(header.intercept)
    except ValueError:
        slope, intercept = np.nan, np.nan
    bounded = abs(slope) <= _LARGEST_RESCALING and abs(intercept) <= _LARGEST_RESCALING  # NaN is not
    if not bounded or slope == 0:
        raise PixelError(
            f"says rescale slope {header.slope[:20]!r} and intercept {header.intercept[:20]!r}, which are no rescaling"
        )
    return slope, intercept


def is_cut_short(file: FileHeader) -> bool:
    """Whether pixels are missing at the end of a file, or there are not as many as its rows and columns take."""
    header = file.pixels
    if header is None or header.real:
        return header is None
    if header.length is None:
        return False
    expected = (
        header.rows * header.columns * max(1, header.samples) * file.frames * (header.bits_allocated // 8)
    )
    if header.transfer_syntax in _PLAIN and not expected <= header.length <= expected + 1:
        return True
    return file.path.stat().st_size < header.offset + header.length


def read_pixels(file: FileHeader) -> NDArray[Any]:
    """The values `[y, x]` of an image that has been checked; integers where slope and intercept are whole numbers.

    Raises PixelError where its pixels are cut short or can't be decoded.
    """
    header = file.pixels
    if header is None:
        raise PixelError("holds no pixels")
    if header.transfer_syntax not in _PLAIN:
        return _narrowed(_decoded(file.path, header))
    stored = _unpacked(_plain(file.path, header), header)
    slope, intercept = rescaling(header) or (1.0, 0.0)
    if slope == int(slope) and intercept == int(intercept):
        return _narrowed(stored.astype(np.int64) * int(slope) + int(intercept))
    return (stored * slope + intercept).astype(np.float32)


def _plain(path: Path, header: PixelHeader) -> NDArray[Any]:
    voxel_type = np.dtype(f"{_PLAIN[header.transfer_syntax]}u{header.bits_allocated // 8}")
    expected = header.rows * header.columns * voxel_type.itemsize
    with open(path, "rb") as file:
        file.seek(header.offset)
        content = file.read(expected)
    if len(content) < expected:
        raise PixelError(f"lacks {expected - len(content)} of {expected} bytes of pixels")
    return np.frombuffer(content, dtype=voxel_type).reshape(header.rows, header.columns)


def _unpacked(pixels: NDArray[Any], header: PixelHeader) -> NDArray[Any]:
    """The stored numbers out of their bits; other bits may hold an overlay."""
    stored = pixels.astype(np.int64) & ((1 << header.bits_stored) - 1)
    if not header.signed:
        return stored
    half = 1 << (header.bits_stored - 1)
    return np.where(stored >= half, stored - 2 * half, stored)


def _narrowed(values: NDArray[Any]) -> NDArray[Any]:
    """Integers in the smallest type that holds them, which is what a scan of hundreds of slices takes in memory."""
    if values.dtype.kind != "i" and values.dtype.kind != "u":
        return values.astype(np.float32)
    return values.astype(np.promote_types(np.int16, np.result_type(*map(np.min_scalar_type, _ends(values)))))


def _ends(values: NDArray[Any]) -> list[Any]:
    return [values.min(), values.max()]


def _decoded(path: Path, header: PixelHeader) -> NDArray[Any]:
    """The values of a compressed image, decoded and rescaled by GDCM."""
    sitk: Any = importlib.import_module("SimpleITK")

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        with quiet_itk():
            image = reader.Execute()
    except RuntimeError as error:
        raise PixelError("can't be decoded; it may be damaged or compressed in an unknown way") from error
    if image.GetSize()[:2] != (header.columns, header.rows) or image.GetNumberOfComponentsPerPixel() != 1:
        raise PixelError("holds a compressed picture of another size than its header says")
    values: NDArray[Any] = sitk.GetArrayFromImage(image).reshape(header.rows, header.columns)
    return values


@contextmanager
def quiet_itk() -> Iterator[None]:
    """Keep ITK from writing to the user's terminal what is raised here as an error, with more in it."""
    sitk: Any = importlib.import_module("SimpleITK")

    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def check_slices_agree(files: Sequence[FileHeader]) -> None:
    """Raise PixelError, about "its slices", where some of a series have values of another kind than the others."""
    headers = [(file.path.name, file.pixels) for file in files if file.pixels is not None]
    sizes = {(header.rows, header.columns) for _name, header in headers}
    if len(sizes) > 1:
        raise PixelError(f"may differ in size ({_pairs(sizes)} pixels)")
    _check_one_kind([(name, header.photometric) for name, header in headers], "photometric interpretation")
    scaled = [(name, rescaling(header) is not None) for name, header in headers]
    without = [name for name, has in scaled if not has]
    if 0 < len(without) < len(scaled):
        raise PixelError(
            f"{', '.join(without[:5])}{' and others' if len(without) > 5 else ''} lack the rescale slope and intercept "
            "that other slices have"
        )


def _check_one_kind(kinds: Sequence[tuple[str, str]], what: str) -> None:
    usual = max({kind for _name, kind in kinds}, key=[kind for _name, kind in kinds].count)
    others = [name for name, kind in kinds if kind != usual]
    if others:
        raise PixelError(f"{', '.join(others[:5])} have another {what} than {usual}, which other slices have")


def _pairs(sizes: set[tuple[int, int]]) -> str:
    return ", ".join(f"{columns}x{rows}" for rows, columns in sorted(sizes))
