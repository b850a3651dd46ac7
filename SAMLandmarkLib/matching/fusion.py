"""Precision-weighted fusion of a match with its prediction by the correspondences around it.

A point with few distinctive features (the middle of a muscle, a centroid) has a match that wanders by a centimetre while
the correspondences around it agree on a place; where it is distinctive, the match is far more exact than they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.matching_options import FusionOptions
from .prediction import Prediction

DEFAULTS = FusionOptions()


@dataclass(frozen=True)
class Fused:
    """`positions_lps` `(n,3)` mm and how far they may be off, `uncertainty_mm` `(n,)`."""

    positions_lps: np.ndarray
    uncertainty_mm: np.ndarray


def match_uncertainty(
    cycle_error_mm: np.ndarray, fine: np.ndarray, ncc: np.ndarray, options: FusionOptions = DEFAULTS
) -> np.ndarray:
    """How far matches may be off, `(n,)` mm, from their cycle and the NCC of images or, where NaN, finest cosine."""
    unlike_vectors_mm = options.unlike_vectors_mm * (1 - fine)
    unlike_mm = np.where(np.isnan(ncc), unlike_vectors_mm, options.unlike_images_mm * (1 - ncc))
    uncertainty: np.ndarray = np.hypot(options.cycle_share * cycle_error_mm, unlike_mm)
    return uncertainty


def fused(matched_lps: np.ndarray, uncertainty_mm: np.ndarray, prediction: Prediction | None) -> Fused:
    """Matches `(n,3)` and their prediction, averaged by their precisions; the matches where nothing is predicted."""
    if prediction is None:
        return Fused(matched_lps, uncertainty_mm)
    uncertainty_mm = _heeding_organ_ends(matched_lps, uncertainty_mm, prediction)
    variance, predicted = uncertainty_mm**2, prediction.prediction_sigma_mm**2
    share = variance / (variance + predicted)
    positions = matched_lps + share[:, None] * (prediction.positions_lps - matched_lps)
    return Fused(positions, np.sqrt(share * predicted))


def _heeding_organ_ends(
    matched_lps: np.ndarray, uncertainty_mm: np.ndarray, prediction: Prediction
) -> np.ndarray:
    """The uncertainty of matches, at least what they contradict an end of an organ by beyond its own uncertainty.

    Between patients, images that look alike and a short cycle do not mean that a match is as sure as they make it seem.
    """
    if prediction.beside_end is None:
        return uncertainty_mm
    apart_mm = np.linalg.norm(prediction.positions_lps - matched_lps, axis=1)
    contradiction_mm = np.where(prediction.beside_end, apart_mm - prediction.prediction_sigma_mm, 0.0)
    heeded: np.ndarray = np.maximum(uncertainty_mm, contradiction_mm)
    return heeded
