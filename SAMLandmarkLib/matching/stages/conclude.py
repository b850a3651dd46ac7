"""Stage: FOUND, DOUBTFUL or MISSING, and why."""

from __future__ import annotations

from dataclasses import replace

from ...core.matching_options import MatchingOptions
from ..decision import decide
from ..state import MatchState, PairContext, needed


def conclude(state: MatchState, context: PairContext, options: MatchingOptions) -> MatchState:
    """The answer for each landmark; left out where the pair has no calibration."""
    if context.calibration is None:
        return state
    evidence, confidence = needed(state.evidence, "fusion"), needed(state.confidence, "confidence")
    answers = decide(state.labels, evidence, confidence, context.calibration, options.decision)
    return replace(state, decisions=tuple(answers))
