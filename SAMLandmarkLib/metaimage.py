"""A check that ITK leaves out: whether the voxels of a MetaImage file are all there and undamaged.

ITK 5.4 reads compressed voxels that are damaged as noise, and ITK 5.3 fills up what is missing, both
silently.
"""

from __future__ import annotations

import math
import re
import zlib
from pathlib import Path

from .errors import VolumeError

# More than any header takes where the voxels follow in the same file.
_HEADER_BYTES = 1 << 16
_VOXEL_BYTES = {
    "MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4,
    "MET_FLOAT": 4, "MET_DOUBLE": 8, "MET_LONG_LONG": 8, "MET_ULONG_LONG": 8,
}  # fmt: skip


def check_voxels(path: Path) -> None:
    """Raise VolumeError where the voxels of the MetaImage file `path` are cut short or damaged.

    What can't be judged (no MetaImage header, voxels in many files) is left to the reader.
    """
    with open(path, "rb") as file:
        start = file.read(_HEADER_BYTES)
    header = re.match(rb"(?:[^\n]*\n)*?ElementDataFile[^\n]*\n", start)
    if not header:
        return
    fields = dict(re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", header.group().decode("latin-1"), re.MULTILINE))
    local = fields["ElementDataFile"].upper() == "LOCAL"
    data_file = path if local else path.parent / fields["ElementDataFile"]
    if not data_file.is_file():
        return
    if fields.get("CompressedData", "").lower() == "true":
        _check_compressed(data_file, header.end() if local else 0)
    else:
        _check_size(data_file, header.end() if local else 0, fields)


def _check_compressed(path: Path, offset: int) -> None:
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


def _check_size(path: Path, offset: int, fields: dict[str, str]) -> None:
    counts = re.findall(r"\d+", f"{fields.get('DimSize', '0')} {fields.get('ElementNumberOfChannels', '1')}")
    expected = math.prod(map(int, counts)) * _VOXEL_BYTES.get(fields.get("ElementType", ""), 0)
    missing = expected - (path.stat().st_size - offset)
    if missing > 0:
        raise VolumeError(
            f"{path} is cut short: {missing} of {expected} bytes of voxels are missing; copy or export it "
            "again."
        )
