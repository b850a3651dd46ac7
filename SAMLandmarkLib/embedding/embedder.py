"""From image to embedding, in one pass or, where memory is short, in slabs with exact seams."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core.volume import CanonicalVolume, Volume
from ..core.volume_checks import sizes_text
from ..models.bundle import EmbeddingModel
from ..utils.errors import UsageError
from ..utils.progress import Progress
from .embedding import Embedding, Image, Level
from .prepared import PreparedVolume, body_points_lps

BYTES_PER_VOXEL = {torch.bfloat16: 45, torch.float32: 85}
"""Peak memory of the bundled model's finest branch per voxel of its input, measured (docs/performance.md)."""
SLAB_ALIGNMENT = 4


class Embedder:
    """Embeds images with a model; `max_memory` bounds the bytes the network's activations may take."""

    def __init__(self, model: EmbeddingModel, max_memory: int | None = None) -> None:
        self.model, self.max_memory = model, max_memory
        self._bytes_per_voxel = BYTES_PER_VOXEL[model.dtype]
        self._slab_axis = 2 if model.modality.spatial_axes == 3 else 3

    def prepare(self, volume: Volume) -> PreparedVolume:
        """All of the work on an image that needs no network; `embed` does it where it has not been done before.

        Raises UsageError where the image is of another modality than the model.
        """
        if volume.modality.name != self.model.modality.name:
            raise UsageError(
                f"{volume.source or volume.name} ({sizes_text(volume.size_ijk)} voxels) is of the modality "
                f"{volume.modality.title}, but the model embeds {self.model.modality.title}; choose the model of its "
                "modality (--model)."
            )
        return PreparedVolume.of(volume, self.model.metadata.spacing_mm)

    def embed(self, volume: Volume | PreparedVolume, progress: Progress | None = None) -> Embedding:
        """Embed an image; `progress(step, fraction)` is called as it goes on.

        Raises UsageError where `max_memory` does not even allow the thinnest slab, and as `prepare` does.
        """
        progress = progress or _silent
        progress("resampling", 0.0)
        prepared = volume if isinstance(volume, PreparedVolume) else self.prepare(volume)
        canonical = prepared.canonical
        started = time.perf_counter()
        levels = self._levels(canonical, progress)
        seconds = {"resample": prepared.seconds, "embed": time.perf_counter() - started}
        return Embedding(
            name=prepared.name,
            levels=levels,
            image=self._image(canonical),
            support_points_lps=body_points_lps(canonical, self.model.modality),
            field_of_view=prepared.field_of_view,
            source=prepared.source,
            warnings=prepared.warnings,
            seconds=seconds,
        )

    def _levels(self, canonical: CanonicalVolume, progress: Progress) -> tuple[Level, ...]:
        infos = self.model.metadata.levels
        values = padded(torch.from_numpy(canonical.array), self.model)
        levels = []
        for number in reversed(range(len(infos))):
            progress("coarse embedding" if number else "fine embedding", 0.3 if number else 0.4)
            grid = canonical.grid.coarser(infos[number].cell_spacing_mm)
            vectors = self.model.embed_level(number, values) if number else self._finest(values, progress)
            # the search reads all coarse vectors for each point, so their size is its speed
            dtype = self.model.dtype if number else torch.float16
            levels.append(Level(_cropped(vectors, grid.shape_kji, dtype), grid))
        return tuple(levels[::-1])

    def _image(self, canonical: CanonicalVolume) -> Image:
        modality, array = self.model.modality, canonical.array
        kept = np.rint(array).astype(np.int16) if modality.stores_integers else array
        return Image(torch.from_numpy(kept).to(self.model.device), canonical.grid, modality)

    def _finest(self, values: Tensor, progress: Progress) -> Tensor:
        if self.max_memory is None or values.numel() * self._bytes_per_voxel <= self.max_memory:
            return self.model.embed_level(0, values)
        axis, stride = self._slab_axis, self.model.metadata.levels[0].stride
        slabs = list(self._slabs(values, self.max_memory))
        reduced = torch.cat(
            [slab.inner(self.model.reduce(slab.of(values)), 2 * stride, axis) for slab in slabs], dim=axis
        )
        progress("fine embedding", 0.6)
        deep = self.model.deepen(reduced)
        parts = []
        for slab in slabs:
            progress("fine embedding", 0.7 + 0.3 * slab.start / values.shape[axis])
            part = self.model.finish(slab.of(values), slab.of(deep, 2 * stride))
            parts.append(slab.inner(part, stride, axis - 2))
        return torch.cat(parts, dim=axis - 2)

    def _slabs(self, values: Tensor, max_memory: int) -> Iterator[Slab]:
        depth = values.shape[self._slab_axis]
        area, halo = values.numel() // depth, self.model.metadata.levels[0].halo
        height = max_memory // (self._bytes_per_voxel * area) - 2 * halo
        height -= height % SLAB_ALIGNMENT
        if height < SLAB_ALIGNMENT:
            least = (2 * halo + SLAB_ALIGNMENT) * area * self._bytes_per_voxel
            raise UsageError(
                f"A memory limit of {max_memory / 2**20:.0f} MiB is too small to embed this volume; "
                f"allow at least {least / 2**20:.0f} MiB (--max-memory)."
            )
        for start in range(0, depth, height):
            stop = min(depth, start + height)
            yield Slab(start, stop, max(0, start - halo), min(depth, stop + halo), self._slab_axis)


def padded(array: Tensor, model: EmbeddingModel) -> Tensor:
    """An image `[D,H,W]` as the network takes it, `[1,1,D,H,W]`, padded at the upper ends until its sides are divisible."""
    divisor, modality = model.metadata.size_divisor, model.modality
    sides = array.shape[::-1][: modality.spatial_axes]
    padding = [pad for size in sides for pad in (0, -size % divisor)]
    return functional.pad(array[None, None], padding, value=modality.padding_value)


class Slab:
    """Voxels `start` to `stop` along an axis, computed from `low` to `high` to have exact seams."""

    def __init__(self, start: int, stop: int, low: int, high: int, axis: int) -> None:
        self.start, self.stop, self.low, self.high, self.axis = start, stop, low, high, axis

    def of(self, values: Tensor, stride: int = 1) -> Tensor:
        """The slab with its margins, of `[1,C,D,H,W]` on a grid `stride` times coarser than the voxels."""
        return values.narrow(self.axis, self.low // stride, self.high // stride - self.low // stride)

    def inner(self, values: Tensor, stride: int, axis: int) -> Tensor:
        """The slab without margins, of what was computed with them."""
        return values.narrow(axis, (self.start - self.low) // stride, (self.stop - self.start) // stride)


def _cropped(vectors: Tensor, shape_kji: tuple[int, int, int], dtype: torch.dtype) -> Tensor:
    """The cells of a grid, without those of the padding, in one copy."""
    depth, height, width = shape_kji
    part = vectors[:depth, :height, :width]
    return torch.empty(part.shape, dtype=dtype, device=part.device).copy_(part)


def _silent(step: str, fraction: float) -> None:
    """Progress that nobody listens to."""
