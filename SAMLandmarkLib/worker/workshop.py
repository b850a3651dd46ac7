"""What a worker computes with: the engine, the cache, and ways around a memory that is too small."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..embedding.cache import EmbeddingCache, embedding_key
from ..embedding.embedding import Embedding, Level
from ..errors import OutputError, SAMLandmarkError, UsageError
from ..landmarks import LandmarkSet
from ..progress import Progress
from ..transfer import TransferEngine
from ..transferred import HeatMap, TransferResult
from ..volume import Volume
from ..volume_checks import ct_warnings
from .failures import TOO_LITTLE_MEMORY, is_memory_failure
from .messages import WorkerSettings
from .schedule import Scan

Result = TypeVar("Result")

SMALLER_LIMITS = (2 * 2**30, 512 * 2**20)
"""Memory limits that are tried one after another where the one that was set does not fit."""


@dataclass(frozen=True)
class EmbeddedScan:
    """An embedding, its key in the cache, and how it came about."""

    embedding: Embedding
    cache_key: str
    seconds: float
    from_cache: bool

    @property
    def voxels_2mm(self) -> int:
        """How many voxels of 2 mm the network saw; a fine cell has eight."""
        return 8 * int(np.prod(self.embedding.fine.grid.size_ijk))


@dataclass(frozen=True)
class _Way:
    """One way to compute: a device and a limit for the network's activations."""

    device: str
    max_memory: int | None

    def __str__(self) -> str:
        if self.max_memory is None:
            return "on the CPU" if self.device == "cpu" else "without a memory limit"
        return f"with a memory limit of {self.max_memory / 2**20:.0f} MiB"


class Workshop:
    """Embeds scans and finds landmarks; `notes` tells what went differently than set.

    Embedding and finding may run in two threads. Raises what TransferEngine raises.
    """

    def __init__(self, settings: WorkerSettings, cache_folder: Path) -> None:
        self.settings = settings
        self.cache = EmbeddingCache(cache_folder, settings.cache_limit_bytes)
        self.notes: list[str] = []
        self._ways = [_Way(settings.device, settings.max_memory)]
        self._changing = threading.Lock()
        self.engine = self._engine()
        self._ways += _ways_with_less_memory(self.engine.model.device.type, settings.max_memory)

    def embed(self, scan: Scan, progress: Progress) -> EmbeddedScan:
        """The embedding of a scan, from the cache where it is there."""
        progress("reading", 0.0)
        volume = _volume(scan)
        started = time.perf_counter()
        key = embedding_key(volume, self.engine.model)
        embedding = self.cache.get(key, self.engine.model.device)
        from_cache = embedding is not None
        if embedding is None:
            embedding = self._with_memory(lambda engine: engine.embed(volume, progress))
        embedding = replace(embedding, name=scan.name, source=scan.source, warnings=volume.warnings)
        return EmbeddedScan(embedding, key, time.perf_counter() - started, from_cache)

    def keep(self, scan: EmbeddedScan) -> None:
        """Put a new embedding into the cache; where that fails, a note says so and nothing is lost but time."""
        if scan.from_cache:
            return
        try:
            self.cache.put(scan.cache_key, scan.embedding)
        except OutputError as error:
            self._note(f"Embeddings are not kept: {error}")

    def transfer(
        self,
        template: Embedding,
        landmarks: LandmarkSet,
        target: Embedding,
        extra_templates: list[tuple[Embedding, LandmarkSet]],
    ) -> TransferResult:
        """The landmarks of a template in a target."""

        def find(engine: TransferEngine) -> TransferResult:
            extra = [(_placed(scan, engine), points) for scan, points in extra_templates]
            return engine.transfer(
                _placed(template, engine), landmarks, _placed(target, engine), extra_templates=extra
            )

        result = self._with_memory(find)
        return replace(result, provenance={**result.provenance, "notes": list(self.notes)})

    def heat_map(self, template: Embedding, point_lps: np.ndarray, target: Embedding) -> HeatMap:
        """How similar each place of a target is to a point of a template."""
        return self._with_memory(
            lambda engine: engine.heat_map(_placed(template, engine), point_lps, _placed(target, engine))
        )

    def describe(self) -> dict[str, Any]:
        """What computes here, in types of JSON."""
        import platform

        import torch

        model = self.engine.model
        on_gpu = model.device.type == "cuda"
        name = torch.cuda.get_device_name(model.device) if on_gpu else f"the {model.device.type.upper()}"
        return {
            "model": {"sha256": model.checksum, **vars(model.metadata)},
            "device": str(model.device),
            "device_name": name,
            "dtype": str(model.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "system": platform.platform(),
            "cache": {"folder": str(self.cache.folder), "bytes": self.cache.size_bytes()},
            "notes": list(self.notes),
        }

    def _engine(self) -> TransferEngine:
        way, settings = self._ways[0], self.settings
        return TransferEngine(way.device, settings.model, way.max_memory)

    def _with_memory(self, compute: Callable[[TransferEngine], Result]) -> Result:
        """Compute, in ways that need less and less memory where it runs out."""
        while True:
            engine, way = self.engine, self._ways[0]
            try:
                return compute(engine)
            except Exception as error:
                if not (is_memory_failure(error) or self._is_own_limit_too_small(error)):
                    raise
                failure = error
            self._take_next_way(way, failure)

    def _is_own_limit_too_small(self, error: Exception) -> bool:
        return isinstance(error, UsageError) and self._ways[0].max_memory != self.settings.max_memory

    def _take_next_way(self, failed: _Way, failure: Exception) -> None:
        with self._changing:
            if self._ways[0] is not failed:
                return  # the other thread was faster
            if len(self._ways) == 1:
                raise MemoryError(TOO_LITTLE_MEMORY) from failure
            device = "The GPU" if self.engine.model.device.type != "cpu" else "The computer"
            self._ways.pop(0)
            self._note(f"{device} had too little memory; it went on {self._ways[0]}.")
            self.engine = self._engine()

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _ways_with_less_memory(device: str, limit: int | None) -> list[_Way]:
    ways = [_Way(device, smaller) for smaller in SMALLER_LIMITS if limit is None or smaller < limit]
    return ways if device == "cpu" else [*ways, _Way("cpu", limit)]


def _volume(scan: Scan) -> Volume:
    try:
        array = np.load(scan.file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SAMLandmarkError(
            f"The scan {scan.name} can't be read back ({error}); choose it again."
        ) from error
    volume = Volume(array, np.array(scan.ijk_to_lps), scan.name)
    volume.warnings = ct_warnings(volume.array)
    return volume


def _placed(embedding: Embedding, engine: TransferEngine) -> Embedding:
    """The embedding where the engine computes; the same object where it is there already."""
    device = engine.model.device
    if embedding.fine.vectors.device == device and embedding.coarse.vectors.dtype == engine.model.dtype:
        return embedding
    fine = Level(embedding.fine.vectors.to(device), embedding.fine.grid)
    coarse = Level(embedding.coarse.vectors.to(device, engine.model.dtype), embedding.coarse.grid)
    return replace(embedding, fine=fine, coarse=coarse)
