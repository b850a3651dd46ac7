"""How a worker process computes, whoever gives it its work."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

DEFAULT_CACHE_LIMIT_BYTES = 4 * 2**30


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker computes.

    `device` is "auto", "cpu", "cuda", "cuda:N" or "mps"; `profile` as TransferEngine takes it; `max_memory` bounds
    the bytes of the network's activations; `model` is a model file (by default the bundled one of each scan's modality),
    `trust_model` allows one in TorchScript that did not come with SAMLandmark; `threads` the number of CPU threads;
    `precision` is "auto", "bf16" or "fp32"; `pixel_spacing_mm` is of radiographs whose files don't tell it;
    `modality` is the name of that of all scans, where the files are not to tell it.
    Embeddings are kept in `cache_folder`, up to `cache_limit_bytes`; without one commands keep them in the user's cache,
    and a worker process in its private folder, so that a cancelled or crashed worker need not compute them again, and
    they are deleted with it.
    """

    device: str = "auto"
    profile: str = "accurate"
    max_memory: int | None = None
    cache_folder: Path | str | None = None
    cache_limit_bytes: int = DEFAULT_CACHE_LIMIT_BYTES
    model: Path | str | None = None
    trust_model: bool = False
    threads: int | None = None
    precision: str = "auto"
    pixel_spacing_mm: float | None = None
    modality: str | None = None

    def to_json(self) -> dict[str, Any]:
        """These settings in types of JSON, with paths that a process in another folder understands."""
        paths = {"cache_folder": self.cache_folder, "model": self.model}
        absolute = {name: str(Path(path).absolute()) for name, path in paths.items() if path is not None}
        return asdict(self) | absolute
