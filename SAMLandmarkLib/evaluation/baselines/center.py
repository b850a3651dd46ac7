"""The weakest of all baselines: the bodies' middles are laid on each other."""

from __future__ import annotations

import numpy as np

from ...core.landmarks import LandmarkSet
from ...core.volume import Volume
from .baseline import Baseline
from .scans import body, centers_offset_lps


class CenterAlignment(Baseline):
    """Moves the landmarks by the difference of the centers of mass of both bodies."""

    def transfer(self, template: Volume, landmarks: LandmarkSet, target: Volume) -> np.ndarray:
        return landmarks.positions_lps + centers_offset_lps(body(template), body(target))
