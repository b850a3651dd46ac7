"""Lesions of one scan carried into another: where each should lie, how far that may be off, how it is turned and stretched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

LEAST_SIGMA_MM = 2.0
"""No place is known better than this: a lesion has no sharp middle, and readers differ by as much."""


@dataclass(frozen=True, eq=False)
class Carried:
    """Lesions in another scan: `positions_lps` `(n, 3)`, `sigma_mm` `(n,)` along each axis, `confidence` `(n,)`.

    `linear` `(n, 3, 3)` takes a step from the lesion in the one scan to that in the other; `border_mm` `(n,)` is the
    distance to the border of the other scan, negative outside.
    """

    positions_lps: np.ndarray
    sigma_mm: np.ndarray
    confidence: np.ndarray
    linear: np.ndarray
    border_mm: np.ndarray

    def __len__(self) -> int:
        return len(self.positions_lps)

    def at_rows(self, rows: np.ndarray) -> Carried:
        """Those that a mask `(n,)` or rows choose."""
        return Carried(
            self.positions_lps[rows],
            self.sigma_mm[rows],
            self.confidence[rows],
            self.linear[rows],
            self.border_mm[rows],
        )

    def moved(self, row: int, position_lps: np.ndarray) -> Carried:
        """The same where a reader has placed one of them."""
        places, confidence = self.positions_lps.copy(), self.confidence.copy()
        places[row], confidence[row] = position_lps, 1.0
        return replace(self, positions_lps=places, confidence=confidence)

    def steps(self, row: int, steps_mm: np.ndarray) -> np.ndarray:
        """Steps `(m, 3)` from a lesion in the one scan as steps from it in the other."""
        turned: np.ndarray = steps_mm @ self.linear[row].T
        return turned


class Carrier(Protocol):
    """Whatever carries points between the scans of a patient."""

    def carry(self, source: int, target: int, points_lps: np.ndarray) -> Carried:
        """Points `(n, 3)` of the scan of one visit in that of another."""


def stacked(parts: list[Carried]) -> Carried:
    """Several as one, in their order."""
    return Carried(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("positions_lps", "sigma_mm", "confidence", "linear", "border_mm")
        )
    )
