"""MetaImage files (`.mha`, and `.mhd` with its voxels in one other file).

The header is read here field by field and the voxels by `voxel_bytes`. ITK leaves compressed voxels uninitialised
where the header lacks their size or has a wrong one, fills up voxels that are missing in older versions, and walks
on through memory where a count is negative.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from ..core.geometry import affine_from_parts
from ..core.volume_checks import check_spacing
from ..utils.errors import VolumeError
from .header_doubts import NO_DIRECTION, NO_PLACE, NO_SPACING, unit_in_mm
from .image_header import (
    Encoding,
    FloatArray,
    ImageHeader,
    VoxelPlace,
    numbers,
    read_start,
    required,
    sizes_of,
    skipped,
    volume_size,
    voxel_file_beside,
    whole_numbers,
)

_NUMPY_TYPE = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_PLACE_FIELDS = ("Offset", "Position", "Origin")
_DIRECTION_FIELDS = ("TransformMatrix", "Rotation", "Orientation")
_HEADER = re.compile(rb"(?:[^\n]*\n)*?ElementDataFile[ \t]*[=:][^\n]*(?:\n|\Z)")
_LINE = re.compile(r"^\s*(\w+)\s*[=:]\s*(.*?)\s*$")
_KNOWN_MODALITIES = ("", "MET_MOD_CT", "MET_MOD_MR", "MET_MOD_OTHER", "MET_MOD_UNKNOWN")
_MOST_DIMENSIONS = 10
# Columns of a matrix whose length is this close to 1 were rounded; others change the spacing.
_UNIT_LENGTH = 1e-3
# A gantry tilted by 35 degrees shears by a factor of 1.22.
_LONGEST_SHEAR = 0.2


def read_metaimage_header(path: Path) -> ImageHeader:
    """The header of a MetaImage file; VolumeError where it is damaged, contradicts itself or isn't one scalar volume."""
    fields, end = _fields(path)
    sizes = sizes_of(fields, "NDims", "DimSize", _MOST_DIMENSIONS, path)
    _check_channels(fields, path)
    ijk_to_lps, doubts = _geometry(fields, len(sizes), path)
    return ImageHeader(
        size_ijk=volume_size(sizes, path),
        voxel_type=_voxel_type(fields, path),
        ijk_to_lps=ijk_to_lps,
        voxels=_voxel_place(fields, path, end),
        doubts=(*doubts, *_doubts_about_values(fields)),
    )


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """The fields of the header by name, and the byte after it."""
    found = _HEADER.match(read_start(path))
    if found is None or b"\0" in found.group():
        raise VolumeError(
            f"{path} can't be read as MetaImage: it is cut short, damaged or another format; copy or export it again."
        )
    fields: dict[str, str] = {}
    for line in found.group().decode("utf-8", "replace").splitlines():
        match = _LINE.match(line)
        if match is None:
            if line.strip():
                raise VolumeError(
                    f"{path} is damaged: its header holds the line {line[:80]!r}; copy or export it again."
                )
            continue
        name, value = match.groups()
        if name in fields:
            raise VolumeError(f"{path}: its header says {name} twice; correct the header.")
        fields[name] = value
    return fields, found.end()


def _one_of(fields: dict[str, str], names: tuple[str, ...], path: Path) -> str | None:
    """The value of a field that has several names; VolumeError where two of them are there."""
    present = [name for name in names if name in fields]
    if len(present) > 1:
        raise VolumeError(
            f"{path}: its header says both {present[0]} and {present[1]}; leave one of them out."
        )
    return fields[present[0]] if present else None


def _is_true(fields: dict[str, str], name: str, path: Path) -> bool:
    # MetaIO looks at the first letter alone.
    first = fields.get(name, "False")[:1].lower()
    if first not in ("t", "f", "1", "0", "y", "n"):
        raise VolumeError(f"{path}: its header says {name} = {fields[name][:80]!r}, not True or False.")
    return first in "t1y"


def _check_channels(fields: dict[str, str], path: Path) -> None:
    if fields.get("ObjectType", "Image").lower() != "image":
        raise VolumeError(f"{path}: it holds a {fields['ObjectType'][:40]}, not an image.")
    channels = whole_numbers(fields.get("ElementNumberOfChannels", "1"), "ElementNumberOfChannels", path)
    if channels != [1]:
        raise VolumeError(
            f"{path}: its voxels hold {fields['ElementNumberOfChannels'][:40]} numbers each, as in RGB pictures; give a "
            "CT volume with one number in each voxel."
        )


def _voxel_type(fields: dict[str, str], path: Path) -> np.dtype[Any]:
    name = required(fields, "ElementType", path)
    if name not in _NUMPY_TYPE:
        raise VolumeError(f"{path}: its voxels are of the type {name[:80]!r}; give a volume of numbers.")
    orders = {
        _is_true(fields, field, path)
        for field in ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
        if field in fields
    }
    if len(orders) > 1:
        raise VolumeError(f"{path}: its header says two byte orders; correct the header.")
    ordered: np.dtype[Any] = np.dtype(_NUMPY_TYPE[name]).newbyteorder(">" if True in orders else "<")
    return ordered


def _doubts_about_values(fields: dict[str, str]) -> tuple[str, ...]:
    """ITK and 3D Slicer show the stored values, so they are what is read, and a scale in the header is doubted."""
    slope = fields.get("ElementToIntensityFunctionSlope", "1")
    offset = fields.get("ElementToIntensityFunctionOffset", "0")
    modality = fields.get("Modality", "").upper()
    doubts = []
    if not (_is_number(slope, 1.0) and _is_number(offset, 0.0)):
        doubts.append(
            f"its header wants its values times {slope[:20]} plus {offset[:20]}, which 3D Slicer does not do; the values "
            "are taken as they are stored."
        )
    if modality not in _KNOWN_MODALITIES:
        doubts.append(f"its header says that it is {modality[:20]}, not CT; landmarks will be unreliable.")
    return tuple(doubts)


def _is_number(text: str, value: float) -> bool:
    try:
        return float(text) == value
    except ValueError:
        return False


# ---- Where the voxels lie


def _voxel_place(fields: dict[str, str], path: Path, end: int) -> VoxelPlace:
    encoding = _encoding(fields, path)
    name = fields["ElementDataFile"]
    file, offset = (path, end) if name.upper() == "LOCAL" else (voxel_file_beside(path, name), 0)
    skip = skipped(fields, "HeaderSize", path)
    if skip == 0:
        return VoxelPlace(file, offset, encoding)
    # MetaIO counts these bytes from the beginning of the file, other programs from the end of the header.
    if file == path or encoding != "raw":
        raise VolumeError(
            f"{path}: its header says HeaderSize = {skip}, which programs understand differently where voxels are "
            "compressed or in the same file; save the volume again, for example with 3D Slicer."
        )
    return VoxelPlace(file, None if skip == -1 else skip)


def _encoding(fields: dict[str, str], path: Path) -> Encoding:
    # Old headers don't say it, and mean binary voxels.
    binary = "BinaryData" not in fields or _is_true(fields, "BinaryData", path)
    compressed = _is_true(fields, "CompressedData", path)
    if not binary and compressed:
        raise VolumeError(f"{path}: its header says that its voxels are compressed text; correct the header.")
    return "deflated" if compressed else "raw" if binary else "text"


# ---- Geometry


def _geometry(fields: dict[str, str], dimension: int, path: Path) -> tuple[FloatArray, tuple[str, ...]]:
    factor, of_units = unit_in_mm(fields.get("DistanceUnits", ""))
    spacing, of_spacing = _spacing(fields, dimension, path)
    check_spacing((spacing[:3] * factor).tolist(), str(path))
    place, matrix = _one_of(fields, _PLACE_FIELDS, path), _one_of(fields, _DIRECTION_FIELDS, path)
    origin = np.zeros(dimension) if place is None else numbers(place, dimension, "Offset", path)
    direction = np.eye(max(3, dimension))
    if matrix is not None:
        # The rows of the matrix in the file are the directions of the axes.
        rows = numbers(matrix, dimension * dimension, "TransformMatrix", path)
        direction = rows.reshape(dimension, dimension).T
    doubts = [
        *_doubts_about_direction(direction, path),
        *of_spacing,
        *([NO_PLACE] if place is None else []),
        *([NO_DIRECTION] if matrix is None else []),
        *of_units,
    ]
    affine = affine_from_parts(np.resize(origin, 3) * factor, spacing * factor, direction[:3, :3])
    return affine, tuple(doubts)


def _spacing(fields: dict[str, str], dimension: int, path: Path) -> tuple[FloatArray, tuple[str, ...]]:
    """Spacing `(3,)` in the header's unit; ElementSize says it where ElementSpacing does not."""
    for name in ("ElementSpacing", "ElementSize"):
        if name in fields:
            return np.resize(numbers(fields[name], dimension, name, path), 3), ()
    return np.ones(3), (NO_SPACING,)


def _doubts_about_direction(direction: FloatArray, path: Path) -> tuple[str, ...]:
    """A sheared matrix has columns a little longer than 1; VolumeError where they are of another length altogether."""
    if direction.shape[0] < 3:
        return ()
    lengths = np.linalg.norm(direction[:, :3], axis=0)
    text = ", ".join(f"{length:g}" for length in lengths)
    # A NaN must not pass.
    if not (np.abs(np.log(lengths)) <= _LONGEST_SHEAR).all() or direction[3:, :3].any():
        raise VolumeError(
            f"{path}: the axes in its TransformMatrix have the lengths {text}, not 1, so the size of its voxels is not "
            "certain; correct the header or convert the scan again."
        )
    if (np.abs(lengths - 1) <= _UNIT_LENGTH).all():
        return ()
    doubt = (
        f"the axes in its TransformMatrix have the lengths {text}, not 1; they are taken as they are, which makes the "
        "voxels that much larger."
    )
    return (doubt,)
