"""NIfTI files, NIfTI-1 and NIfTI-2, plain or gzipped.

They are read here and not by ITK, because ITK 5.4 reads a stream that is cut short without a word, takes a
spacing of zero for 1 mm, and refuses a sheared matrix or silently straightens it.
"""

from __future__ import annotations

import gzip
import itertools
import sys
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .errors import VolumeError
from .geometry import LPS_FROM_RAS, affine_from_parts, spacing_of, transform_points
from .volume_checks import check_spacing, sizes_text

_NIFTI1 = [
    ("sizeof_hdr", "i4"), ("unused1", "V36"), ("dim", "i2", 8), ("unused2", "V14"), ("datatype", "i2"),
    ("unused3", "V4"), ("pixdim", "f4", 8), ("vox_offset", "f4"), ("scl_slope", "f4"), ("scl_inter", "f4"),
    ("unused4", "V3"), ("xyzt_units", "u1"), ("unused5", "V128"), ("qform_code", "i2"), ("sform_code", "i2"),
    ("quaternion", "f4", 3), ("qoffset", "f4", 3), ("srow", "f4", (3, 4)), ("unused6", "V16"),
    ("magic", "S4"),
]  # fmt: skip
_NIFTI2 = [
    ("sizeof_hdr", "i4"), ("magic", "S4"), ("unused1", "V4"), ("datatype", "i2"), ("unused2", "V2"),
    ("dim", "i8", 8), ("unused3", "V24"), ("pixdim", "f8", 8), ("vox_offset", "i8"), ("scl_slope", "f8"),
    ("scl_inter", "f8"), ("unused4", "V152"), ("qform_code", "i4"), ("sform_code", "i4"),
    ("quaternion", "f8", 3), ("qoffset", "f8", 3), ("srow", "f8", (3, 4)), ("unused5", "V4"),
    ("xyzt_units", "i4"), ("unused6", "V36"),
]  # fmt: skip
_VOXEL_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_COLOUR_TYPES = (128, 2304)
_MM_PER_UNIT = {1: 1000.0, 3: 0.001}
_SCANNER_ANATOMICAL = 1
_GZIP_MAGIC = b"\x1f\x8b"
# Deflate can't expand its input more than this.
_GZIP_EXPANSION = 1032
# Two maps that agree to this within a whole volume count as one.
_SAME_PLACE_MM = 0.5


def read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Read a NIfTI file as array `[z, y, x]`, 4x4 `ijk_to_lps`, and doubts about its header.

    Raises VolumeError where the file isn't NIfTI, is cut short or damaged, or isn't one scalar 3-D volume.
    """
    try:
        with open(path, "rb") as file:
            zipped = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            stream = gzip.GzipFile(fileobj=file) if zipped else file
            header = _read_header(stream, path)
            array = _read_array(stream, header, path)
            # The checksum of a gzip stream is looked at when its end is read.
            while stream.read(1 << 20):
                pass
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise VolumeError(f"{path} is cut short or damaged ({error}); copy or download it again.") from error
    ijk_to_lps, doubts = _map_to_lps(header, path)
    return array, ijk_to_lps, doubts


def _read_header(stream: BinaryIO, path: Path) -> np.void:
    content = stream.read(540)
    for fields, order in itertools.product((_NIFTI1, _NIFTI2), "<>"):
        layout = np.dtype([(name, order + kind, *shape) for name, kind, *shape in fields])
        if len(content) >= layout.itemsize:
            header = np.frombuffer(content, layout, count=1)[0]
            if header["sizeof_hdr"] == layout.itemsize and header["magic"].startswith(b"n+"):
                return header
    raise VolumeError(
        f"{path} is called NIfTI, but its content is another format or cut short; copy it again, or give it "
        "the extension of its true format."
    )


def _read_array(stream: BinaryIO, header: np.void, path: Path) -> np.ndarray:
    size = _size_ijk(header, path)
    voxel_type = _voxel_type(header, path)
    expected = int(np.prod(size, dtype=float)) * voxel_type.itemsize
    # Before memory is asked for, because the sizes in a damaged header may be anything.
    if expected > path.stat().st_size * _GZIP_EXPANSION:
        raise VolumeError(_cut_short(path, expected, expected))
    place = float(header["vox_offset"])
    if not 0 <= place < sys.maxsize:
        raise VolumeError(
            f"{path} is damaged: its voxels start at byte {place:g}; copy or download it again."
        )
    array = np.empty(size[::-1], dtype=voxel_type)
    stream.seek(int(place))
    missing = expected - _read_into(stream, array)
    if missing:
        raise VolumeError(_cut_short(path, missing, expected))
    array = array.astype(voxel_type.newbyteorder("="), copy=False)
    return _rescaled(array, float(header["scl_slope"]), float(header["scl_inter"]))


def _size_ijk(header: np.void, path: Path) -> tuple[int, ...]:
    sizes = header["dim"][1 : 1 + int(header["dim"][0])].tolist()
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    if len(sizes) != 3 or min(sizes) < 1:
        raise VolumeError(
            f"{path}: it is {len(sizes)}-D with {sizes_text(sizes)} voxels; give one 3-D volume with one "
            "number in each voxel."
        )
    return tuple(sizes)


def _voxel_type(header: np.void, path: Path) -> np.dtype:
    code = int(header["datatype"])
    if code not in _VOXEL_TYPES:
        kind = "colours (RGB)" if code in _COLOUR_TYPES else f"of NIfTI type {code}"
        raise VolumeError(f"{path}: its voxels are {kind}; give a CT volume with one number in each voxel.")
    return np.dtype(_VOXEL_TYPES[code]).newbyteorder(header.dtype["dim"].base.byteorder)


def _cut_short(path: Path, missing: int, expected: int) -> str:
    return f"{path} is cut short: {missing} of {expected} bytes of voxels are missing; copy or download it again."


def _read_into(stream: BinaryIO, array: np.ndarray) -> int:
    buffer = memoryview(array.reshape(-1).view(np.uint8))
    filled = 0
    while count := stream.readinto(buffer[filled:]):
        filled += count
    return filled


def _rescaled(array: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    # In NIfTI a slope of 0 means that there is none.
    if slope == 0 or not np.isfinite([slope, intercept]).all() or (slope, intercept) == (1, 0):
        return array
    return array.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def _map_to_lps(header: np.void, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """The map that ITK and Slicer use, but with the shear of an sform; doubts where the header has two."""
    spacing = np.abs(header["pixdim"][1:4].astype(float))
    check_spacing(spacing, str(path))
    has_sform, has_qform = header["sform_code"] > 0, header["qform_code"] > 0
    if not has_sform and not has_qform:
        doubt = "its header doesn't say where the patient lies, so left and right may be swapped."
        return affine_from_parts((0, 0, 0), spacing, np.eye(3)), (doubt,)
    qform = _qform(header, spacing)
    if not has_sform or (has_qform and header["sform_code"] != _SCANNER_ANATOMICAL):
        return _in_mm_lps(qform, header), ()
    sform = np.vstack([header["srow"], (0, 0, 0, 1)]).astype(float)
    other = qform if has_qform else _with_spacing(sform, spacing)
    ijk_to_lps = _in_mm_lps(sform, header)
    return ijk_to_lps, _doubts_about(ijk_to_lps, _in_mm_lps(other, header), header["dim"][1:4])


def _qform(header: np.void, spacing: np.ndarray) -> np.ndarray:
    b, c, d = header["quaternion"].astype(float)
    a = np.sqrt(max(0.0, 1.0 - b * b - c * c - d * d))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    handedness = -1.0 if header["pixdim"][0] < 0 else 1.0
    return affine_from_parts(header["qoffset"], spacing * (1, 1, handedness), rotation)


def _with_spacing(affine: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    columns = affine[:3, :3] / np.maximum(spacing_of(affine), np.finfo(float).tiny)
    return affine_from_parts(affine[:3, 3], spacing, columns)


def _doubts_about(chosen: np.ndarray, other: np.ndarray, size_ijk: np.ndarray) -> tuple[str, ...]:
    corners = np.array(list(itertools.product(*((0, size - 1) for size in size_ijk.tolist()))))
    apart = np.linalg.norm(transform_points(chosen - other, corners), axis=1).max()
    if apart <= _SAME_PLACE_MM:
        return ()
    return (
        f"its header describes two geometries that are up to {apart:.1f} mm apart; its sform is used, and "
        "programs that go by its qform or pixdim show the scan elsewhere.",
    )


def _in_mm_lps(ijk_to_ras: np.ndarray, header: np.void) -> np.ndarray:
    scale = _MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
    return LPS_FROM_RAS @ np.diag([scale, scale, scale, 1.0]) @ ijk_to_ras
