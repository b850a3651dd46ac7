"""What a transfer answers: the landmarks of one target, each with status, confidence and evidence."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from .geometry import CanonicalGrid


class Status(str, Enum):
    """What became of a landmark."""

    FOUND = "FOUND"
    DOUBTFUL = "DOUBTFUL"
    MISSING = "MISSING"


@dataclass(frozen=True)
class Candidate:
    """A place where the landmark may be: `position_lps` `(3,)` mm and its similarity (mean cosine)."""

    position_lps: np.ndarray
    similarity: float


@dataclass(frozen=True)
class TransferredLandmark:
    """One landmark in the target.

    `position_lps` `(3,)` mm, None where MISSING; `confidence` is the probability that the error is at most 10 mm;
    `similarity` (mean cosine) and `cycle_mm` (distance after matching there and back) are NaN where not computed;
    `candidates` best first; `reason` tells why the landmark is not simply FOUND.
    """

    label: str
    position_lps: np.ndarray | None
    status: Status
    confidence: float
    similarity: float
    cycle_mm: float
    candidates: tuple[Candidate, ...]
    reason: str


@dataclass(frozen=True)
class TransferResult(Sequence):
    """All landmarks of one target, in the order of the template; `provenance` tells how they were made (JSON-able)."""

    template: str
    target: str
    items: tuple[TransferredLandmark, ...]
    provenance: dict

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]

    def write(self, directory: str | os.PathLike) -> list[Path]:
        """Write markups, table and provenance into a folder; returns the files. Raises OutputError."""
        from .results import write_results

        return write_results(directory, [self])


@dataclass(frozen=True)
class HeatMap:
    """How similar each place of a target is to one point: mean cosine `array [z, y, x]` float32 on `grid`."""

    array: np.ndarray
    grid: CanonicalGrid
