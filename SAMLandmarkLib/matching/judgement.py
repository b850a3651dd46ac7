"""From evidence to an answer: status, position and, where a landmark is not simply found, the reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..transferred import Candidate, Status, TransferredLandmark
from .confidence import Calibration
from .pair import PointMatches
from .queries import Matches

OUTSIDE_TEMPLATE = "outside template"
OUTSIDE_FIELD_OF_VIEW = "outside field of view"
NOT_DEFINED = "not defined in the template"
NO_CONSISTENT_MATCH = "no consistent match"


def judge(
    labels: Sequence[str], evidence: PointMatches, calibration: Calibration
) -> list[TransferredLandmark]:
    """What became of each of n landmarks with their evidence."""
    confidences = calibration.confidence(evidence).tolist()
    return [
        _judged(label, evidence, row, confidence, calibration)
        for row, (label, confidence) in enumerate(zip(labels, confidences, strict=True))
    ]


def _judged(
    label: str, evidence: PointMatches, row: int, confidence: float, calibration: Calibration
) -> TransferredLandmark:
    matches = evidence.matches
    status = calibration.status(confidence)
    if status is Status.DOUBTFUL and _left_the_target(evidence, row):
        status, confidence = Status.MISSING, calibration.missing
    found = status is not Status.MISSING
    return TransferredLandmark(
        label=label,
        position_lps=matches.best_lps[row].copy() if found else None,
        status=status,
        confidence=confidence,
        similarity=float(matches.similarity[row, 0]),
        cycle_mm=float(evidence.cycle_mm[row]),
        candidates=_candidates(matches, row),
        reason="" if status is Status.FOUND else _reason(evidence, row),
    )


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


def _left_the_target(evidence: PointMatches, row: int) -> bool:
    """Whether the surroundings place the point beyond the target's border, by more than half their uncertainty."""
    return bool(evidence.border_mm[row] < -0.5 * evidence.spread_mm[row])


def _reason(evidence: PointMatches, row: int) -> str:
    """The weakest part of the evidence, in words."""
    cycle, deviation, spread = evidence.cycle_mm[row], evidence.deviation_mm[row], evidence.spread_mm[row]
    if evidence.border_mm[row] < 0:
        return OUTSIDE_FIELD_OF_VIEW
    if cycle > 10:
        return f"{NO_CONSISTENT_MATCH}: leads back {cycle:.0f} mm beside the landmark"
    if deviation > max(10.0, 2 * spread):
        return f"{deviation:.0f} mm from where the surroundings place it"
    if evidence.matches.margin[row] < 0.05:
        return "another place looks almost the same"
    return "low similarity"
