"""What every front end computes with: the engine, its store of embeddings, and fallbacks where memory is short."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..core.landmarks import LandmarkSet
from ..core.modality import CT, MODALITIES, Modality
from ..core.results import HeatMap, LocalMaps, TransferResult
from ..core.volume import Volume
from ..embedding.cache import EmbeddingCache, default_cache_folder, embedding_key, scan_digest
from ..embedding.embedding import Embedding
from ..embedding.prepared import PreparedVolume
from ..models.registry import REGISTRY
from ..utils.errors import ModelError, UsageError
from ..utils.failures import is_memory_failure, one_line, too_little_memory
from ..utils.progress import Progress
from ..utils.translation import _
from .compute_options import SMALLER_LIMITS, ComputeOption, options_with_less_memory
from .embedding_store import EmbeddingStore
from .protocols import ProtocolChoice
from .scans import EmbeddedScan, PreparedScan, require_one_modality
from .settings import WorkerSettings
from .transfer import TransferEngine

if TYPE_CHECKING:
    from ..registration.registration import Registration

__all__ = ["SMALLER_LIMITS", "ComputeOption", "EmbeddedScan", "EngineRuntime", "PreparedScan"]

Result = TypeVar("Result")


class EngineRuntime:
    """Embeds scans and finds landmarks; `notes` holds fallbacks and warnings.

    Where the settings name no model file, scans of each modality are embedded by the bundled model of theirs, which is
    loaded when the first of them comes; `engine` is the one that was loaded first, of CT where nothing else is known.
    Embeddings are kept in the settings' cache folder, else in `cache_folder`, else in the user's cache. Embedding and
    finding may run in two threads. Raises what TransferEngine raises.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        cache_folder: Path | None = None,
        make_engine: Callable[..., TransferEngine] = TransferEngine,
    ) -> None:
        self.settings = settings
        self.notes: list[str] = []
        folder = Path(settings.cache_folder or cache_folder or default_cache_folder())
        self.store = EmbeddingStore(EmbeddingCache(folder, settings.cache_limit_bytes), self._note)
        self._make_engine = make_engine
        self._changing = threading.Lock()
        self._options = [ComputeOption(settings.device, settings.max_memory)]
        self._engines: dict[str, TransferEngine] = {}
        self.engine = self._first_engine()
        self._options += options_with_less_memory(self.engine.model.device.type, settings.max_memory)

    @property
    def limit(self) -> int | None:
        """The bytes that the network's activations may take now; None where they may take all."""
        return self._options[0].max_memory

    def read(self, path: Path, series: Sequence[str] = ()) -> Volume:
        """Read a scan from a file or folder, of the model's modality where one is named; raises as `Volume.read` does."""
        modality = MODALITIES[self.settings.modality] if self.settings.modality else None
        if self.settings.model is not None:
            modality = self.engine.model.modality
        return Volume.read(path, series, modality, self.settings.pixel_spacing_mm)

    def engine_of(self, modality: Modality) -> TransferEngine:
        """The engine for scans of a modality; where a model file was named, that one's, which may refuse them."""
        with self._changing:
            return self._loaded(modality)

    def _loaded(self, modality: Modality) -> TransferEngine:
        if self.settings.model is not None or modality.name not in REGISTRY.modalities:
            return self.engine
        if modality.name == self.engine.model.modality.name:
            return self.engine
        if modality.name not in self._engines:
            self._engines[modality.name] = self._engine(REGISTRY.model(modality.name).path)
        return self._engines[modality.name]

    def prepare(self, volume: Volume) -> PreparedScan:
        """What is needed of a volume to embed it: its embedding from the cache, or its body resampled.

        Needs no network, so that it may be done in a thread while another scan is embedded.
        """
        started = time.perf_counter()
        digest = scan_digest(volume)
        engine = self.engine_of(volume.modality)
        cached = self.store.find(digest, volume, engine.model)
        body = engine.prepare(volume) if cached is None else cached
        return PreparedScan(digest, body, time.perf_counter() - started)

    def embed(self, scan: PreparedScan, progress: Progress | None = None) -> EmbeddedScan:
        """The embedding of a prepared scan."""
        started = time.perf_counter()

        def compute(engine: TransferEngine) -> tuple[str, Embedding]:
            key = embedding_key(scan.digest, engine.model)
            if isinstance(scan.body, Embedding):
                return key, scan.body
            return key, self._computed(engine, scan.body, progress)

        key, embedding = self.attempt(compute, scan.body.modality)
        seconds = scan.seconds + time.perf_counter() - started
        return EmbeddedScan(embedding, key, seconds, scan.is_cached)

    def embed_volume(self, volume: Volume, progress: Progress | None = None) -> EmbeddedScan:
        """The embedding of a volume, from the cache where it is there."""
        if progress is not None:
            progress("resampling", 0.0)
        return self.embed(self.prepare(volume), progress)

    def keep(self, scan: EmbeddedScan) -> None:
        """Put a new embedding into the store; where that fails, a note says so and nothing is lost but time."""
        self.store.keep(scan)

    def claimed(self, name: str) -> AbstractContextManager[None]:
        """Let other processes with the same store wait that claim the same name; they find in it what is made here."""
        return self.store.claimed(name)

    def transfer(
        self,
        template: EmbeddedScan,
        landmarks: LandmarkSet,
        target: EmbeddedScan,
        extra_templates: Sequence[tuple[EmbeddedScan, LandmarkSet]] = (),
        progress: Progress | None = None,
    ) -> TransferResult:
        """The landmarks of a template in a target; see `TransferEngine.transfer`."""

        def find(engine: TransferEngine) -> TransferResult:
            scans = [scan.on_device_of(engine.model) for scan in (template, target)]
            extra = [(scan.on_device_of(engine.model), points) for scan, points in extra_templates]
            return engine.transfer(scans[0], landmarks, scans[1], progress, extra)

        modality = template.embedding.modality
        for scan in (target, *(scan for scan, _points in extra_templates)):
            require_one_modality(template.embedding, scan.embedding)
        return self.attempt(find, modality).with_notes(self.notes)

    def locate(
        self, target: EmbeddedScan, protocol: ProtocolChoice = None, progress: Progress | None = None
    ) -> TransferResult:
        """The landmarks of a protocol in a target, without a template; see `TransferEngine.locate`."""

        def find(engine: TransferEngine) -> TransferResult:
            return engine.locate(target.on_device_of(engine.model), protocol, progress)

        return self.attempt(find, target.embedding.modality).with_notes(self.notes)

    def heat_map(self, template: EmbeddedScan, point_lps: np.ndarray, target: EmbeddedScan) -> HeatMap:
        """How similar each place of a target is to a point of a template."""
        require_one_modality(template.embedding, target.embedding)
        return self.attempt(
            lambda engine: engine.heat_map(
                template.on_device_of(engine.model), point_lps, target.on_device_of(engine.model)
            ),
            template.embedding.modality,
        )

    def local_maps(
        self, template: EmbeddedScan, points_lps: np.ndarray, target: EmbeddedScan
    ) -> LocalMaps | None:
        """Where the surroundings place points of a template in a target; see `TransferEngine.local_maps`."""
        require_one_modality(template.embedding, target.embedding)
        return self.attempt(
            lambda engine: engine.local_maps(
                template.on_device_of(engine.model), points_lps, target.on_device_of(engine.model)
            ),
            template.embedding.modality,
        )

    def register(
        self,
        template: EmbeddedScan,
        target: EmbeddedScan,
        profile: str = "accurate",
        progress: Progress | None = None,
    ) -> Registration:
        """The map between two scans as a whole; see `TransferEngine.register`."""
        require_one_modality(template.embedding, target.embedding)
        return self.attempt(
            lambda engine: engine.register(
                template.on_device_of(engine.model), target.on_device_of(engine.model), profile, progress
            ),
            template.embedding.modality,
        )

    def describe(self) -> dict[str, Any]:
        """What computes here, in types of JSON."""
        import platform

        import torch

        model, cache = self.engine.model, self.store.cache
        on_gpu = model.device.type == "cuda"
        name = (
            torch.cuda.get_device_name(model.device)
            if on_gpu
            else _("the {device}").format(device=model.device.type.upper())
        )
        return {
            "model": {"sha256": model.checksum, **model.metadata.to_json()},
            "device": str(model.device),
            "device_name": name,
            "dtype": str(model.dtype).removeprefix("torch."),
            "precision": model.precision,
            "threads": torch.get_num_threads(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "system": platform.platform(),
            "cache": {"folder": str(cache.folder), "bytes": cache.size_bytes()},
            "notes": list(self.notes),
        }

    def attempt(self, compute: Callable[[TransferEngine], Result], modality: Modality = CT) -> Result:
        """Compute with the engine of a modality.

        Where memory runs out, options that need less of it are tried; MemoryError at last.
        """
        while True:
            with self._changing:
                engine, option = self._loaded(modality), self._options[0]
            try:
                return compute(engine)
            except Exception as error:
                if not is_memory_failure(error):
                    raise
                self._fall_back(option, error)
            # out here the error is gone, and with it what the failed attempt had filled the memory with

    def _first_engine(self) -> TransferEngine:
        try:
            return self._engine()
        except (RuntimeError, MemoryError, ModelError) as error:
            # a new GPU with an old PyTorch, or one that other programs have filled: nothing that a user can foresee
            if self.settings.device != "auto" and not is_memory_failure(error):
                raise
            failure = one_line(error)
        self._options = [ComputeOption("cpu", self.settings.max_memory)]
        engine = self._engine()
        self._note(_("The GPU can't be used ({reason}); the CPU computes.").format(reason=failure))
        return engine

    def _engine(self, model: Path | str | None = None) -> TransferEngine:
        option = self._options[0]
        settings = self.settings
        trusted = {"trust_model": True} if settings.trust_model else {}
        return self._make_engine(
            option.device,
            settings.model if model is None else model,
            option.max_memory,
            settings.profile,
            settings.precision,
            **trusted,
        )

    def _computed(self, engine: TransferEngine, body: PreparedVolume, progress: Progress | None) -> Embedding:
        limit = self.limit
        try:
            return engine.embed(body, progress)
        except UsageError as error:
            if limit == self.settings.max_memory:
                raise
            # a limit that nobody set does not suffice for even a part of the scan
            raise MemoryError(str(error)) from error

    def _fall_back(self, failed: ComputeOption, failure: Exception) -> None:
        with self._changing:
            if self._options[0] is not failed:
                return  # the other thread was faster
            if len(self._options) == 1:
                raise MemoryError(too_little_memory()) from failure
            on_gpu = self.engine.model.device.type != "cpu"
            self._options.pop(0)
            gpu = _("The GPU had too little memory, so the rest was computed {option}.")
            computer = _("The computer had too little memory, so the rest was computed {option}.")
            self._note((gpu if on_gpu else computer).format(option=self._options[0].text))
            self._engines.clear()
            self.engine = self._engine()

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
