"""Stage: cycle consistency, the distance after matching to the target and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.matching_options import MatchingOptions
from ..refinement import Refined, refine
from ..search import search
from ..state import MatchState, PairContext, needed
from ..types import Queries


def check_cycle(state: MatchState, context: PairContext, options: MatchingOptions) -> MatchState:
    """The cycle-consistency error; refined matches replace the search's where that does not make the cycle longer.

    The cycle of the refined place is the evidence in either case: matches and images err in different ways, so where
    both of them lead back together, the place is right.
    """
    if state.refined is None:
        back_lps = _back(state.best_lps, context, options)
        return replace(state, cycle_error_mm=_distance(back_lps, state.points_lps))
    return _with_refined(state, state.refined, context, options)


def _with_refined(
    state: MatchState, refined: Refined, context: PairContext, options: MatchingOptions
) -> MatchState:
    matches = needed(state.matches, "search")
    # both ways back in one search, since its cost is that of reading all vectors
    back_lps = _back(np.concatenate([matches.best_lps, refined.positions_lps]), context, options)
    match_back_lps, start_lps = np.split(back_lps, 2)
    images = context.target.image, context.template.image
    refined_back = refine(images[0], refined.positions_lps, images[1], start_lps, options)
    cycle_error_mm = _distance(refined_back.positions_lps, state.points_lps)
    longest_mm = _distance(match_back_lps, state.points_lps) + options.refinement.cycle_tolerance_mm
    accepted = (cycle_error_mm <= longest_mm)[:, None]
    moved_mm = _distance(refined.positions_lps, matches.best_lps)
    best_lps = np.where(accepted, refined.positions_lps, matches.best_lps)
    return replace(
        state,
        matches=matches.with_best(best_lps),
        cycle_error_mm=cycle_error_mm,
        moved_mm=moved_mm,
    )


def _back(found_lps: np.ndarray, context: PairContext, options: MatchingOptions) -> np.ndarray:
    """Where points `(n,3)` of the target are found in the template.

    The prior of that search is where the correspondences say that the found place belongs, not the point it came from,
    which would make every cycle look good.
    """
    queries, prediction = Queries.at(context.target, found_lps), context.predict_back(found_lps)
    return search(queries, context.template, options.search, prediction, alternatives=False).best_lps


def _distance(one_lps: np.ndarray, other_lps: np.ndarray) -> np.ndarray:
    distance: np.ndarray = np.linalg.norm(one_lps - other_lps, axis=1)
    return distance
