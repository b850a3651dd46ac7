"""The scans of files, each read and embedded once, however often and in whatever order they are asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..utils.recently_used import RecentlyUsed
from .runtime import EngineRuntime
from .scans import EmbeddedScan


class EmbeddedFiles:
    """The scans of volume files, each read and embedded once; the least recently used wait in the runtime's store.

    `seconds` is what embedding took, without reading the files.
    """

    def __init__(self, runtime: EngineRuntime, kept_in_memory: int = 2) -> None:
        self.seconds = 0.0
        self._runtime = runtime
        self._scans = RecentlyUsed[Path, EmbeddedScan](kept_in_memory)
        self._known: dict[Path, EmbeddedFile] = {}

    def __getitem__(self, path: Path) -> EmbeddedScan:
        """The embedded scan of a volume file. Raises VolumeError where it can't be read."""
        return self._scans.get(path, lambda: self._read_back(path) or self._compute(path))

    def _compute(self, path: Path) -> EmbeddedScan:
        scan = self._runtime.embed_volume(self._runtime.read(path))
        self.seconds += scan.seconds
        self._runtime.keep(scan)
        self._known[path] = EmbeddedFile(scan)
        return scan

    def _read_back(self, path: Path) -> EmbeddedScan | None:
        known = self._known.get(path)
        return None if known is None else known.read_back(self._runtime)


class EmbeddedFile:
    """What the store does not hold of an embedding that was computed before: its key, and what is the scan's own."""

    def __init__(self, scan: EmbeddedScan) -> None:
        self._key = scan.cache_key
        self._modality = scan.embedding.modality
        embedding = scan.embedding
        self._name, self._source, self._warnings = embedding.name, embedding.source, embedding.warnings

    def read_back(self, runtime: EngineRuntime) -> EmbeddedScan | None:
        """The scan from the store; None where it is gone from there."""
        found = runtime.store.cache.get(self._key, runtime.engine_of(self._modality).model.device)
        if found is None:
            return None
        own = replace(found, name=self._name, source=self._source, warnings=self._warnings)
        return EmbeddedScan(own, self._key, 0.0, from_cache=True)
