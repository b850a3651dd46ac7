"""SAMLandmark itself, run like its peers."""

from __future__ import annotations

import numpy as np

from ...landmarks import LandmarkSet
from ...volume import Volume
from .peer import Peer


class SamLandmark(Peer):
    """The engine with the bundled model; a landmark that it calls MISSING counts at its best candidate."""

    modules = ("torch",)

    def __init__(self, profile: str) -> None:
        self.profile = profile

    def load(self) -> None:
        # the module that everybody who uses the engine imports
        from ... import transfer  # noqa: F401

    def transfer(self, template: Volume, landmarks: LandmarkSet, target: Volume) -> np.ndarray:
        from ...transfer import TransferEngine
        from ..records import best_position

        result = TransferEngine(profile=self.profile).transfer(template, landmarks, target)
        return np.array([best_position(item) for item in result])
