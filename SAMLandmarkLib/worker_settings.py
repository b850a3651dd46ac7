"""How a worker process computes, whoever gives it its work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_CACHE_LIMIT_BYTES = 4 * 2**30


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker computes.

    `device` is "auto", "cpu", "cuda", "cuda:N" or "mps"; `profile` as TransferEngine takes it; `max_memory` bounds
    the bytes of the network's activations; `model` is a model file (the bundled one by default); `threads` the
    number of CPU threads. Embeddings are kept in `cache_folder`, up to `cache_limit_bytes`; without one they are
    kept in the worker's private folder, so that a cancelled or crashed worker need not compute them again, and are
    deleted with it.
    """

    device: str = "auto"
    profile: str = "accurate"
    max_memory: int | None = None
    cache_folder: Path | str | None = None
    cache_limit_bytes: int = DEFAULT_CACHE_LIMIT_BYTES
    model: Path | str | None = None
    threads: int | None = None
