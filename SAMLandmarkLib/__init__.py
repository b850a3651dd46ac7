"""SAMLandmark: landmarks carried from one CT to others by self-supervised anatomical embeddings."""

from __future__ import annotations

from importlib import import_module

__version__ = "0.2.0"

# Loaded on first use (PEP 562), so that importing the package costs Slicer's start-up nothing.
_EXPORTS = {
    "Landmark": "landmarks",
    "LandmarkSet": "landmarks",
    "Status": "transfer",
    "TransferEngine": "transfer",
    "TransferResult": "transfer",
    "Volume": "volume",
}

__all__ = ["__version__", *sorted(_EXPORTS)]


def __getattr__(name: str) -> object:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_EXPORTS[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_EXPORTS])
