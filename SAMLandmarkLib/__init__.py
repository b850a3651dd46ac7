"""SAMLandmark: landmarks carried from one CT to others by self-supervised anatomical embeddings."""

from __future__ import annotations

from .lazy import lazy_exports

__version__ = "0.3.0"

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

__getattr__ = lazy_exports(__name__, _EXPORTS)


def __dir__() -> list[str]:
    return sorted([*globals(), *_EXPORTS])
