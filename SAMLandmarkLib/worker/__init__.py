"""The engine in a child process: a crash, a full memory or a cancelled run never touches the program that asked."""

from __future__ import annotations

from importlib import import_module

# Loaded on first use: the child reports a missing numpy in one sentence, which it can't when it dies of it here.
_EXPORTS = {
    "Diagnosis": "diagnosis",
    "EmbedReply": "messages",
    "HeatMapReply": "messages",
    "ScanData": "messages",
    "TransferAnswer": "messages",
    "TransferReply": "messages",
    "TransferRequest": "messages",
    "WorkerClient": "client",
    "WorkerFailure": "messages",
    "WorkerSettings": "messages",
    "diagnose": "diagnosis",
    "start_diagnosis": "diagnosis",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> object:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_EXPORTS[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_EXPORTS])
