"""Scans on their way into the engine: prepared without the network, then embedded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..embedding.embedding import Embedding
from ..embedding.prepared import PreparedVolume
from ..models.bundle import EmbeddingModel
from ..utils.errors import UsageError
from ..utils.translation import _


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


def require_one_modality(template: Embedding, target: Embedding) -> None:
    """UsageError where two scans are of different modalities, between which landmarks are not carried."""
    if template.modality.name != target.modality.name:
        differ = _(
            "{target} is of the modality {other}, but the template {template} is of {modality}; landmarks are carried "
            "between scans of one modality. Where a file was taken for another modality than it is, name it (--modality)."
        )
        names = {"other": target.modality.title, "modality": template.modality.title}
        raise UsageError(differ.format(target=target.name, template=template.name, **names))
