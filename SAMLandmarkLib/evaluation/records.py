"""One transferred landmark beside its known answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..engine.transfer import TransferredLandmark

CSV_COLUMNS = (
    "set",
    "template",
    "target",
    "label",
    "quality",
    "view",
    "x_true_lps",
    "y_true_lps",
    "z_true_lps",
    "x_found_lps",
    "y_found_lps",
    "z_found_lps",
    "error_mm",
    "status",
    "confidence",
    "similarity",
    "cycle_mm",
    "swapped",
    "reason",
    "seconds",
    # new columns come last, so that those before stay where programs look for them
    "uncertainty_mm",
)
UNDEFINED = np.full(3, np.nan)


class View(str, Enum):
    """Where a landmark's true place lies: in the field of view, within a few mm of its border, or outside."""

    VISIBLE = "visible"
    BORDER = "border"
    VANISHED = "vanished"


@dataclass(frozen=True)
class KnownAnswer:
    """Where a landmark really is in the target.

    `mirror_lps` is the true place of the same structure on the other side, where there is one. `view` tells
    whether the place lies in the target's field of view; beside its border neither answer would be wrong.
    """

    label: str
    position_lps: np.ndarray
    mirror_lps: np.ndarray | None = None
    quality: int = 1
    view: View = View.VISIBLE


@dataclass(frozen=True)
class TransferRecord:
    """What the engine answered for one landmark of one pair, and what the answer should have been.

    `seconds` is this landmark's share of the matching time.
    """

    set: str
    template: str
    target: str
    truth: KnownAnswer
    answer: TransferredLandmark
    seconds: float

    @property
    def found_lps(self) -> np.ndarray:
        """Where the answer is scored, `(3,)` LPS mm; see `best_position`."""
        return best_position(self.answer)

    @property
    def status(self) -> str:
        """The status of the answer."""
        return self.answer.status.value

    @property
    def confidence(self) -> float:
        """The engine's probability that its answer is right."""
        return float(self.answer.confidence)

    @property
    def error_mm(self) -> float:
        """Distance from truth to answer, infinity without an answer."""
        distance = float(np.linalg.norm(self.found_lps - self.truth.position_lps))
        return distance if math.isfinite(distance) else math.inf

    @property
    def swapped(self) -> bool | None:
        """Whether the answer is nearer to the mirrored structure than to its own; None where none exists."""
        if self.truth.mirror_lps is None:
            return None
        return float(np.linalg.norm(self.found_lps - self.truth.mirror_lps)) < self.error_mm

    def row(self) -> list[str]:
        """The values of CSV_COLUMNS, as text; empty where undefined."""
        truth = self.truth
        values = [
            self.set,
            self.template,
            self.target,
            truth.label,
            truth.quality,
            truth.view.value,
            *np.round(truth.position_lps, 3),
            *np.round(self.found_lps, 3),
            round(self.error_mm, 3),
            self.status,
            round(self.confidence, 4),
            round(float(self.answer.similarity), 4),
            round(float(self.answer.cycle_error_mm), 3),
            "" if self.swapped is None else int(self.swapped),
            self.answer.reason,
            round(self.seconds, 4),
            round(float(self.answer.uncertainty_mm), 3),
        ]
        return [_cell(value) for value in values]


def _cell(value: object) -> str:
    return "" if isinstance(value, float) and not math.isfinite(value) else str(value)


def best_position(item: TransferredLandmark) -> np.ndarray:
    """The answer's position, else that of its best candidate, else NaN; `(3,)` LPS mm.

    A landmark reported as MISSING is scored at its best candidate, because a method that never refuses would
    have answered just that.
    """
    if item.position_lps is not None:
        return np.asarray(item.position_lps, dtype=float)
    if item.candidates:
        return np.asarray(item.candidates[0].position_lps, dtype=float)
    return UNDEFINED


def errors_of(records: Sequence[TransferRecord]) -> np.ndarray:
    """Errors in mm, `(n,)`."""
    return np.array([record.error_mm for record in records], dtype=float)


def confidences_of(records: Sequence[TransferRecord]) -> np.ndarray:
    """Confidences, `(n,)`."""
    return np.array([record.confidence for record in records], dtype=float)
