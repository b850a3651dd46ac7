"""Stage: where the correspondences of the pair place the points."""

from __future__ import annotations

from dataclasses import replace

from ...core.matching_options import MatchingOptions
from ..state import MatchState, PairContext


def predict(state: MatchState, context: PairContext, options: MatchingOptions) -> MatchState:
    """The structural prior: a prediction by correspondences."""
    return replace(state, prediction=context.predict(state.points_lps))
