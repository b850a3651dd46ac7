"""How the engine computes on this computer: kept in Slicer's settings, not in the scene, which may travel."""

from __future__ import annotations

from dataclasses import dataclass

import slicer
from slicer.util import settingsValue, toBool

from SAMLandmarkLib.embedding.cache import default_cache_folder
from SAMLandmarkLib.worker import WorkerSettings

_GROUP = "SAMLandmark"
_GIBIBYTE = 2**30


@dataclass(frozen=True)
class EngineSettings:
    """Device and profile by their names in WorkerSettings; limits in GiB, where a memory limit of 0 is none."""

    device: str = "auto"
    profile: str = "accurate"
    memoryLimit: float = 0.0
    keepScans: bool = True
    cacheLimit: float = 4.0

    @classmethod
    def load(cls) -> EngineSettings:
        """What was saved last on this computer, or the defaults."""
        return cls(
            device=settingsValue(f"{_GROUP}/Device", cls.device),
            profile=settingsValue(f"{_GROUP}/Profile", cls.profile),
            memoryLimit=settingsValue(f"{_GROUP}/MemoryLimit", cls.memoryLimit, float),
            keepScans=settingsValue(f"{_GROUP}/KeepScans", cls.keepScans, toBool),
            cacheLimit=settingsValue(f"{_GROUP}/CacheLimit", cls.cacheLimit, float),
        )

    def save(self) -> None:
        """Keep them for the next start of Slicer."""
        settings = slicer.app.userSettings()
        settings.setValue(f"{_GROUP}/Device", self.device)
        settings.setValue(f"{_GROUP}/Profile", self.profile)
        settings.setValue(f"{_GROUP}/MemoryLimit", self.memoryLimit)
        settings.setValue(f"{_GROUP}/KeepScans", self.keepScans)
        settings.setValue(f"{_GROUP}/CacheLimit", self.cacheLimit)

    def workerSettings(self) -> WorkerSettings:
        """The same for the worker."""
        return WorkerSettings(
            device=self.device,
            profile=self.profile,
            max_memory=round(self.memoryLimit * _GIBIBYTE) or None,
            cache_folder=default_cache_folder() if self.keepScans else None,
            cache_limit_bytes=round(self.cacheLimit * _GIBIBYTE),
        )
