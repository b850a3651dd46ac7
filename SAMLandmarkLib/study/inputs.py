"""What a result depends on: the files it was made of, told apart by content and, quicker, by size and time."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SAMLandmarkError, VolumeError
from ..files import sha256_of

if TYPE_CHECKING:
    from .jobs import Job
    from .plan import StudyScan

_HEADERS = (".mhd", ".nhdr")
"""Formats whose voxels lie in another file."""
_VOXEL_FILE = re.compile(rb"^(?:ElementDataFile\s*=|data ?file\s*:)(.+)$", re.IGNORECASE | re.MULTILINE)
_HEADER_BYTES = 1 << 16


@dataclass(frozen=True)
class InputState:
    """Files at one time: `stamp` changes with their names, sizes and times, `sha256` with their names and contents."""

    stamp: str
    sha256: str

    @classmethod
    def of(cls, files: Sequence[Path]) -> InputState:
        """The state of files. Raises VolumeError where one of them can't be read."""
        try:
            # the stamp first: a file that changes meanwhile then differs from it the next time
            return cls(stamp_of(files), _sha256(files))
        except (OSError, SAMLandmarkError) as error:
            raise VolumeError(f"{_described(error)}; check the path and the permissions.") from error


def files_of_scan(scan: StudyScan) -> list[Path]:
    """The files that a scan is read from."""
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


def input_files(job: Job) -> dict[str, list[Path]]:
    """The files that the result of a job depends on, by the part they play."""
    files = {"target": files_of_scan(job.scan)}
    for number, template in enumerate(job.templates):
        files[f"template {number}"] = files_of_scan(template.scan)
        files[f"landmarks {number}"] = [template.landmarks]
    return files


def fingerprint(job: Job, settings: Mapping[str, Any], inputs: Mapping[str, InputState]) -> dict[str, Any]:
    """All that a result depends on, in types of JSON."""
    return {
        "settings": {**settings, "csv_frame": job.csv_frame},
        "inputs": {part: asdict(state) for part, state in inputs.items()},
    }


class InputCheck:
    """Compares recorded states with the files as they are now; files that several scans share are looked at once."""

    def __init__(self) -> None:
        self._stamps: dict[tuple[Path, ...], str | None] = {}
        self._hashes: dict[tuple[Path, ...], str | None] = {}

    def is_current(self, recorded: Mapping[str, Any], settings: Mapping[str, Any], job: Job) -> bool:
        """Whether a result with this recorded fingerprint would come out the same again."""
        if recorded.get("settings") != {**settings, "csv_frame": job.csv_frame}:
            return False
        inputs, files = recorded["inputs"], input_files(job)
        return inputs.keys() == files.keys() and all(
            self._holds(InputState(**inputs[part]), tuple(files[part])) for part in files
        )

    def _holds(self, state: InputState, files: tuple[Path, ...]) -> bool:
        """Whether files are what they were; contents are read only where a size or a time has changed."""
        if files not in self._stamps:
            self._stamps[files] = _value_or_none(stamp_of, files)
        if self._stamps[files] == state.stamp:
            return True
        if files not in self._hashes:
            self._hashes[files] = _value_or_none(_sha256, files)
        return self._hashes[files] == state.sha256


def _described(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} can't be read ({error.strerror})"
    return str(error)


def _value_or_none(compute: Callable[[Sequence[Path]], str], files: Sequence[Path]) -> str | None:
    try:
        return compute(files)
    except (OSError, SAMLandmarkError):
        return None  # files that are gone are not what they were


def stamp_of(files: Sequence[Path]) -> str:
    """What changes with the names, sizes and times of files. Raises OSError where one is gone."""
    digest = hashlib.sha256()
    for file in files:
        state = file.stat()
        digest.update(f"{file.name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _sha256(files: Sequence[Path]) -> str:
    if len(files) == 1:
        return sha256_of(files[0])
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{sha256_of(file)}\n".encode())
    return digest.hexdigest()
