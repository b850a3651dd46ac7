"""What registration needs of a scan, as plain arrays: its body, points in it, and principal components of its embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core.geometry import CanonicalGrid, FieldOfView
from ..core.modality import CT, Modality
from .fields import sample

MASK_SPACING_MM = 4.0
COMPONENT_SAMPLES = 20000


@dataclass(frozen=True, eq=False)
class ScanFeatures:
    """A scan: intensities `[D,H,W]` on `grid`, and unit vectors `[D,H,W,C]` on the grid of each level.

    `field_of_view` is the region that the scan covers; `modality` tells what its intensities mean.
    """

    values: Tensor
    grid: CanonicalGrid
    levels: Sequence[tuple[Tensor, CanonicalGrid]]
    field_of_view: FieldOfView
    modality: Modality = CT

    @cached_property
    def depth_mm(self) -> np.ndarray:
        """How deep in the body each cell of `mask_grid` lies, mm `[D,H,W]`; 0 outside, lungs and bowel count as body."""
        from scipy import ndimage

        air = self.modality.body.air
        if air is None:
            return np.full(self.mask_grid.shape_kji, np.inf)
        means = functional.avg_pool3d(self.values[None, None].float(), self._stride, ceil_mode=True)[0, 0]
        opened = ndimage.binary_opening((means > air).numpy())
        filled = np.stack([ndimage.binary_fill_holes(plane) for plane in opened])
        labels, count = ndimage.label(filled)
        if count > 1:
            filled = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
        if filled.all():
            return np.full(filled.shape, np.inf)
        return ndimage.distance_transform_edt(filled, sampling=self.mask_grid.spacing_mm)

    @property
    def mask_grid(self) -> CanonicalGrid:
        """The coarser grid on which the body is told from its surroundings."""
        size = tuple(-(-length // self._stride) for length in self.grid.size_ijk)
        spacing_mm = self.grid.spacing_mm * self._stride
        return CanonicalGrid(self.grid.origin_lps + (spacing_mm - self.grid.spacing_mm) / 2, spacing_mm, size)

    @property
    def _stride(self) -> int:
        return max(1, round(MASK_SPACING_MM / self.grid.spacing_mm))

    def depth_at(self, points_lps: np.ndarray) -> np.ndarray:
        """How deep in the body points `(n, 3)` LPS mm lie, mm `(n,)`."""
        index = np.rint(self.mask_grid.index_from_lps(points_lps)).astype(int)
        inside = ((index >= 0) & (index < self.mask_grid.size_ijk)).all(axis=1)
        i, j, k = np.clip(index, 0, np.array(self.mask_grid.size_ijk) - 1).T
        return np.where(inside, self.depth_mm[k, j, i], 0.0)

    def points_in_body(self, count: int) -> np.ndarray:
        """About `count` points `(n, 3)` LPS mm, evenly spread over the body on a lattice."""
        body = self.depth_mm > 0
        cell = max(1.0, (body.sum() / count) ** (1 / 3))
        chosen = [np.unique((np.arange(0, size / cell) * cell).astype(int)) for size in body.shape]
        kji = np.argwhere(body[np.ix_(*chosen)])
        kji = np.column_stack([line[column] for line, column in zip(chosen, kji.T, strict=True)])
        return self.mask_grid.lps_from_index(kji[:, ::-1])


@dataclass(frozen=True, eq=False)
class Components:
    """The directions in which the joined vectors of all levels differ most: one matrix `[C,k]` for each level."""

    matrices: Sequence[Tensor]

    @classmethod
    def of(cls, scan: ScanFeatures, count: int) -> Components:
        """The `count` principal components of a scan's vectors at points of its body."""
        points = scan.points_in_body(COMPONENT_SAMPLES)
        joined = torch.cat([_at(vectors, grid, points) for vectors, grid in scan.levels], dim=1)
        _, directions = torch.linalg.eigh(torch.cov(joined.T))
        sizes = [vectors.shape[3] for vectors, _ in scan.levels]
        return cls(directions[:, -count:].split(sizes))

    def at(self, scan: ScanFeatures, points_lps: Tensor, wanted: Tensor) -> Tensor:
        """The components `[k,D,H,W]` of a scan's vectors at points `[3,D,H,W]` (x,y,z) LPS mm, its border repeated.

        They are 0 where `wanted` `[D,H,W]` is: reading vectors takes most of the time.
        """
        rows = wanted.flatten().nonzero()[:, 0]
        chosen = points_lps.flatten(1)[:, rows]
        total = torch.zeros(self.matrices[0].shape[1], wanted.numel())
        for (vectors, grid), matrix in zip(scan.levels, self.matrices, strict=True):
            projected = (vectors.to(matrix.dtype) @ matrix).permute(3, 0, 1, 2).contiguous()
            total[:, rows] += sample(projected, index_of(chosen, grid))
        return total.view(-1, *wanted.shape)


def index_of(points_lps: Tensor, grid: CanonicalGrid) -> Tensor:
    """Fractional index `[3,...]` (z,y,x) of points `[3,...]` (x,y,z) LPS mm."""
    origin = torch.as_tensor(grid.origin_lps, dtype=points_lps.dtype).view(3, *[1] * (points_lps.ndim - 1))
    return ((points_lps - origin) / grid.spacing_mm).flip(0)


def cells_lps(grid: CanonicalGrid) -> Tensor:
    """Points `[3,D,H,W]` (x,y,z) LPS mm of all cells of a grid, float64."""
    lines = [
        grid.origin_lps[axis] + grid.spacing_mm * torch.arange(grid.size_ijk[axis], dtype=torch.float64)
        for axis in (2, 1, 0)
    ]
    return torch.stack(torch.meshgrid(*lines, indexing="ij")).flip(0)


def _at(vectors: Tensor, grid: CanonicalGrid, points_lps: np.ndarray) -> Tensor:
    """Vectors `(n, C)` of the cells nearest to points `(n, 3)`."""
    index = np.rint(grid.index_from_lps(points_lps)).astype(int)
    i, j, k = np.clip(index, 0, np.array(grid.size_ijk) - 1).T
    return vectors[k, j, i].float()
