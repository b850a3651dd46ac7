"""Stage: the calibrated probability that a match lies within the model's error limit."""

from __future__ import annotations

from dataclasses import replace

from ...core.matching_options import MatchingOptions
from ..state import MatchState, PairContext, needed


def estimate_confidence(state: MatchState, context: PairContext, options: MatchingOptions) -> MatchState:
    """The confidence of each match; left out where the pair has no calibration."""
    if context.calibration is None:
        return state
    evidence = needed(state.evidence, "fusion")
    return replace(state, confidence=context.calibration.confidence(evidence, options.decision))
