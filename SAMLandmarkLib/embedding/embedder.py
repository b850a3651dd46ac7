"""From volume to embedding, in one pass or, where memory is short, in slabs with exact seams."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..errors import UsageError
from ..geometry import CanonicalGrid
from ..model.bundle import EmbeddingModel
from ..model.network import AIR_HU
from ..progress import Progress
from ..volume import CanonicalVolume, Volume
from .embedding import Embedding, Image, Level
from .prepared import TISSUE_THRESHOLD_HU, PreparedVolume

BYTES_PER_VOXEL = {torch.bfloat16: 45, torch.float32: 85}
"""Peak memory of the fine branch per 2 mm voxel of its input, measured (docs/performance.md)."""
SLAB_ALIGNMENT = 4
ANCHORS = 1000


class Embedder:
    """Embeds volumes with a model; `max_memory` bounds the bytes the network's activations may take."""

    def __init__(self, model: EmbeddingModel, max_memory: int | None = None) -> None:
        self.model, self.max_memory = model, max_memory
        self._bytes_per_voxel = BYTES_PER_VOXEL[model.dtype]

    def prepare(self, volume: Volume) -> PreparedVolume:
        """All of the work on a volume that needs no network; `embed` does it where it has not been done before."""
        return PreparedVolume.of(volume, self.model.metadata.spacing_mm)

    def embed(self, volume: Volume | PreparedVolume, progress: Progress | None = None) -> Embedding:
        """Embed a volume; `progress(step, fraction)` is called as it goes on.

        Raises UsageError where `max_memory` does not even allow the thinnest slab.
        """
        progress = progress or _silent
        metadata = self.model.metadata
        progress("resampling", 0.0)
        prepared = volume if isinstance(volume, PreparedVolume) else self.prepare(volume)
        canonical = prepared.canonical
        started = time.perf_counter()
        hu = _padded(torch.from_numpy(canonical.array), metadata.size_divisor)
        progress("coarse embedding", 0.3)
        coarse_grid = _coarser_grid(canonical.grid, metadata.coarse_spacing_mm)
        # the search reads all coarse vectors for each point, so their size is its speed
        coarse = _cropped(self.model.coarse(hu), coarse_grid, self.model.dtype)
        progress("fine embedding", 0.4)
        fine_grid = _coarser_grid(canonical.grid, metadata.fine_spacing_mm)
        fine = _cropped(self._fine(hu, progress), fine_grid, torch.float16)
        seconds = {"resample": prepared.seconds, "embed": time.perf_counter() - started}
        return Embedding(
            name=prepared.name,
            fine=Level(fine, fine_grid),
            coarse=Level(coarse, coarse_grid),
            image=self._image(canonical),
            anchors_lps=_anchors_lps(canonical),
            field_of_view=prepared.field_of_view,
            source=prepared.source,
            warnings=prepared.warnings,
            seconds=seconds,
        )

    def _image(self, canonical: CanonicalVolume) -> Image:
        hu = torch.from_numpy(np.rint(canonical.array).astype(np.int16))
        return Image(hu.to(self.model.device), canonical.grid)

    def _fine(self, hu: Tensor, progress: Progress) -> Tensor:
        if self.max_memory is None or hu.numel() * self._bytes_per_voxel <= self.max_memory:
            return self.model.fine(hu)
        slabs = list(self._slabs(hu))
        reduced = torch.cat(
            [slab.inner(self.model.fine_reduce(slab.of(hu)), 4, axis=2) for slab in slabs], dim=2
        )
        progress("fine embedding", 0.6)
        deep = self.model.fine_deepen(reduced)
        parts = []
        for slab in slabs:
            progress("fine embedding", 0.7 + 0.3 * slab.start / hu.shape[2])
            part = self.model.fine_finish(slab.of(hu), slab.of(deep, 4))
            parts.append(slab.inner(part, 2, axis=0))
        return torch.cat(parts)

    def _slabs(self, hu: Tensor) -> Iterator[Slab]:
        depth, area = hu.shape[2], hu.shape[3] * hu.shape[4]
        halo = self.model.metadata.tile_halo
        height = self.max_memory // (self._bytes_per_voxel * area) - 2 * halo
        height -= height % SLAB_ALIGNMENT
        if height < SLAB_ALIGNMENT:
            least = (2 * halo + SLAB_ALIGNMENT) * area * self._bytes_per_voxel
            raise UsageError(
                f"A memory limit of {self.max_memory / 2**20:.0f} MiB is too small to embed this volume; "
                f"allow at least {least / 2**20:.0f} MiB (--max-memory)."
            )
        for start in range(0, depth, height):
            stop = min(depth, start + height)
            yield Slab(start, stop, max(0, start - halo), min(depth, stop + halo))


class Slab:
    """Voxels `start` to `stop` along z, computed from `low` to `high` to have exact seams."""

    def __init__(self, start: int, stop: int, low: int, high: int) -> None:
        self.start, self.stop, self.low, self.high = start, stop, low, high

    def of(self, values: Tensor, stride: int = 1) -> Tensor:
        """The slab with its margins, of `[1,C,D,H,W]` on a grid `stride` times coarser than the voxels."""
        return values[:, :, self.low // stride : self.high // stride]

    def inner(self, values: Tensor, stride: int, axis: int) -> Tensor:
        """The slab without margins, of what was computed with them."""
        return values.narrow(axis, (self.start - self.low) // stride, (self.stop - self.start) // stride)


def _padded(array: Tensor, divisor: int) -> Tensor:
    """`[1,1,D,H,W]` with air added at the upper ends until the sides are divisible."""
    padding = [pad for size in array.shape[::-1] for pad in (0, -size % divisor)]
    return functional.pad(array[None, None], padding, value=AIR_HU)


def _coarser_grid(grid: CanonicalGrid, spacing_mm: float) -> CanonicalGrid:
    """The grid of a network output whose first cell starts at the same corner as the first voxel."""
    factor = spacing_mm / grid.spacing_mm
    size = tuple(int(np.ceil(n / factor)) for n in grid.size_ijk)
    return CanonicalGrid(grid.origin_lps + (spacing_mm - grid.spacing_mm) / 2, spacing_mm, size)


def _cropped(vectors: Tensor, grid: CanonicalGrid, dtype: torch.dtype) -> Tensor:
    """The cells of a grid, without those of the padding, in one copy."""
    depth, height, width = grid.shape_kji
    part = vectors[:depth, :height, :width]
    return torch.empty(part.shape, dtype=dtype, device=part.device).copy_(part)


def _anchors_lps(canonical: CanonicalVolume) -> np.ndarray:
    """Random points `(m,3)` in tissue, the same for the same volume."""
    flat = np.flatnonzero(canonical.array > TISSUE_THRESHOLD_HU)
    chosen = np.random.default_rng(0).choice(flat, min(ANCHORS, len(flat)), replace=False)
    kji = np.column_stack(np.unravel_index(chosen, canonical.array.shape))
    return canonical.grid.lps_from_index(kji[:, ::-1])


def _silent(step: str, fraction: float) -> None:
    """Progress that nobody listens to."""
