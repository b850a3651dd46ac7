"""Voxels out of files: exactly as many bytes as the header announces, with the checksums of what is compressed.

Libraries that read these formats were found to return what lay in memory before where a stream is damaged, its
announced length is missing or wrong, or its end is not there. So nothing compressed or counted is left to them.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..utils.errors import VolumeError
from .image_header import FloatArray, ImageHeader, VoxelPlace

_BLOCK = 1 << 20
# zlib finds out by itself whether a stream has gzip's or zlib's own frame; either carries a checksum.
_ANY_FRAME = 47
_GZIP_MAGIC = b"\x1f\x8b"
# Deflate can't expand its input more than this.
_DEFLATE_EXPANSION = 1032
# What some programs leave behind the voxels.
_PADDING = b"\0 \t\r\n"
_MOST_PADDING = 1 << 20
_FEW_STREAMS, _SMALLEST_STREAM = 1000, 1 << 10


def read_voxels(header: ImageHeader) -> NDArray[Any]:
    """The values of the voxels as an array `[z, y, x]`, rescaled where the header says so.

    Raises VolumeError where the file holds fewer or more bytes of voxels than its header announces, or where a
    compressed stream is damaged.
    """
    stored = _stored(header).reshape(header.size_ijk[::-1])
    native = stored.astype(header.voxel_type.newbyteorder("="), copy=False)
    return _rescaled(native, header.slope, header.intercept)


def _stored(header: ImageHeader) -> NDArray[Any]:
    place, expected = header.voxels, header.voxel_bytes
    if place.encoding == "text":
        return _from_text(header)
    with open(place.path, "rb") as file:
        found = os.fstat(file.fileno()).st_size - (place.offset or 0)
        _check_length(found, place, expected)
        # Zeros, and not whatever lay there: nothing reads them, since all of them must be filled.
        voxels = np.zeros(expected, dtype=np.uint8)
        file.seek(found - expected if place.offset is None else place.offset)
        fill = _inflate_into if place.encoding == "deflated" else _read_into
        fill(file, voxels.data, place)
    return voxels.view(header.voxel_type)


def _check_length(found: int, place: VoxelPlace, expected: int) -> None:
    """Before memory is asked for, because the sizes in a damaged header may be anything."""
    most = found * _DEFLATE_EXPANSION if place.encoding == "deflated" else found
    if most < expected + place.skip:
        raise cut_short(place.path, min(expected, expected + place.skip - most), expected)


def cut_short(path: Path, missing: int, expected: int) -> VolumeError:
    """The error that `missing` of `expected` bytes of voxels are not there."""
    return VolumeError(
        f"{path} is cut short: {missing} of {expected} bytes of voxels are missing; copy or export it again."
    )


def _too_long(place: VoxelPlace, expected: int) -> VolumeError:
    return VolumeError(
        f"{place.path} holds more than the {expected} bytes of voxels that its header announces, so one of the two is "
        "wrong; correct the header or convert the scan again."
    )


def _read_into(file: BinaryIO, voxels: memoryview, place: VoxelPlace) -> None:
    filled = 0
    while count := file.readinto(voxels[filled:]):  # type: ignore[attr-defined]
        filled += count
    if filled < len(voxels):
        raise cut_short(place.path, len(voxels) - filled, len(voxels))
    while rest := file.read(_BLOCK):
        if rest.strip(_PADDING):
            raise _too_long(place, len(voxels))


def _inflate_into(file: BinaryIO, voxels: memoryview, place: VoxelPlace) -> None:
    # Number of decoded bytes so far, counted from the first voxel on.
    filled = -place.skip
    try:
        for block in _inflated(file):
            start, room = max(0, filled), len(voxels) - max(0, filled)
            data = block[max(0, -filled) :]
            kept = data[: max(0, room)]
            voxels[start : start + len(kept)] = kept
            filled += len(block)
            if data[len(kept) :].strip(_PADDING) or filled - len(voxels) > _MOST_PADDING:
                raise _too_long(place, len(voxels))
    except (EOFError, zlib.error) as error:
        raise VolumeError(
            f"{place.path} is cut short or damaged ({error}); copy or export it again."
        ) from error
    if filled < len(voxels):
        raise cut_short(place.path, len(voxels) - max(0, filled), len(voxels))


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    """What compressed streams, one after the other, hold, in blocks; each has been compared with its checksum.

    Raises zlib.error where a stream is damaged and EOFError where it has no end, after its last block.
    """
    rest, streams, decoded = b"", 0, 0
    while True:
        stream = zlib.decompressobj(_ANY_FRAME)
        while not stream.eof:
            rest = rest or file.read(_BLOCK)
            data = stream.decompress(rest, _BLOCK)
            if not data and not rest and not stream.eof:
                raise EOFError("its compressed voxels have no end")
            rest, decoded = stream.unconsumed_tail, decoded + len(data)
            yield data
        rest, streams = stream.unused_data, streams + 1
        if len(rest) < len(_GZIP_MAGIC):
            rest += file.read(_BLOCK)
        if not rest.startswith(_GZIP_MAGIC):
            return
        # Each costs time, so that a file of nothing else would keep a program busy for hours.
        if streams > _FEW_STREAMS + decoded // _SMALLEST_STREAM:
            raise EOFError("it is cut into far too many pieces")


def _from_text(header: ImageHeader) -> NDArray[Any]:
    """Voxels that are written as decimal numbers between blanks."""
    place, count = header.voxels, math.prod(header.size_ijk)
    content = place.path.read_bytes()[place.offset or 0 :]
    if len(content) < 2 * count - 1:
        raise cut_short(place.path, 2 * count - 1 - len(content), 2 * count - 1)
    parts = content.split()
    if len(parts) != count:
        raise VolumeError(
            f"{place.path} holds {len(parts)} numbers, but its header announces {count} voxels; copy or export it "
            "again."
        )
    try:
        values = np.array(parts, dtype=np.float64)
        if header.voxel_type.kind in "iu" and not _fit(values, header.voxel_type):
            raise ValueError("a number is too large for its type")
    except ValueError as error:
        raise VolumeError(f"{place.path} is damaged ({error}); copy or export it again.") from error
    return values.astype(header.voxel_type)


def _fit(values: FloatArray, voxel_type: np.dtype[Any]) -> bool:
    limits = np.iinfo(voxel_type)
    return bool(((values >= limits.min) & (values <= limits.max) & (values == np.rint(values))).all())


def _rescaled(array: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    if (slope, intercept) == (1, 0):
        return array
    rescaled: NDArray[Any] = array.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    return rescaled
