"""SAMLandmark itself, run like its baselines."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from ...core.landmarks import LandmarkSet
from ...core.volume import Volume
from .baseline import Baseline


class SamLandmark(Baseline):
    """The engine with the bundled model; a landmark that it calls MISSING counts at its best candidate."""

    modules = ("torch",)

    def __init__(self, profile: str) -> None:
        self.profile = profile

    def load(self) -> None:
        # the module that everybody who uses the engine imports
        from ...engine import runtime  # noqa: F401

    def transfer(self, template: Volume, landmarks: LandmarkSet, target: Volume) -> np.ndarray:
        from ...engine.runtime import EngineRuntime
        from ...engine.settings import WorkerSettings
        from ..records import best_position

        # an empty folder: what is measured is computed, whatever the user's cache holds
        with tempfile.TemporaryDirectory(prefix="samlandmark-") as folder:
            runtime = EngineRuntime(WorkerSettings(profile=self.profile, cache_limit_bytes=0), Path(folder))
            scans = [runtime.embed_volume(volume) for volume in (template, target)]
            result = runtime.transfer(scans[0], landmarks, scans[1])
        return np.array([best_position(item) for item in result])
