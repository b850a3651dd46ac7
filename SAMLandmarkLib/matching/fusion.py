"""The match and the prediction by the surroundings, weighted by how far each of them may be off.

Where a point has little to be told by (the middle of a muscle, a centroid), its match wanders by a centimetre while the
correspondences around it agree on a place; where it is distinct, the match is far more exact than they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .prediction import Prediction

CYCLE_SHARE = 0.3
"""Part of the cycle that the way there answers for; both ways of the same length would make it 0.7."""
UNLIKE_IMAGES_MM = 12.0
"""How far a match may be off where the images around it have nothing in common, refined by the images …"""
UNLIKE_VECTORS_MM = 15.0
"""… and where the fine vectors have, for a match that was not refined."""


@dataclass(frozen=True)
class Fused:
    """`positions_lps` `(n,3)` mm and how far they may be off, `uncertainty_mm` `(n,)`."""

    positions_lps: np.ndarray
    uncertainty_mm: np.ndarray


def match_uncertainty(cycle_mm: np.ndarray, fine: np.ndarray, likeness: np.ndarray) -> np.ndarray:
    """How far matches may be off, `(n,)` mm, from their cycle and the likeness of images or, where NaN, fine vectors."""
    unlike_mm = np.where(
        np.isnan(likeness), UNLIKE_VECTORS_MM * (1 - fine), UNLIKE_IMAGES_MM * (1 - likeness)
    )
    return np.hypot(CYCLE_SHARE * cycle_mm, unlike_mm)


def fused(matched_lps: np.ndarray, uncertainty_mm: np.ndarray, prediction: Prediction | None) -> Fused:
    """Matches `(n,3)` and their prediction, averaged by their precisions; the matches where nothing is predicted."""
    if prediction is None:
        return Fused(matched_lps, uncertainty_mm)
    variance, spread = uncertainty_mm**2, prediction.spread_mm**2
    share = variance / (variance + spread)
    positions = matched_lps + share[:, None] * (prediction.positions_lps - matched_lps)
    return Fused(positions, np.sqrt(share * spread))
