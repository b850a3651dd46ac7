"""From the evidence of a match to a probability that it is right, a status and a reason."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..transferred import Status
from .pair import PointMatches

UNKNOWN_DEVIATION_MM = 30.0
MARGIN_CAP = 0.5
BORDER_CAP = 3.0


FEATURES = (
    "log_cycle",
    "fine",
    "coarse",
    "log_deviation",
    "log_spread",
    "margin",
    "border",
    "likeness",
    "log_moved",
)
SET_BY_HAND = (-0.9, 2.0, 3.0, -0.8, -0.5, 2.0, 0.3, 0.0, 0.0)


@dataclass(frozen=True)
class Calibration:
    """Logistic model of P(error <= 10 mm) and the thresholds of the status.

    The model's metadata hold one for each profile, since each has evidence of its own.
    """

    intercept: float = 2.0
    weights: dict[str, float] = field(default_factory=lambda: dict(zip(FEATURES, SET_BY_HAND, strict=True)))
    found: float = 0.8
    missing: float = 0.2
    source: str = "set by hand"

    def confidence(self, evidence: PointMatches) -> np.ndarray:
        """Probability `(n,)` that each match lies within 10 mm of the truth."""
        table = features_of(evidence)
        logit = self.intercept + table @ np.array([self.weights[name] for name in FEATURES])
        return 1.0 / (1.0 + np.exp(-logit))

    def status(self, confidence: float) -> Status:
        if confidence >= self.found:
            return Status.FOUND
        return Status.DOUBTFUL if confidence >= self.missing else Status.MISSING


def features_of(evidence: PointMatches) -> np.ndarray:
    """The evidence as a table `(n, len(FEATURES))` of finite numbers."""
    deviation = np.nan_to_num(evidence.deviation_mm, nan=UNKNOWN_DEVIATION_MM)
    spread = np.nan_to_num(evidence.spread_mm, nan=UNKNOWN_DEVIATION_MM)
    border = np.clip(evidence.border_mm / evidence.spread_mm, -BORDER_CAP, BORDER_CAP)
    columns = (
        np.log1p(evidence.cycle_mm),
        evidence.matches.fine[:, 0],
        evidence.matches.coarse[:, 0],
        np.log1p(deviation),
        np.log1p(spread),
        np.minimum(evidence.matches.margin, MARGIN_CAP),
        np.nan_to_num(border, nan=BORDER_CAP),
        np.nan_to_num(evidence.likeness, nan=0.0),
        np.log1p(np.nan_to_num(evidence.moved_mm, nan=0.0)),
    )
    return np.column_stack(columns)
