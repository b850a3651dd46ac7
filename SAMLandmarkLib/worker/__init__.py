"""The engine in a child process: a crash, a full memory or a cancelled run never touches the program that asked."""

from __future__ import annotations

from ..utils.lazy import lazy_exports

# Loaded on first use: the child reports a missing numpy in one sentence, which it can't when it dies of it here.
_EXPORTS = {
    "Diagnosis": "diagnosis",
    "EmbedReply": "messages",
    "HeatMapReply": "messages",
    "ScanData": "messages",
    "TransferReply": "messages",
    "WorkerLocateRequest": "messages",
    "WorkerTransferRequest": "messages",
    "WorkerClient": "client",
    "WorkerFailure": "messages",
    "WorkerSettings": ".engine.settings",
    "diagnose": "diagnosis",
    "start_diagnosis": "diagnosis",
}

__all__ = sorted(_EXPORTS)  # noqa: PLE0605

__getattr__ = lazy_exports(__name__, _EXPORTS)


def __dir__() -> list[str]:
    return sorted([*globals(), *_EXPORTS])
