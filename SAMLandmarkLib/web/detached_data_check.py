"""Refuses scans whose voxels would be read from another file, which on a server could be any file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..utils.errors import VolumeError

_BLOCK = 1 << 20
_NRRD_FIELDS = (b"datafile:", b"data file:")
_META_FIELD = b"ElementDataFile"
_META_OWN = re.compile(rb"^ElementDataFile[ \t]*=[ \t]*LOCAL[ \t]*\r?\n", re.MULTILINE)


def check_own_voxels(path: Path) -> None:
    """Raise VolumeError where an NRRD or MetaImage file names another file as that of its voxels.

    Whole files are searched: a header may be of any length, and readers have their own ideas of where it ends.
    """
    checks = {".nrrd": _nrrd_has_own_voxels, ".mha": _meta_image_has_own_voxels}
    if path.suffix in checks and not checks[path.suffix](path):
        raise VolumeError(f"{path} does not hold its voxels itself; give a scan that is one file.")


def _nrrd_has_own_voxels(path: Path) -> bool:
    longest = max(map(len, _NRRD_FIELDS))
    return not any(field in block.lower() for block in _blocks(path, longest) for field in _NRRD_FIELDS)


def _meta_image_has_own_voxels(path: Path) -> bool:
    named = sum(block.count(_META_FIELD) for block in _blocks(path, len(_META_FIELD)))
    with open(path, "rb") as file:
        own = _META_OWN.search(file.read(_BLOCK))
    return named == 1 and own is not None


def _blocks(path: Path, length: int) -> Iterator[bytes]:
    """A file in blocks, so that whatever is `length` bytes long is in exactly one of them."""
    before = b""
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            yield before + block
            before = (before + block)[1 - length :]
