"""Scans on their way into the engine: prepared without the network, then embedded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..embedding.embedding import Embedding
from ..embedding.prepared import PreparedVolume
from ..models.bundle import EmbeddingModel


@dataclass(frozen=True)
class PreparedScan:
    """A scan before the network has seen it: the digest of its voxels, and its body resampled or already embedded."""

    digest: str
    body: PreparedVolume | Embedding
    seconds: float

    @property
    def is_cached(self) -> bool:
        """Whether the embedding was found in the cache."""
        return isinstance(self.body, Embedding)


@dataclass
class EmbeddedScan:
    """An embedding, its key in the cache, and how it came about."""

    embedding: Embedding
    cache_key: str
    seconds: float
    from_cache: bool

    @property
    def voxels_2mm(self) -> int:
        """How many voxels of 2 mm the network saw; a fine cell has eight."""
        return 8 * int(np.prod(self.embedding.finest.grid.size_ijk))

    def on_device_of(self, model: EmbeddingModel) -> Embedding:
        """The embedding where the model computes, to which it moves if it lies elsewhere."""
        self.embedding = self.embedding.on(model.device, model.dtype)
        return self.embedding
