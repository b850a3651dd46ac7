"""Stage: nearest-neighbour search of the points' embeddings in the target."""

from __future__ import annotations

from dataclasses import replace

from ...core.matching_options import MatchingOptions
from ..search import coarse_places_lps, search
from ..state import MatchState, PairContext
from ..types import Queries


def find(state: MatchState, context: PairContext, options: MatchingOptions) -> MatchState:
    """Candidates in the target."""
    queries = Queries.at(context.template, state.points_lps) if state.queries is None else state.queries
    matches = search(queries, context.target, options.search, state.prediction)
    coarse_lps = coarse_places_lps(queries, context.target)
    return replace(state, queries=queries, matches=matches, coarse_lps=coarse_lps)
