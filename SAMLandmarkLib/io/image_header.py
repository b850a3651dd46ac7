"""What the header of an image file says, checked field by field before any voxel is read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.volume_checks import sizes_text
from ..utils.errors import VolumeError

FloatArray = NDArray[np.float64]
Encoding = Literal["raw", "deflated", "text"]
# Largest number of voxel bytes that any reader takes: a whole body of 0.5 mm voxels in 16 bit has 4 GiB.
MOST_VOXEL_BYTES = 1 << 34
MOST_SKIPPED = 1 << 26
_MOST_HEADER_BYTES = 1 << 20


@dataclass(frozen=True)
class VoxelPlace:
    """Where the voxels of an image lie: in `path` from byte `offset` on, in one of three encodings.

    `skip` decoded bytes come before the first voxel. An `offset` of None means the last bytes of the file.
    """

    path: Path
    offset: int | None
    encoding: Encoding = "raw"
    skip: int = 0


@dataclass(frozen=True, eq=False)
class ImageHeader:
    """A checked header: `size_ijk`, the type of a voxel in its byte order, the 4x4 `ijk_to_lps`, and the voxels' place.

    A value is `slope` times the stored number plus `intercept`. `doubts` are sentences about the header.
    """

    size_ijk: tuple[int, int, int]
    voxel_type: np.dtype[Any]
    ijk_to_lps: FloatArray
    voxels: VoxelPlace
    slope: float = 1.0
    intercept: float = 0.0
    doubts: tuple[str, ...] = ()

    @property
    def voxel_bytes(self) -> int:
        """Number of bytes that the voxels take when they are decoded."""
        return math.prod(self.size_ijk) * self.voxel_type.itemsize


def volume_size(sizes: list[int], path: Path) -> tuple[int, int, int]:
    """The three sizes of a volume, from a header that may count further dimensions of 1; VolumeError else."""
    kept = list(sizes)
    while len(kept) > 3 and kept[-1] == 1:
        kept.pop()
    if len(kept) != 3 or min(kept) < 1:
        raise VolumeError(
            f"{path}: it is {len(kept)}-D with {sizes_text(kept)} voxels; give one 3-D volume with one "
            "number in each voxel."
        )
    return kept[0], kept[1], kept[2]


def check_voxel_bytes(header: ImageHeader) -> ImageHeader:
    """`header` itself; VolumeError where it announces more voxels than any scan has."""
    if header.voxel_bytes > MOST_VOXEL_BYTES:
        raise VolumeError(
            f"{header.voxels.path}: its header announces {sizes_text(header.size_ijk)} voxels, more than any scan "
            "has; it is damaged, or give a part of the volume."
        )
    return header


def read_start(path: Path) -> bytes:
    """The first megabyte of a file, in which every header ends."""
    with open(path, "rb") as file:
        return file.read(_MOST_HEADER_BYTES)


def numbers(text: str, count: int, field: str, path: Path) -> FloatArray:
    """`count` numbers `(count,)` separated by blanks, which may be NaN; VolumeError names the header's `field`."""
    try:
        values = np.array([float(part) for part in text.split()])
    except ValueError:
        values = np.empty(0)
    if values.shape != (count,):
        raise VolumeError(
            f"{path}: its header says {field} {text[:80]!r}, not {count} numbers; correct the header or convert the "
            "scan again."
        )
    return values


def whole_numbers(text: str, field: str, path: Path) -> list[int]:
    """Whole numbers separated by blanks; VolumeError names the header's `field`."""
    parts = text.split()
    # Longer ones are no sizes, and Python refuses to take thousands of digits for a number.
    if not parts or not all(part.lstrip("+-").isdecimal() and len(part) < 20 for part in parts):
        raise VolumeError(
            f"{path}: its header says {field} {text[:80]!r}, not whole numbers; correct the header or convert the "
            "scan again."
        )
    return [int(part) for part in parts]


def required(fields: dict[str, str], name: str, path: Path) -> str:
    """The value of a field of a header in text; VolumeError where it is not there."""
    if name not in fields:
        raise VolumeError(f"{path}: its header has no field {name!r}; copy or export it again.")
    return fields[name]


def sizes_of(
    fields: dict[str, str], dimension_field: str, sizes_field: str, most: int, path: Path
) -> list[int]:
    """The size along each axis; VolumeError where there are not as many as the dimension, or more than `most`."""
    dimension = whole_numbers(required(fields, dimension_field, path), dimension_field, path)
    if len(dimension) != 1 or not 1 <= dimension[0] <= most:
        raise VolumeError(
            f"{path}: its header says {dimension_field} {fields[dimension_field][:80]!r}; give one 3-D volume."
        )
    sizes = whole_numbers(required(fields, sizes_field, path), sizes_field, path)
    if len(sizes) != dimension[0]:
        raise VolumeError(
            f"{path}: its header says {dimension_field} {fields[dimension_field]!r}, but {sizes_field} "
            f"{fields[sizes_field][:80]!r}."
        )
    return sizes


def skipped(fields: dict[str, str], field: str, path: Path) -> int:
    """How many bytes or lines a header wants to be passed over, -1 for all but the last voxels; 0 where it says nothing."""
    count = whole_numbers(fields.get(field, "0"), field, path)
    if len(count) != 1 or not -1 <= count[0] <= MOST_SKIPPED:
        raise VolumeError(f"{path}: its header says {field} {fields[field][:80]!r}; correct the header.")
    return count[0]


def voxel_file_beside(path: Path, name: str) -> Path:
    """The one file `name` that holds the voxels for the header `path`; VolumeError where it is not there, or several."""
    if name.upper().startswith("LIST") or "%" in name:
        raise VolumeError(
            f"{path}: its voxels lie in several files ({name[:80]}), which can't be read here; save the volume with "
            "its voxels in one file, for example with 3D Slicer."
        )
    beside = path.parent / name
    if "\0" in name or not beside.is_file():
        raise VolumeError(
            f"{path} can't be read: the file with its voxels must lie beside it, but {name[:80]!r} is not there; "
            "copy or export both again."
        )
    return beside
