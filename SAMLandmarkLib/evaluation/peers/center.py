"""The weakest of all peers: the bodies' middles are laid on each other."""

from __future__ import annotations

import numpy as np

from ...landmarks import LandmarkSet
from ...volume import Volume
from .peer import Peer
from .scans import body, centers_offset_lps


class CenterAlignment(Peer):
    """Moves the landmarks by the difference of the centers of mass of both bodies."""

    def transfer(self, template: Volume, landmarks: LandmarkSet, target: Volume) -> np.ndarray:
        return landmarks.positions_lps + centers_offset_lps(body(template), body(target))
