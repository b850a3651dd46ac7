"""NIfTI files, NIfTI-1 and NIfTI-2, plain or gzipped.

nibabel takes the header apart; what it says is checked here. The voxels are read by `voxel_bytes` and not through
nibabel, which reads on past the end of a stream's checksum, and whose rescaling in double precision would change
values in their last digit. ITK is not used, because it reads a stream that is cut short without a word, takes a
spacing of zero for 1 mm, and refuses a sheared matrix or silently straightens it.
"""

from __future__ import annotations

import gzip
import itertools
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.geometry import LPS_FROM_RAS, affine_from_parts, spacing_of, transform_points
from ..core.volume_checks import check_spacing
from ..utils.errors import VolumeError
from .image_header import FloatArray, ImageHeader, VoxelPlace, volume_size

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header

_VOXEL_TYPES = (2, 4, 8, 16, 64, 256, 512, 768, 1024, 1280)
_COLOUR_TYPES = (128, 2304)
_MM_PER_UNIT = {1: 1000.0, 3: 0.001}
_SCANNER_ANATOMICAL, _HIGHEST_CODE = 1, 5
_GZIP_MAGIC = b"\x1f\x8b"
_EXTENSION_FLAG_BYTES = 4
_MOST_EXTENSION_BYTES = 1 << 26
# Quaternions are written in single precision; longer ones are no rotations.
_UNIT_LENGTH = 1e-4
# Two maps that agree to this within a whole volume count as one.
_SAME_PLACE_MM = 0.1


def read_nifti_header(path: Path) -> ImageHeader:
    """The header of a NIfTI file; VolumeError where it is damaged, or isn't that of one scalar 3-D volume."""
    zipped, start = _start(path)
    header = _parsed(start, path)
    size = _size_ijk(header, path)
    voxel_type = _voxel_type(header, path)
    first_byte = _first_voxel_byte(header, start, path)
    # What is no number is found below, and said.
    with np.errstate(all="ignore"):
        ijk_to_lps, doubts = _map_to_lps(header, path)
    doubts = (*doubts, *_doubts_about_codes(header))
    slope, intercept = _scaling(header)
    place = VoxelPlace(path, 0, "deflated", first_byte) if zipped else VoxelPlace(path, first_byte)
    return ImageHeader(size, voxel_type, ijk_to_lps, place, slope, intercept, doubts)


def _start(path: Path) -> tuple[bool, bytes]:
    """Whether the file is gzipped, and its first bytes, unpacked."""
    try:
        with open(path, "rb") as file:
            zipped = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            stream = gzip.GzipFile(fileobj=file) if zipped else file
            return zipped, stream.read(540 + _EXTENSION_FLAG_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise VolumeError(f"{path} is cut short or damaged ({error}); copy or download it again.") from error


def _parsed(start: bytes, path: Path) -> Nifti1Header:
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    for kind, order in itertools.product((Nifti1Header, Nifti2Header), "<>"):
        size = kind.template_dtype.itemsize
        if len(start) >= size and struct.unpack(f"{order}i", start[:4])[0] == size:
            header: Nifti1Header = kind(start[:size], endianness=order, check=False)  # type: ignore[no-untyped-call]
            if bytes(header["magic"]).startswith(b"n+"):
                return header
    raise VolumeError(
        f"{path} is called NIfTI, but its content is another format or cut short; copy it again, or give it "
        "the extension of its true format."
    )


def _size_ijk(header: Nifti1Header, path: Path) -> tuple[int, int, int]:
    dimension = int(header["dim"][0])
    if not 1 <= dimension <= 7:
        raise VolumeError(
            f"{path} is damaged: its header says {dimension} dimensions; copy or download it again."
        )
    return volume_size(header["dim"][1 : 1 + dimension].tolist(), path)


def _voxel_type(header: Nifti1Header, path: Path) -> np.dtype[Any]:
    code = int(header["datatype"])
    if code not in _VOXEL_TYPES:
        kind = "colours (RGB)" if code in _COLOUR_TYPES else f"of NIfTI type {code}"
        raise VolumeError(f"{path}: its voxels are {kind}; give a CT volume with one number in each voxel.")
    voxel_type: np.dtype[Any] = np.dtype(header.get_data_dtype())
    bits = int(header["bitpix"])
    if bits not in (0, 8 * voxel_type.itemsize):
        raise VolumeError(
            f"{path} is damaged: its header says {bits} bits a voxel, but its type has {8 * voxel_type.itemsize}; copy "
            "or download it again."
        )
    return voxel_type


def _first_voxel_byte(header: Nifti1Header, start: bytes, path: Path) -> int:
    place = float(header["vox_offset"])
    first = header.template_dtype.itemsize + _EXTENSION_FLAG_BYTES
    if not (first <= place <= _MOST_EXTENSION_BYTES and place == int(place)):
        raise VolumeError(
            f"{path} is damaged: its voxels start at byte {place:g}, but its header ends at byte {first}; convert "
            "the scan again."
        )
    return int(place)


def _scaling(header: Nifti1Header) -> tuple[float, float]:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    # In NIfTI a slope of 0 means that there is none.
    return (1.0, 0.0) if slope == 0 or not np.isfinite([slope, intercept]).all() else (slope, intercept)


def _map_to_lps(header: Nifti1Header, path: Path) -> tuple[FloatArray, tuple[str, ...]]:
    """The map that ITK and Slicer use, but with the shear of an sform; doubts where the header has two."""
    spacing = np.abs(header["pixdim"][1:4].astype(float))
    check_spacing(spacing.tolist(), str(path))
    has_sform, has_qform = header["sform_code"] > 0, header["qform_code"] > 0
    if not has_sform and not has_qform:
        doubt = "its header doesn't say where the patient lies, so left and right may be swapped."
        return affine_from_parts(np.zeros(3), spacing * _mm_per_unit(header), np.eye(3)), (doubt,)
    sform = np.vstack([header["srow_x"], header["srow_y"], header["srow_z"], (0, 0, 0, 1)]).astype(float)
    qform = _qform(header, spacing, path) if has_qform else _with_spacing(sform, spacing)
    by_qform = has_qform and (not has_sform or header["sform_code"] != _SCANNER_ANATOMICAL)
    chosen, other = (qform, sform) if by_qform else (sform, qform)
    ijk_to_lps = _in_mm_lps(chosen, header)
    if not has_sform:
        return ijk_to_lps, ()
    return ijk_to_lps, _doubts_about(ijk_to_lps, _in_mm_lps(other, header), header["dim"][1:4], by_qform)


def _doubts_about_codes(header: Nifti1Header) -> tuple[str, ...]:
    """Some programs leave out a geometry whose code is unknown, and others, like ITK, use it."""
    codes = {name: int(header[f"{name}_code"]) for name in ("qform", "sform")}
    return tuple(
        f"its header says {name}_code {code}, which is none; programs that leave that geometry out show the scan elsewhere."
        for name, code in codes.items()
        if not 0 <= code <= _HIGHEST_CODE
    )


def _qform(header: Nifti1Header, spacing: FloatArray, path: Path) -> FloatArray:
    b, c, d = (float(header[f"quatern_{name}"]) for name in "bcd")
    length = b * b + c * c + d * d
    # A NaN must not pass.
    if not length <= 1 + _UNIT_LENGTH:
        raise VolumeError(
            f"{path}: the quaternion ({b:g}, {c:g}, {d:g}) in its header is no rotation; convert the scan again."
        )
    a = np.sqrt(max(0.0, 1.0 - length))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    handedness = -1.0 if header["pixdim"][0] < 0 else 1.0
    offset = np.array([float(header[f"qoffset_{axis}"]) for axis in "xyz"])
    return affine_from_parts(offset, spacing * (1, 1, handedness), rotation)


def _with_spacing(affine: FloatArray, spacing: FloatArray) -> FloatArray:
    columns = affine[:3, :3] / np.maximum(spacing_of(affine), np.finfo(float).tiny)
    return affine_from_parts(affine[:3, 3], spacing, columns)


def _doubts_about(
    chosen: FloatArray, other: FloatArray, size_ijk: FloatArray, by_qform: bool
) -> tuple[str, ...]:
    corners = np.array(list(itertools.product(*((0, size - 1) for size in size_ijk.tolist()))))
    apart = np.linalg.norm(transform_points(chosen - other, corners), axis=1).max()
    if apart <= _SAME_PLACE_MM:
        return ()
    used, others = ("qform", "sform") if by_qform else ("sform", "qform or pixdim")
    doubt = (
        f"its header describes two geometries that are up to {apart:.1f} mm apart; its {used} is used, and "
        f"programs that go by its {others} show the scan elsewhere."
    )
    return (doubt,)


def _mm_per_unit(header: Nifti1Header) -> float:
    return _MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)


def _in_mm_lps(ijk_to_ras: FloatArray, header: Nifti1Header) -> FloatArray:
    scale = _mm_per_unit(header)
    return LPS_FROM_RAS @ np.diag([scale, scale, scale, 1.0]) @ ijk_to_ras
