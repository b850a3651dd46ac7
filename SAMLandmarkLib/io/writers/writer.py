"""What every writer of results is given, and what it must offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from ...core.results import TransferResult


@dataclass(frozen=True)
class TargetFailure:
    """A target that could not be done: its name, its path as given, and the error's kind and message."""

    target: str
    source: str
    kind: str
    message: str


@dataclass(frozen=True)
class ResultSet:
    """What is to be written: the results of one or more targets, the targets that failed, and the run's settings.

    `checksum(path)` is the SHA-256 of an input file where it is known already; None: the files are read.
    """

    results: Sequence[TransferResult]
    failures: Sequence[TargetFailure] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    checksum: Callable[[str], str | None] | None = None


class Scope(Enum):
    """What one file of a format is about."""

    TARGET = "one target"
    RUN = "all targets together"


class Writer(Protocol):
    """A format for results. Coordinates are LPS mm unless the format itself says otherwise.

    `name` is what the command line calls it, `suffix` the end of its files' names; where the scope is a target, `write`
    is called for each with a set of one result.
    """

    @property
    def name(self) -> str: ...

    @property
    def suffix(self) -> str: ...

    @property
    def scope(self) -> Scope: ...

    def write(self, results: ResultSet, path: Path) -> None:
        """Write a file that is whole or not there. Raises OutputError where it can't be written."""
