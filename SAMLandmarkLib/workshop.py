"""What workers compute with: the engine, the cache, and ways around a memory that is too small."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .embedding.cache import EmbeddingCache, embedding_key, scan_digest
from .embedding.embedding import Embedding, Image, Level
from .embedding.prepared import PreparedVolume
from .errors import ModelError, OutputError, UsageError
from .failures import is_memory_failure, one_line, too_little_memory
from .landmarks import LandmarkSet
from .model.bundle import EmbeddingModel
from .progress import Progress
from .transfer import TransferEngine
from .transferred import HeatMap, TransferResult
from .translation import _, sentence_of
from .volume import Volume
from .worker_settings import WorkerSettings

Result = TypeVar("Result")

SMALLER_LIMITS = (2 * 2**30, 512 * 2**20)
"""Memory limits that are tried one after another where the one that was set does not fit."""


@dataclass(frozen=True)
class PreparedScan:
    """A scan before the network has seen it: the digest of its voxels, and its body resampled or already embedded."""

    digest: str
    body: PreparedVolume | Embedding
    seconds: float

    @property
    def is_cached(self) -> bool:
        """Whether the embedding was found in the cache."""
        return isinstance(self.body, Embedding)


@dataclass
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

    def on_device_of(self, model: EmbeddingModel) -> Embedding:
        """The embedding where the model computes, to which it moves if it lies elsewhere."""
        fine, coarse, image = self.embedding.fine, self.embedding.coarse, self.embedding.image
        if fine.vectors.device != model.device or coarse.vectors.dtype != model.dtype:
            self.embedding = replace(
                self.embedding,
                fine=Level(fine.vectors.to(model.device), fine.grid),
                coarse=Level(coarse.vectors.to(model.device, model.dtype), coarse.grid),
                image=Image(image.hu.to(model.device), image.grid),
            )
        return self.embedding


@dataclass(frozen=True)
class _Way:
    """One way to compute: a device and a limit for the network's activations."""

    device: str
    max_memory: int | None

    @property
    def text(self) -> str:
        """The way in words, to follow "computed"."""
        where = _("on the CPU") if self.device == "cpu" else _("on the GPU")
        if self.max_memory is None:
            return where
        limited = _("{where} with a memory limit of {size} MiB")
        return limited.format(where=where, size=round(self.max_memory / 2**20))


class Workshop:
    """Embeds scans and finds landmarks; `notes` tells what went differently than set.

    Embedding and finding may run in two threads. Raises what TransferEngine raises.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        cache_folder: Path,
        make_engine: Callable[..., TransferEngine] = TransferEngine,
    ) -> None:
        self.settings = settings
        self.cache = EmbeddingCache(cache_folder, settings.cache_limit_bytes)
        self.notes: list[str] = []
        self._make_engine = make_engine
        self._changing = threading.Lock()
        self._ways = [_Way(settings.device, settings.max_memory)]
        self.engine = self._first_engine()
        self._ways += _ways_with_less_memory(self.engine.model.device.type, settings.max_memory)

    @property
    def limit(self) -> int | None:
        """The bytes that the network's activations may take now; None where they may take all."""
        return self._ways[0].max_memory

    def prepare(self, volume: Volume) -> PreparedScan:
        """What is needed of a volume to embed it: its embedding from the cache, or its body resampled.

        Needs no network, so that it may be done in a thread while another scan is embedded.
        """
        started = time.perf_counter()
        digest = scan_digest(volume)
        cached = self.cache.get(embedding_key(digest, self.engine.model), self.engine.model.device)
        if cached is None:
            body = self.engine.prepare(volume)
        else:
            source = None if volume.source is None else str(volume.source)
            body = replace(cached, name=volume.name, source=source, warnings=volume.warnings)
        return PreparedScan(digest, body, time.perf_counter() - started)

    def embed(self, scan: PreparedScan, progress: Progress | None = None) -> EmbeddedScan:
        """The embedding of a prepared scan."""
        started = time.perf_counter()

        def compute(engine: TransferEngine) -> tuple[str, Embedding]:
            key = embedding_key(scan.digest, engine.model)
            return key, scan.body if scan.is_cached else self._computed(engine, scan.body, progress)

        key, embedding = self.attempt(compute)
        seconds = scan.seconds + time.perf_counter() - started
        return EmbeddedScan(embedding, key, seconds, scan.is_cached)

    def embed_volume(self, volume: Volume, progress: Progress | None = None) -> EmbeddedScan:
        """The embedding of a volume, from the cache where it is there."""
        if progress is not None:
            progress("resampling", 0.0)
        return self.embed(self.prepare(volume), progress)

    @contextmanager
    def claimed(self, name: str) -> Iterator[None]:
        """Let other processes with the same cache wait that claim the same name; they find in it what is made here."""
        with ExitStack() as claims:
            if self.cache.limit_bytes:
                try:
                    claims.enter_context(self.cache.claimed(name))
                except OutputError as error:
                    self._note_unkept(error)
            yield

    def keep(self, scan: EmbeddedScan) -> None:
        """Put a new embedding into the cache; where that fails, a note says so and nothing is lost but time."""
        if scan.from_cache or not self.cache.limit_bytes:
            return
        try:
            self.cache.put(scan.cache_key, scan.embedding)
        except OutputError as error:
            self._note_unkept(error)

    def transfer(
        self,
        template: EmbeddedScan,
        landmarks: LandmarkSet,
        target: EmbeddedScan,
        extra_templates: Sequence[tuple[EmbeddedScan, LandmarkSet]] = (),
    ) -> TransferResult:
        """The landmarks of a template in a target."""

        def find(engine: TransferEngine) -> TransferResult:
            scans = [scan.on_device_of(engine.model) for scan in (template, target)]
            extra = [(scan.on_device_of(engine.model), points) for scan, points in extra_templates]
            return engine.transfer(scans[0], landmarks, scans[1], extra_templates=extra)

        result = self.attempt(find)
        return replace(result, provenance={**result.provenance, "notes": list(self.notes)})

    def heat_map(self, template: EmbeddedScan, point_lps: np.ndarray, target: EmbeddedScan) -> HeatMap:
        """How similar each place of a target is to a point of a template."""
        return self.attempt(
            lambda engine: engine.heat_map(
                template.on_device_of(engine.model), point_lps, target.on_device_of(engine.model)
            )
        )

    def describe(self) -> dict[str, Any]:
        """What computes here, in types of JSON."""
        import platform

        import torch

        model = self.engine.model
        on_gpu = model.device.type == "cuda"
        name = (
            torch.cuda.get_device_name(model.device)
            if on_gpu
            else _("the {device}").format(device=model.device.type.upper())
        )
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

    def attempt(self, compute: Callable[[TransferEngine], Result]) -> Result:
        """Compute with the engine, in ways that need less and less memory where it runs out; MemoryError at last."""
        while True:
            with self._changing:
                engine, way = self.engine, self._ways[0]
            try:
                return compute(engine)
            except Exception as error:
                if not is_memory_failure(error):
                    raise
                self._take_next_way(way, error)
            # out here the error is gone, and with it what the failed attempt had filled the memory with

    def _first_engine(self) -> TransferEngine:
        try:
            return self._engine()
        except (RuntimeError, MemoryError, ModelError) as error:
            # a new GPU with an old PyTorch, or one that other programs have filled: nothing that a user can foresee
            if self.settings.device != "auto" and not is_memory_failure(error):
                raise
            failure = one_line(error)
        self._ways = [_Way("cpu", self.settings.max_memory)]
        engine = self._engine()
        self._note(_("The GPU can't be used ({reason}); the CPU computes.").format(reason=failure))
        return engine

    def _engine(self) -> TransferEngine:
        way = self._ways[0]
        return self._make_engine(way.device, self.settings.model, way.max_memory, self.settings.profile)

    def _computed(self, engine: TransferEngine, body: PreparedVolume, progress: Progress | None) -> Embedding:
        limit = self.limit
        try:
            return engine.embed(body, progress)
        except UsageError as error:
            if limit == self.settings.max_memory:
                raise
            # a limit that nobody set does not suffice for even a part of the scan
            raise MemoryError(str(error)) from error

    def _take_next_way(self, failed: _Way, failure: Exception) -> None:
        with self._changing:
            if self._ways[0] is not failed:
                return  # the other thread was faster
            if len(self._ways) == 1:
                raise MemoryError(too_little_memory()) from failure
            on_gpu = self.engine.model.device.type != "cpu"
            self._ways.pop(0)
            gpu = _("The GPU had too little memory, so the rest was computed {way}.")
            computer = _("The computer had too little memory, so the rest was computed {way}.")
            self._note((gpu if on_gpu else computer).format(way=self._ways[0].text))
            self.engine = self._engine()

    def _note_unkept(self, error: OutputError) -> None:
        self._note(_("Embeddings are not kept: {reason}").format(reason=sentence_of(error)))

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _ways_with_less_memory(device: str, limit: int | None) -> list[_Way]:
    ways = [_Way(device, smaller) for smaller in SMALLER_LIMITS if limit is None or smaller < limit]
    return ways if device == "cpu" else [*ways, _Way("cpu", limit)]
