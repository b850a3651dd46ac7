"""From evidence to an answer: status, position and, where a landmark is not simply found, the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..core.matching_options import DecisionOptions
from ..core.results import Candidate, Status, TransferredLandmark
from .confidence import Calibration
from .state import PointMatches
from .types import Matches

DEFAULTS = DecisionOptions()

OUTSIDE_TEMPLATE = "outside template"
OUTSIDE_FIELD_OF_VIEW = "outside field of view"
NOT_DEFINED = "not defined in the template"
FROM_ITS_SURROUNDINGS = "mm from where the surroundings place it"
NO_CONSISTENT_MATCH = "no consistent match"
UNLIKE = "the scan hardly resembles the template"


def decide(
    labels: Sequence[str],
    evidence: PointMatches,
    confidence: np.ndarray,
    calibration: Calibration,
    options: DecisionOptions = DEFAULTS,
) -> list[TransferredLandmark]:
    """What became of each of n landmarks with their evidence and confidence `(n,)`."""
    return [
        _decision(label, evidence, row, sure, calibration, options)
        for row, (label, sure) in enumerate(zip(labels, confidence.tolist(), strict=True))
    ]


def _decision(
    label: str,
    evidence: PointMatches,
    row: int,
    confidence: float,
    calibration: Calibration,
    options: DecisionOptions,
) -> TransferredLandmark:
    matches = evidence.matches
    status = calibration.status(confidence)
    if status is Status.DOUBTFUL and _left_the_target(evidence, row, options):
        status, confidence = Status.MISSING, calibration.missing
    found = status is not Status.MISSING
    return TransferredLandmark(
        label=label,
        position_lps=matches.best_lps[row].copy() if found else None,
        status=status,
        confidence=confidence,
        similarity=float(matches.similarity[row, 0]),
        cycle_error_mm=float(evidence.cycle_error_mm[row]),
        candidates=_candidates(matches, row),
        reason="" if status is Status.FOUND else _reason(evidence, row, options),
        uncertainty_mm=float(evidence.uncertainty_mm[row]),
    )


def withheld(answer: TransferredLandmark, calibration: Calibration) -> TransferredLandmark:
    """The answer in a target that hardly resembles the template: at most DOUBTFUL, whatever speaks for it."""
    if answer.status is not Status.FOUND:
        return answer
    sure = min(answer.confidence, calibration.missing)
    return replace(answer, status=Status.DOUBTFUL, confidence=sure, reason=UNLIKE)


def lost(answer: TransferredLandmark, calibration: Calibration) -> TransferredLandmark:
    """The answer in a target in which nothing of the template is found and leads back: none."""
    if answer.status is Status.MISSING:
        return answer
    sure = min(answer.confidence, calibration.missing)
    return replace(
        answer, status=Status.MISSING, position_lps=None, confidence=sure, reason=NO_CONSISTENT_MATCH
    )


def is_out_of_place(answer: TransferredLandmark) -> bool:
    """Whether an answer is doubted because its surroundings put it elsewhere, or out of the target."""
    return answer.reason == OUTSIDE_FIELD_OF_VIEW or answer.reason.endswith(FROM_ITS_SURROUNDINGS)


def missing(label: str, point: np.ndarray) -> TransferredLandmark:
    """The answer for a point `(3,)` that the template does not show."""
    reason = OUTSIDE_TEMPLATE if np.isfinite(point).all() else NOT_DEFINED
    return TransferredLandmark(label, None, Status.MISSING, 0.0, np.nan, np.nan, (), reason)


def _candidates(matches: Matches, row: int) -> tuple[Candidate, ...]:
    kept = np.isfinite(matches.score[row])
    return tuple(
        Candidate(position.copy(), float(similarity))
        for position, similarity in zip(
            matches.positions_lps[row][kept], matches.similarity[row][kept], strict=True
        )
    )


def _left_the_target(evidence: PointMatches, row: int, options: DecisionOptions) -> bool:
    """Whether the point is predicted beyond the target's border, by more than a share of the prediction's sigma."""
    return bool(evidence.border_mm[row] < -options.border_sigmas * evidence.prediction_sigma_mm[row])


def _reason(evidence: PointMatches, row: int, options: DecisionOptions = DEFAULTS) -> str:
    """The weakest part of the evidence, in words."""
    cycle, deviation, sigma = (
        evidence.cycle_error_mm[row],
        evidence.deviation_mm[row],
        evidence.prediction_sigma_mm[row],
    )
    if evidence.border_mm[row] < 0:
        return OUTSIDE_FIELD_OF_VIEW
    if cycle > options.inconsistent_cycle_mm:
        return f"{NO_CONSISTENT_MATCH}: leads back {cycle:.0f} mm beside the landmark"
    if deviation > max(options.far_deviation_mm, options.far_deviation_sigmas * sigma):
        return f"{deviation:.0f} {FROM_ITS_SURROUNDINGS}"
    if evidence.matches.margin[row] < options.ambiguous_margin:
        return "another place looks almost the same"
    return "low similarity"
