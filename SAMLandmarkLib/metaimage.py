"""A check that ITK leaves out: damaged compressed voxels of a MetaImage file come out as noise, silently."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from .errors import VolumeError

# More than any header takes where the voxels follow in the same file.
_HEADER_BYTES = 1 << 20


def check_compressed_voxels(path: Path) -> None:
    """Raise VolumeError where the compressed voxels of the MetaImage file `path` are cut short or damaged."""
    with open(path, "rb") as file:
        start = file.read(_HEADER_BYTES)
    compressed = re.search(rb"^CompressedData\s*=\s*True", start, re.MULTILINE | re.IGNORECASE)
    data_file = re.search(rb"^ElementDataFile\s*=\s*(.*?)\s*?\n", start, re.MULTILINE)
    if not compressed or not data_file:
        return
    name = data_file.group(1).decode("utf-8", "replace")
    if name.upper() == "LOCAL":
        _check_zlib(path, data_file.end())
    elif (path.parent / name).is_file():
        _check_zlib(path.parent / name, 0)


def _check_zlib(path: Path, offset: int) -> None:
    stream = zlib.decompressobj()
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            while not stream.eof and (block := file.read(1 << 20)):
                stream.decompress(block)
    except zlib.error as error:
        raise VolumeError(f"{path} is damaged ({error}); copy or export it again.") from error
    if not stream.eof:
        raise VolumeError(f"{path} is cut short: its compressed voxels have no end; copy or export it again.")
