"""Prediction by ends of organs that thresholds find in both scans.

Beside the apex of a lung or the pole of a kidney the embeddings cannot tell a place from those a few centimetres away along
the organ, and correspondences around it move with the spine or the ribs; the end itself is found as surely as by a reader.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.matching_options import OrganEndOptions
from ..core.organ_ends import SIGMA_MM
from ..embedding.embedding import Image
from .prediction import Prediction

SUREST_MM = min(SIGMA_MM.values())


def with_organ_ends(
    prediction: Prediction, points_lps: np.ndarray, template: Image, target: Image, options: OrganEndOptions
) -> Prediction:
    """The prediction of points `(n,3)` (LPS mm) of one image in another, by an end of an organ where that is the surer one."""
    # no end is looked for where the correspondences are surer than any of them
    if not options.enabled or (prediction.prediction_sigma_mm <= SUREST_MM).all():
        return prediction
    positions_lps, sigma_mm = prediction.positions_lps.copy(), prediction.prediction_sigma_mm.copy()
    beside_end = np.zeros(len(points_lps), dtype=bool)
    for name, end_lps in template.organ_ends_lps.items():
        offsets_mm = points_lps - end_lps
        distance_mm = np.linalg.norm(offsets_mm, axis=1)
        end_sigma_mm = np.hypot(SIGMA_MM[name], options.growth * distance_mm)
        surer = (distance_mm <= options.reach_mm) & (end_sigma_mm < sigma_mm)
        if not surer.any() or name not in target.organ_ends_lps:
            continue
        placed_lps = target.organ_ends_lps[name] + offsets_mm
        used = surer & (np.linalg.norm(placed_lps - prediction.positions_lps, axis=1) <= options.apart_mm)
        positions_lps[used], sigma_mm[used] = placed_lps[used], end_sigma_mm[used]
        beside_end |= used
    return replace(
        prediction, positions_lps=positions_lps, prediction_sigma_mm=sigma_mm, beside_end=beside_end
    )
