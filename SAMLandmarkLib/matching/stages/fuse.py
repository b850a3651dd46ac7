"""Stage: precision-weighted fusion of each match with its prediction, and the evidence of what was matched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.matching_options import MatchingOptions
from ..fusion import fused, match_uncertainty
from ..state import MatchState, PairContext, PointMatches, needed


def fuse(state: MatchState, context: PairContext, options: MatchingOptions) -> MatchState:
    """The matches fused with their prediction, with the evidence of what they were before."""
    matches, cycle_error_mm = needed(state.matches, "search"), needed(state.cycle_error_mm, "cycle")
    unknown = np.full(len(state.points_lps), np.nan)
    ncc = unknown if state.refined is None else state.refined.ncc
    uncertainty_mm = match_uncertainty(cycle_error_mm, matches.fine[:, 0], ncc, options.fusion)
    result = fused(matches.best_lps, uncertainty_mm, state.prediction if options.fusion.enabled else None)
    deviation_mm, sigma_mm, border_mm = _agreement(state, context)
    evidence = PointMatches(
        matches=matches.with_best(result.positions_lps),
        cycle_error_mm=cycle_error_mm,
        deviation_mm=deviation_mm,
        prediction_sigma_mm=sigma_mm,
        border_mm=border_mm,
        ncc=ncc,
        moved_mm=unknown if state.moved_mm is None else state.moved_mm,
        uncertainty_mm=result.uncertainty_mm,
        matched_lps=matches.best_lps,
        coarse_gap_mm=np.linalg.norm(matches.best_lps - needed(state.coarse_lps, "search"), axis=1),
    )
    return replace(state, evidence=evidence)


def _agreement(state: MatchState, context: PairContext) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Deviation from the prediction, its sigma, and its distance to the target's border."""
    prediction = state.prediction
    if prediction is None:
        unknown = np.full(len(state.points_lps), np.nan)
        return unknown, unknown, unknown
    deviation_mm = np.linalg.norm(state.best_lps - prediction.positions_lps, axis=1)
    border_mm = context.target.field_of_view.distance_to_border_mm(prediction.positions_lps)
    return deviation_mm, prediction.prediction_sigma_mm, border_mm
