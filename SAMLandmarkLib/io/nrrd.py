"""NRRD files (`.nrrd`, and `.nhdr` with its voxels in one other file), 3D Slicer's own format.

The header is read here field by field and the voxels by `voxel_bytes`, because ITK reads a gzip stream without
looking at its checksum and takes a spacing that is not a number for 1 mm.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..core.geometry import affine_from_parts
from ..core.volume_checks import check_spacing, sizes_text
from ..utils.errors import VolumeError
from .header_doubts import NO_DIRECTION, NO_FRAME, NO_PLACE, NO_SPACING, unit_in_mm
from .image_header import (
    MOST_SKIPPED,
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

_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}  # fmt: skip
_NUMPY_TYPE = {name: code for code, names in _TYPES.items() for name in names}
_ENCODINGS: dict[str, Encoding] = {
    "raw": "raw", "gzip": "deflated", "gz": "deflated", "txt": "text", "text": "text", "ascii": "text",
}  # fmt: skip
_ORDERS: dict[str, Literal["<", ">"]] = {"little": "<", "big": ">"}
# Signs that turn a frame into LPS; the fourth letter of the longer names stands for time.
_TO_LPS = {
    "left-posterior-superior": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
}
_SHORT_FRAMES = {
    "lps": "left-posterior-superior",
    "ras": "right-anterior-superior",
    "las": "left-anterior-superior",
}
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(r"^([^:#][^:]*):(?!=)(.*)$")
_VECTOR = re.compile(r"none|\([^()]*\)")
_KNOWN_FIELDS = re.split(
    " ",
    "content number type blocksize dimension space spacedimension sizes spacings thicknesses axismins axismaxs "
    "spacedirections centers centerings kinds labels units min max oldmin oldmax endian encoding lineskip byteskip "
    "sampleunits spaceunits spaceorigin measurementframe datafile",
)
_KINDS_OF_SPACE = ("domain", "space", "time", "none", "???", "?")
_MOST_DIMENSIONS = 16


def read_nrrd_header(path: Path) -> ImageHeader:
    """The header of an NRRD file; VolumeError where it is damaged, contradicts itself or isn't one scalar volume."""
    fields, end = _fields(path)
    sizes = sizes_of(fields, "dimension", "sizes", _MOST_DIMENSIONS, path)
    _check_kinds(fields, sizes, path)
    size_ijk = volume_size([sizes[axis] for axis in _space_axes(fields, sizes, path)], path)
    ijk_to_lps, doubts = _geometry(fields, sizes, path)
    return ImageHeader(
        size_ijk=size_ijk,
        voxel_type=_voxel_type(fields, path),
        ijk_to_lps=ijk_to_lps,
        voxels=_voxel_place(fields, path, end),
        doubts=doubts,
    )


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """The fields of the header by name without blanks, and the byte after the blank line that ends it."""
    start = read_start(path)
    found = _HEADER_END.search(start)
    if not start.startswith(b"NRRD000") or (found is None and path.suffix.lower() != ".nhdr"):
        raise VolumeError(
            f"{path} can't be read as NRRD: it is cut short, damaged or another format; copy or export it again."
        )
    text = start[: found.start() if found else len(start)].decode("utf-8", "replace")
    fields: dict[str, str] = {}
    for line in text.splitlines()[1:]:
        if line.startswith("#") or ":=" in line.partition(": ")[0]:
            continue
        match = _FIELD.match(line)
        name = match.group(1).strip().lower().replace(" ", "") if match else ""
        if match is None or name not in _KNOWN_FIELDS:
            raise VolumeError(
                f"{path} is damaged: its header holds the line {line[:80]!r}; copy or export it again."
            )
        if name in fields:
            raise VolumeError(f"{path}: its header says {match.group(1)!r} twice; correct the header.")
        fields[name] = match.group(2).strip()
    return fields, found.end() if found else len(start)


def _voxel_type(fields: dict[str, str], path: Path) -> np.dtype[Any]:
    name = " ".join(required(fields, "type", path).lower().split())
    if name not in _NUMPY_TYPE:
        raise VolumeError(f"{path}: its voxels are of the type {name[:80]!r}; give a volume of numbers.")
    voxel_type = np.dtype(_NUMPY_TYPE[name])
    if voxel_type.itemsize == 1 or _ENCODINGS.get(fields.get("encoding", "").lower()) == "text":
        return voxel_type
    order = required(fields, "endian", path).lower()
    if order not in _ORDERS:
        raise VolumeError(
            f"{path}: its header says endian {order[:80]!r}, not little or big; correct the header."
        )
    ordered: np.dtype[Any] = voxel_type.newbyteorder(_ORDERS[order])
    return ordered


# ---- Where the voxels lie


def _voxel_place(fields: dict[str, str], path: Path, end: int) -> VoxelPlace:
    encoding = _encoding(fields, path)
    name = fields.get("datafile")
    file, offset = (path, end) if name is None else (voxel_file_beside(path, name), 0)
    lines, skip = (skipped(fields, field, path) for field in ("lineskip", "byteskip"))
    if lines:
        offset = _after_lines(file, offset, lines)
    if skip == -1 and encoding == "raw" and not lines:
        return VoxelPlace(file, None)
    if skip < 0:
        raise VolumeError(f"{path}: its header says byte skip {skip}, which is for raw voxels only.")
    return (
        VoxelPlace(file, offset, encoding, skip)
        if encoding == "deflated"
        else VoxelPlace(file, offset + skip, encoding)
    )


def _encoding(fields: dict[str, str], path: Path) -> Encoding:
    name = required(fields, "encoding", path).lower()
    if name not in _ENCODINGS:
        raise VolumeError(
            f"{path}: its voxels are encoded as {name[:80]}, which can't be read here; save it as raw or gzip, for "
            "example with 3D Slicer."
        )
    return _ENCODINGS[name]


def _after_lines(path: Path, offset: int, lines: int) -> int:
    with open(path, "rb") as file:
        file.seek(offset)
        start = file.read(MOST_SKIPPED)
    ends = [match.end() for match in re.finditer(rb"\n", start)][:lines]
    if len(ends) < lines:
        raise VolumeError(
            f"{path}: its header skips {lines} lines, but it has {len(ends)}; correct the header."
        )
    return offset + ends[-1]


# ---- Geometry


def _vectors(fields: dict[str, str], path: Path) -> list[FloatArray | None]:
    """The space direction of each axis, None for axes that are not of space."""
    text = fields["spacedirections"]
    found = _VECTOR.findall(text)
    if _VECTOR.sub("", text).strip():
        raise VolumeError(f"{path}: its header says space directions {text[:80]!r}; correct the header.")
    return [None if part == "none" else _vector(part, fields, path) for part in found]


def _vector(text: str, fields: dict[str, str], path: Path) -> FloatArray:
    return numbers(text.strip("() ").replace(",", " "), _space_dimension(fields, path), "a vector of", path)


def _space_dimension(fields: dict[str, str], path: Path) -> int:
    if "space" in fields:
        return 3 + ("time" in fields["space"].lower() or fields["space"].lower() in ("rast", "last", "lpst"))
    dimension = whole_numbers(required(fields, "spacedimension", path), "space dimension", path)
    if len(dimension) != 1 or not 1 <= dimension[0] <= _MOST_DIMENSIONS:
        raise VolumeError(f"{path}: its header says space dimension {dimension}; give one 3-D volume.")
    return dimension[0]


def _space_axes(fields: dict[str, str], sizes: list[int], path: Path) -> list[int]:
    """The numbers of the axes that are of space; axes of other kinds must have one entry."""
    if "spacedirections" not in fields:
        return list(range(len(sizes)))
    vectors = _vectors(fields, path)
    if len(vectors) != len(sizes):
        raise VolumeError(
            f"{path}: its header gives {len(vectors)} space directions for {len(sizes)} axes; correct the header."
        )
    others = [sizes[axis] for axis, vector in enumerate(vectors) if vector is None]
    if any(size != 1 for size in others):
        raise VolumeError(
            f"{path}: its voxels hold {sizes_text(others)} numbers each, as in RGB pictures; give a CT volume with one "
            "number in each voxel."
        )
    return [axis for axis, vector in enumerate(vectors) if vector is not None]


def _check_kinds(fields: dict[str, str], sizes: list[int], path: Path) -> None:
    for kind, size in zip(fields.get("kinds", "").lower().split(), sizes):
        if size > 1 and kind not in _KINDS_OF_SPACE:
            raise VolumeError(
                f"{path}: one of its axes holds a {kind[:40]} of {size} numbers; give a CT volume with one number in "
                "each voxel."
            )


def _geometry(fields: dict[str, str], sizes: list[int], path: Path) -> tuple[FloatArray, tuple[str, ...]]:
    if "spacedirections" not in fields:
        return _geometry_without_directions(fields, len(sizes), path)
    space = _space_dimension(fields, path)
    vectors = [vector for vector in _vectors(fields, path) if vector is not None]
    matrix = np.column_stack(vectors) if vectors else np.zeros((0, 0))
    if matrix.shape[0] < 3 or matrix.shape[1] < 3 or matrix[3:, :3].any():
        raise VolumeError(
            f"{path}: its header describes {len(vectors)} axes in a space of {space} dimensions; give one 3-D volume."
        )
    origin, doubts = np.zeros(space), [NO_PLACE]
    if "spaceorigin" in fields:
        origin, doubts = _vector(fields["spaceorigin"], fields, path), []
    signs = _signs(fields)
    factor, of_units = unit_in_mm(_unit(fields, "spaceunits", path))
    check_spacing((np.linalg.norm(matrix[:3, :3], axis=0) * factor).tolist(), str(path))
    ijk_to_lps = affine_from_parts(origin[:3] * factor, np.full(3, factor), matrix[:3, :3])
    ijk_to_lps = np.diag([*(signs or (1, 1, 1)), 1.0]) @ ijk_to_lps
    return ijk_to_lps, (*doubts, *([] if signs else [NO_FRAME]), *of_units)


def _geometry_without_directions(
    fields: dict[str, str], dimension: int, path: Path
) -> tuple[FloatArray, tuple[str, ...]]:
    spacing = np.ones(dimension)
    doubts = [NO_DIRECTION if "spacings" in fields else NO_SPACING]
    factor, of_units = unit_in_mm(_unit(fields, "units", path))
    if "spacings" in fields:
        spacing = np.abs(numbers(fields["spacings"], dimension, "spacings", path))
        check_spacing((spacing[:3] * factor).tolist(), str(path))
    origin = np.zeros(dimension)
    if "axismins" in fields:
        origin = numbers(fields["axismins"], dimension, "axis mins", path)
    origin, spacing = np.resize(origin, 3), np.resize(spacing, 3)
    return affine_from_parts(origin * factor, spacing * factor, np.eye(3)), (*doubts, *of_units)


def _signs(fields: dict[str, str]) -> tuple[int, int, int] | None:
    """The signs that turn the header's frame into LPS; None where it is no frame of a patient."""
    name = fields.get("space", "").lower()
    name = name.removesuffix("-time")
    name = _SHORT_FRAMES.get(name.removesuffix("t") if len(name) == 4 else name, name)
    return _TO_LPS.get(name)


def _unit(fields: dict[str, str], field: str, path: Path) -> str:
    """The one unit of all axes; VolumeError where they differ."""
    units = {unit.strip() for unit in re.findall(r'"([^"]*)"', fields.get(field, ""))} - {""}
    if len(units) > 1:
        raise VolumeError(
            f"{path}: its axes have different units ({', '.join(sorted(units))[:80]}); use mm for all."
        )
    return units.pop() if units else ""
