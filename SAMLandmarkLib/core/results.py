"""What a transfer answers: the landmarks of one target, each with status, confidence and evidence."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, overload

import numpy as np

from .geometry import CanonicalGrid

Point = tuple[float, float, float]
"""LPS millimetres in the own frame of one scan."""


class Status(str, Enum):
    """What became of a landmark."""

    FOUND = "FOUND"
    DOUBTFUL = "DOUBTFUL"
    MISSING = "MISSING"


@dataclass(frozen=True, eq=False)
class Candidate:
    """A place where the landmark may be: `position_lps` `(3,)` mm and its similarity (mean cosine)."""

    position_lps: np.ndarray
    similarity: float

    def to_document(self) -> dict[str, Any]:
        """This candidate in types of JSON."""
        return {
            "position_lps": _plain_point(self.position_lps),
            "similarity": _finite_or_none(self.similarity),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Candidate:
        """The candidate that `to_document` wrote. Raises KeyError, TypeError and ValueError where it is damaged."""
        position = _point(document["position_lps"])
        if position is None:
            raise ValueError("a candidate has no position")
        return cls(position, _number(document["similarity"]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Candidate) and self.to_document() == other.to_document()

    def __hash__(self) -> int:
        return hash(self.similarity)


@dataclass(frozen=True, eq=False)
class TransferredLandmark:
    """One landmark in the target: the record that engine, worker, files, evaluation and review have in common.

    `position_lps` `(3,)` mm, None where MISSING; `confidence` is the probability that the error is at most 10 mm;
    `similarity` (mean cosine) and `cycle_error_mm` (cycle-consistency error) are NaN where not computed;
    `candidates` best first; `reason` tells why the landmark is not simply FOUND; `uncertainty_mm` is how far the
    position may be off by the evidence of match and prediction, NaN where that is unknown.
    Two records are equal where all of that is, numbers that are not computed included.
    """

    label: str
    position_lps: np.ndarray | None
    status: Status
    confidence: float
    similarity: float = math.nan
    cycle_error_mm: float = math.nan
    candidates: tuple[Candidate, ...] = ()
    reason: str = ""
    # last, and with a value: programs written for version 0.3 give the others by their place
    uncertainty_mm: float = math.nan

    @property
    def cycle_mm(self) -> float:
        """The cycle-consistency error under its name in version 0.3."""
        return self.cycle_error_mm

    def to_document(self) -> dict[str, Any]:
        """This landmark in types of JSON; numbers that are not finite are None."""
        return {
            "label": self.label,
            "position_lps": None if self.position_lps is None else _plain_point(self.position_lps),
            "status": self.status.value,
            "confidence": _finite_or_none(self.confidence),
            "similarity": _finite_or_none(self.similarity),
            "cycle_mm": _finite_or_none(self.cycle_error_mm),
            "reason": self.reason,
            "candidates": [candidate.to_document() for candidate in self.candidates],
            "uncertainty_mm": _finite_or_none(self.uncertainty_mm),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> TransferredLandmark:
        """The landmark that `to_document` wrote, or version 0.3, which knew no uncertainty.

        Raises KeyError, TypeError and ValueError where the document is damaged.
        """
        return cls(
            label=str(document["label"]),
            position_lps=_point(document["position_lps"]),
            status=Status(document["status"]),
            confidence=_number(document["confidence"]),
            similarity=_number(document["similarity"]),
            cycle_error_mm=_number(document["cycle_mm"]),
            candidates=tuple(map(Candidate.from_document, document["candidates"])),
            reason=str(document["reason"]),
            uncertainty_mm=_number(document.get("uncertainty_mm")),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TransferredLandmark) and self.to_document() == other.to_document()

    def __hash__(self) -> int:
        return hash((self.label, self.status, self.reason))


@dataclass(frozen=True)
class TransferResult(Sequence[TransferredLandmark]):
    """All landmarks of one target, in the order of the template; `provenance` tells how they were made (JSON-able)."""

    template: str
    target: str
    items: tuple[TransferredLandmark, ...]
    provenance: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[TransferredLandmark]:
        return iter(self.items)

    @overload
    def __getitem__(self, index: int) -> TransferredLandmark: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[TransferredLandmark, ...]: ...

    def __getitem__(self, index: int | slice) -> TransferredLandmark | tuple[TransferredLandmark, ...]:
        return self.items[index]

    def counts(self) -> dict[str, int]:
        """How many landmarks have each status, e.g. {"FOUND": 18, "DOUBTFUL": 1, "MISSING": 1}."""
        return {status.value: sum(item.status is status for item in self) for status in Status}

    def with_notes(self, notes: Sequence[str]) -> TransferResult:
        """The same with fallbacks and warnings in its provenance."""
        return replace(self, provenance={**self.provenance, "notes": list(notes)})

    def write(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write markups, table and provenance into a folder; returns the files. Raises OutputError."""
        from ..io.result_files import write_results

        return write_results(directory, [self])


@dataclass(frozen=True)
class HeatMap:
    """How similar each place of a target is to one point: mean cosine `array [z, y, x]` float32 on `grid`."""

    array: np.ndarray
    grid: CanonicalGrid


@dataclass(frozen=True)
class LocalMaps:
    """Where the surroundings of n points lie in a target: `positions_lps` `(n,3)` and how far that may be off `(n,)` mm.

    `linear` `(n,3,3)` takes a step from the point, in mm, to the step in the target: how it is turned and stretched.
    """

    positions_lps: np.ndarray
    sigma_mm: np.ndarray
    linear: np.ndarray


def _plain_point(position_lps: np.ndarray) -> list[float]:
    return [float(value) for value in position_lps]


def _point(values: Sequence[float] | None) -> np.ndarray | None:
    """Three finite numbers from a file as `(3,)` LPS mm. Raises ValueError and TypeError."""
    if values is None:
        return None
    point = np.array(values, dtype=float)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise ValueError(f"{values} is no position; it has three finite numbers")
    return point


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _finite_or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
