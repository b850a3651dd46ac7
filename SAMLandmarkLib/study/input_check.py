"""Whether a result would come out the same again: what it depends on, compared with the files as they are now."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..utils.errors import SAMLandmarkError
from .inputs import InputState, is_unchanged, sha256_of_files, stamp_of, watched_files
from .jobs import StudyJob
from .plan import StudyScan

Input = StudyScan | Path
"""A scan, or a file of landmarks or of an atlas."""


def inputs_of(job: StudyJob) -> dict[str, Input]:
    """What the result of a job depends on, by the part it plays."""
    inputs: dict[str, Input] = {"target": job.scan}
    for number, template in enumerate(job.templates):
        inputs[f"template {number}"] = template.scan
        inputs[f"landmarks {number}"] = template.landmarks
    for number, file in enumerate(job.protocol.files if job.protocol else ()):
        inputs[f"atlas {number}"] = file
    return inputs


def path_of(given: Input) -> Path:
    """Where an input lies."""
    return given if isinstance(given, Path) else given.path


def fingerprint(
    job: StudyJob, settings: Mapping[str, Any], inputs: Mapping[str, InputState]
) -> dict[str, Any]:
    """All that a result depends on, in types of JSON."""
    return {
        "settings": {**settings, "csv_frame": job.csv_frame},
        "inputs": {part: asdict(state) for part, state in inputs.items()},
    }


class InputCheck:
    """Compares recorded states with the files as they are now; what several scans share is looked at once."""

    def __init__(self) -> None:
        self._stamps: dict[Input, str | None] = {}
        self._holding: dict[tuple[Input, str], bool] = {}

    def is_current(self, recorded: Mapping[str, Any], settings: Mapping[str, Any], job: StudyJob) -> bool:
        """Whether a result with this recorded fingerprint would come out the same again."""
        if recorded.get("settings") != {**settings, "csv_frame": job.csv_frame}:
            return False
        states, inputs = recorded["inputs"], inputs_of(job)
        return states.keys() == inputs.keys() and all(
            self._holds(InputState(**states[part]), inputs[part]) for part in inputs
        )

    def _holds(self, state: InputState, what: Input) -> bool:
        """Whether an input is what it was; contents are read only where a name, a size or a time has changed."""
        if what not in self._stamps:
            self._stamps[what] = _stamp_or_none(what)
        if self._stamps[what] == state.stamp:
            return True
        key = (what, state.sha256)
        if key not in self._holding:
            self._holding[key] = _has_checksum(what, state.sha256)
        return self._holding[key]


def _stamp_or_none(what: Input) -> str | None:
    with suppress(OSError):
        return stamp_of([what] if isinstance(what, Path) else watched_files(what))
    return None  # files that are gone are not what they were


def _has_checksum(what: Input, sha256: str) -> bool:
    with suppress(OSError, SAMLandmarkError):
        return sha256_of_files([what]) == sha256 if isinstance(what, Path) else is_unchanged(what, sha256)
    return False
