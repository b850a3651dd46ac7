"""What a result depends on: the files it was made of, told apart by content and, quicker, by size and time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SAMLandmarkError, VolumeError
from ..files import sha256_of

if TYPE_CHECKING:
    from .jobs import Job
    from .plan import StudyScan

_HEADERS = (".mhd", ".nhdr")
"""Formats whose voxels lie in another file of the same name."""


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
            return cls(_stamp(files), _sha256(files))
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
        return sorted(
            file for file in scan.path.parent.glob("*") if file.name.startswith(f"{scan.path.stem}.")
        )
    return [scan.path]


def input_files(job: Job) -> dict[str, list[Path]]:
    """The files that the result of a job depends on, by the part they play."""
    files = {"target": files_of_scan(job.scan)}
    for number, template in enumerate(job.templates):
        files[f"template {number}"] = files_of_scan(template.scan)
        files[f"landmarks {number}"] = [template.landmarks]
    return files


def fingerprint(settings: Mapping[str, Any], inputs: Mapping[str, InputState]) -> dict[str, Any]:
    """All that a result depends on, in types of JSON."""
    return {"settings": dict(settings), "inputs": {part: asdict(state) for part, state in inputs.items()}}


class InputCheck:
    """Compares recorded states with the files as they are now; files that several scans share are looked at once."""

    def __init__(self) -> None:
        self._stamps: dict[tuple[Path, ...], str | None] = {}
        self._hashes: dict[tuple[Path, ...], str | None] = {}

    def is_current(self, recorded: Mapping[str, Any], settings: Mapping[str, Any], job: Job) -> bool:
        """Whether a result with this recorded fingerprint would come out the same again."""
        if recorded.get("settings") != dict(settings):
            return False
        inputs, files = recorded["inputs"], input_files(job)
        return inputs.keys() == files.keys() and all(
            self._holds(InputState(**inputs[part]), tuple(files[part])) for part in files
        )

    def _holds(self, state: InputState, files: tuple[Path, ...]) -> bool:
        """Whether files are what they were; contents are read only where a size or a time has changed."""
        if files not in self._stamps:
            self._stamps[files] = _value_or_none(_stamp, files)
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


def _stamp(files: Sequence[Path]) -> str:
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
