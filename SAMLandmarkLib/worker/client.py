"""The program's side of the worker: requests out, callbacks on the thread that polls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from .messages import (
    EmbedReply,
    HeatMapReply,
    ScanData,
    TransferReply,
    TransferRequest,
    WorkerFailure,
    WorkerSettings,
)

OnFailed = Callable[[WorkerFailure], None]
OnProgress = Callable[[str, str, float], None]


class WorkerClient:
    def __init__(
        self,
        settings: WorkerSettings | None = None,
        python: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | str | None = None,
    ) -> None:
        raise NotImplementedError

    def start(self) -> None: ...

    def embed(
        self,
        scan: ScanData,
        on_done: Callable[[EmbedReply], None] | None = None,
        on_failed: OnFailed | None = None,
        on_progress: OnProgress | None = None,
    ) -> int: ...

    def prepare(
        self,
        template_key: str,
        target_key: str,
        on_done: Callable[[None], None] | None = None,
        on_failed: OnFailed | None = None,
        on_progress: OnProgress | None = None,
    ) -> int: ...

    def transfer(
        self,
        request: TransferRequest,
        on_done: Callable[[TransferReply], None] | None = None,
        on_failed: OnFailed | None = None,
        on_progress: OnProgress | None = None,
    ) -> int: ...

    def heat_map(
        self,
        template_key: str,
        point_lps: np.ndarray,
        target_key: str,
        on_done: Callable[[HeatMapReply], None] | None = None,
        on_failed: OnFailed | None = None,
        on_progress: OnProgress | None = None,
    ) -> int: ...

    def describe(
        self, on_done: Callable[[dict], None] | None = None, on_failed: OnFailed | None = None
    ) -> int: ...

    def forget(self, key: str) -> None: ...

    def configure(self, settings: WorkerSettings) -> None: ...

    def poll(self) -> None: ...

    def wait(self, timeout: float | None = None) -> bool: ...

    def cancel(self) -> None: ...

    def close(self) -> None: ...

    @property
    def busy(self) -> bool: ...

    @property
    def process_id(self) -> int | None: ...
