"""SAMLandmark: landmarks carried from one CT to others by self-supervised anatomical embeddings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .utils.lazy import lazy_exports

if TYPE_CHECKING:
    from .core.landmarks import Landmark, LandmarkSet
    from .core.results import Status, TransferredLandmark, TransferResult
    from .core.volume import Volume
    from .engine.transfer import TransferEngine
    from .models.encoder import EmbeddingEncoder

__version__ = "0.3.0"

# NumPy's products are small here, and with several threads they add in another order, which can choose another place
# among equal ones. It counts where NumPy is not loaded yet; whoever sets another number keeps it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Loaded on first use (PEP 562), so that importing the package costs Slicer's start-up nothing.
_EXPORTS = {
    "EmbeddingEncoder": "models.encoder",
    "Landmark": "core.landmarks",
    "LandmarkSet": "core.landmarks",
    "Status": "core.results",
    "TransferEngine": "engine.transfer",
    "TransferResult": "core.results",
    "TransferredLandmark": "core.results",
    "Volume": "core.volume",
}

# Written out, since type checkers read it.
__all__ = [
    "EmbeddingEncoder",
    "Landmark",
    "LandmarkSet",
    "Status",
    "TransferEngine",
    "TransferResult",
    "TransferredLandmark",
    "Volume",
    "__version__",
]

__getattr__ = lazy_exports(__name__, _EXPORTS)


def __dir__() -> list[str]:
    return sorted([*globals(), *_EXPORTS])
