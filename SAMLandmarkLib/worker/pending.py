"""A request that waits for its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..utils.failures import describe_exception
from ..utils.translation import unpack
from .messages import WorkerFailure

OnFailed = Callable[[WorkerFailure], None]
OnProgress = Callable[[str, str, float], None]
"""Called with the key of the scan that is worked on, the step, and the fraction of the step's work that is done."""


@dataclass(frozen=True)
class Pending:
    """Which scans a request is about, how its result is read from JSON, and whom to tell."""

    scan_keys: tuple[str, ...]
    read: Callable[[Any], Any]
    on_done: Callable[[Any], None] | None
    on_failed: OnFailed | None
    on_progress: OnProgress | None

    def tell_progress(self, answer: dict[str, Any]) -> None:
        """Pass an answer of the kind "progress" on."""
        if self.on_progress is not None:
            self.on_progress(answer["scan"], answer["step"], answer["fraction"])

    def tell_end(self, answer: dict[str, Any], log: str) -> None:
        """Pass an answer of the kind "done" or "failed" on; `log` is what the worker wrote last."""
        if answer["event"] == "failed":
            self._fail(WorkerFailure(answer["kind"], unpack(answer["message"]), log))
            return
        try:
            result = self.read(answer["result"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._fail(WorkerFailure(*describe_exception(error), log))
            return
        if self.on_done is not None:
            self.on_done(result)

    def _fail(self, failure: WorkerFailure) -> None:
        if self.on_failed is not None:
            self.on_failed(failure)
