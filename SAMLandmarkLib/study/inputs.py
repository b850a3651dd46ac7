"""What a result depends on: the files it was made of, told apart by content and, quicker, by size and time."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..io.dicom_series import slices_of_folder
from ..utils.errors import SAMLandmarkError, VolumeError
from ..utils.files import sha256_of

if TYPE_CHECKING:
    from .plan import StudyScan

_HEADERS = (".mhd", ".nhdr")
"""Formats whose voxels lie in another file."""
_VOXEL_FILE = re.compile(rb"^(?:ElementDataFile\s*=|data ?file\s*:)(.+)$", re.IGNORECASE | re.MULTILINE)
_HEADER_BYTES = 1 << 16


@dataclass(frozen=True)
class InputState:
    """Files at one time: `stamp` changes with names, sizes and times, `sha256` with names and contents.

    The stamp of a scan is of all files among which its own are chosen, so that it is known without opening any.
    """

    stamp: str
    sha256: str

    @classmethod
    def of(cls, files: Sequence[Path]) -> InputState:
        """The state of files. Raises VolumeError where one of them can't be read."""
        with _readable():
            # the stamp first: a file that changes meanwhile then differs from it the next time
            return cls(stamp_of(files), sha256_of_files(files))

    @classmethod
    def of_scan(cls, scan: StudyScan) -> InputState:
        """The state of the files of a scan. Raises VolumeError where one of them can't be read."""
        with _readable():
            return cls(stamp_of(watched_files(scan)), sha256_of_files(files_of_scan(scan)))


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (OSError, SAMLandmarkError) as error:
        raise VolumeError(f"{_described(error)}; check the path and the permissions.") from error


def files_of_scan(scan: StudyScan) -> list[Path]:
    """The files that a scan is read from: of a folder those of the series in it, all where none can be told."""
    if not scan.files and scan.path.is_dir():
        with suppress(SAMLandmarkError):
            return sorted(file.path for file in slices_of_folder(scan.path))
    return watched_files(scan)


def is_unchanged(scan: StudyScan, sha256: str) -> bool:
    """Whether the files of a scan have this checksum. Raises VolumeError where one of them can't be read."""
    with _readable():
        files, watched = files_of_scan(scan), watched_files(scan)
        # up to version 0.3 all that lay in the folder of a series counted
        return sha256_of_files(files) == sha256 or (watched != files and sha256_of_files(watched) == sha256)


def watched_files(scan: StudyScan) -> list[Path]:
    """All files among which those of a scan are; where one changes, the scan may have changed."""
    if scan.files:
        return [scan.path / name for name in scan.files]
    if scan.path.is_dir():
        # a file browser leaves hidden files in folders that somebody looks into
        return sorted(
            file for file in scan.path.iterdir() if file.is_file() and not file.name.startswith(".")
        )
    if scan.path.suffix.lower() in _HEADERS:
        return [scan.path, *_voxel_files(scan.path)]
    return [scan.path]


def _voxel_files(header: Path) -> list[Path]:
    """The file with the voxels that a header names, or all of its stem where it names several or itself."""
    with suppress(OSError):
        named = _VOXEL_FILE.search(header.read_bytes()[:_HEADER_BYTES])
        if named and (file := header.parent / named[1].decode("utf-8", "replace").strip()).is_file():
            return [file]
    return sorted(file for file in header.parent.glob(f"{glob.escape(header.stem)}.*") if file != header)


def _described(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} can't be read ({error.strerror})"
    return str(error)


def stamp_of(files: Sequence[Path]) -> str:
    """What changes with the names, sizes and times of files. Raises OSError where one is gone."""
    digest = hashlib.sha256()
    for file in files:
        state = file.stat()
        digest.update(f"{file.name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def sha256_of_files(files: Sequence[Path]) -> str:
    """What changes with the names and contents of files. Raises SAMLandmarkError where one can't be read."""
    if len(files) == 1:
        return sha256_of(files[0])
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{sha256_of(file)}\n".encode())
    return digest.hexdigest()
