"""From the evidence of a match to a probability that it is right, and a status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.matching_options import DecisionOptions
from ..core.results import Status
from ..utils.errors import ModelError
from .state import PointMatches

DEFAULTS = DecisionOptions()
SHOWN_DECIMALS = 4
"""Decimals of a confidence in the tables of results."""

FEATURES = (
    "log_cycle",
    "fine",
    "coarse",
    "log_deviation",
    "log_sigma",
    "margin",
    "border",
    "ncc",
    "log_moved",
    "log_coarse_gap",
    "log_capped_sigma",
)
"""What a calibration may speak of."""
FITTED = ("log_cycle", "log_coarse_gap", "log_capped_sigma")
"""What a calibration is fitted to: few features, since what tells right from wrong differs between parts of the body."""
SET_BY_HAND = (-0.8, -0.15, -4.4)
VOTE_FEATURES = ("intercept", "lead", "support", "opposition")
VOTE_SET_BY_HAND = (-0.7, 0.8, 2.2, -2.2)
SUREST = 1e-4
"""No answer is believed to be right or wrong more surely than by this, or one alone would decide a vote."""


@dataclass(frozen=True)
class Calibration:
    """Logistic models of P(error <= the model's error limit) and the thresholds of the status.

    `weights` are for the evidence of one match, `vote` for what the answers of several templates come to: the logit of
    the surest one, and the squared confidences of the others beside it (`support`) and elsewhere (`opposition`). The
    model's metadata hold a calibration for each profile, since each has evidence of its own.
    """

    intercept: float = 12.0
    weights: dict[str, float] = field(default_factory=lambda: dict(zip(FITTED, SET_BY_HAND, strict=True)))
    found: float = 0.8
    missing: float = 0.3
    source: str = "set by hand"
    vote: dict[str, float] = field(
        default_factory=lambda: dict(zip(VOTE_FEATURES, VOTE_SET_BY_HAND, strict=True))
    )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        """The calibration of a profile that a model's metadata hold; ModelError where it speaks of other features.

        Those of older models are known too; features that it does not mention count nothing.
        """
        for name, known in (("weights", FEATURES), ("vote", VOTE_FEATURES)):
            if unknown := set(values.get(name, ())) - set(known):
                raise ModelError(
                    f"calibration.{name}: must be of the features {', '.join(known)}, not {', '.join(sorted(unknown))}."
                )
        return cls(**values)

    def confidence(self, evidence: PointMatches, options: DecisionOptions = DEFAULTS) -> np.ndarray:
        """Probability `(n,)` that each match lies within the error limit of the truth."""
        table = features_of(evidence, options, tuple(self.weights))
        logit = self.intercept + table @ np.array(list(self.weights.values()))
        probability: np.ndarray = 1.0 / (1.0 + np.exp(-logit))
        return probability

    def vote_confidence(self, features: np.ndarray) -> np.ndarray:
        """Probability `(n,)` that the places which won votes with these features `(n,3)` are within the error limit."""
        weights = np.array([self.vote.get(name, 0.0) for name in VOTE_FEATURES])
        probability: np.ndarray = 1.0 / (1.0 + np.exp(-(weights[0] + features @ weights[1:])))
        return probability

    def status(self, confidence: float) -> Status:
        """The status of a confidence, by the digits that tables show: no digit beyond them decides."""
        shown = round(confidence, SHOWN_DECIMALS)
        if shown >= self.found:
            return Status.FOUND
        return Status.DOUBTFUL if shown >= self.missing else Status.MISSING


def features_of(
    evidence: PointMatches, options: DecisionOptions = DEFAULTS, names: Sequence[str] = FEATURES
) -> np.ndarray:
    """The evidence as a table `(n, len(names))` of finite numbers."""
    unknown, cap = options.unknown_deviation_mm, options.border_cap
    sigma_mm = evidence.prediction_sigma_mm
    columns = {
        "log_cycle": np.log1p(evidence.cycle_error_mm),
        "fine": evidence.matches.fine[:, 0],
        "coarse": evidence.matches.coarse[:, 0],
        "log_deviation": np.log1p(np.nan_to_num(evidence.deviation_mm, nan=unknown)),
        "log_sigma": np.log1p(np.nan_to_num(sigma_mm, nan=unknown)),
        "margin": np.minimum(evidence.matches.margin, options.margin_cap),
        "border": np.nan_to_num(np.clip(evidence.border_mm / sigma_mm, -cap, cap), nan=cap),
        "ncc": np.nan_to_num(evidence.ncc, nan=0.0),
        "log_moved": np.log1p(np.nan_to_num(evidence.moved_mm, nan=0.0)),
        "log_coarse_gap": np.log1p(evidence.coarse_gap_mm),
        "log_capped_sigma": np.log1p(np.fmin(sigma_mm, options.vague_sigma_mm)),
    }
    return np.column_stack([columns[name] for name in names])


def vote_features(confidence: np.ndarray, beside: np.ndarray, lead: int) -> np.ndarray:
    """What is known of a vote, `(3,)`: see `Calibration`.

    From the confidences `(s,)` of the answers, how much each belongs to the winning place, and the surest one there.
    """
    sure = float(np.clip(confidence[lead], SUREST, 1 - SUREST))
    others = np.delete(np.arange(len(confidence)), lead)
    weight, near = confidence[others] ** 2, beside[others]
    return np.array([np.log(sure / (1 - sure)), weight @ near, weight @ (1 - near)])
