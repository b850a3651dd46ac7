"""The embedding of one volume: unit vectors on two grids, and the volume's place in the patient."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..geometry import CanonicalGrid, FieldOfView


@dataclass(frozen=True)
class Level:
    """Unit vectors `[D,H,W,C]` on a canonical grid."""

    vectors: Tensor
    grid: CanonicalGrid

    def at(self, points_lps: np.ndarray) -> Tensor:
        """Unit vectors `(n,C)` float32, interpolated trilinearly at points `(n,3)` in LPS mm."""
        index = torch.as_tensor(
            self.grid.index_from_lps(points_lps), dtype=torch.float32, device=self.vectors.device
        )
        return functional.normalize(_trilinear(self.vectors, index), dim=1)


@dataclass(frozen=True)
class Image:
    """HU int16 `[D,H,W]` on a canonical grid."""

    hu: Tensor
    grid: CanonicalGrid

    def around(self, centers_lps: np.ndarray, offsets_mm: Tensor) -> Tensor:
        """HU `[n,m]` float32 at offsets `[n,m,3]` from points `(n,3)` (LPS mm), as `cubes` interpolated and at the border."""
        device = offsets_mm.device
        center = torch.as_tensor(self.grid.index_from_lps(centers_lps), dtype=torch.float32, device=device)
        index = center[:, None] + offsets_mm / self.grid.spacing_mm
        return _trilinear(self.hu[..., None], index.flatten(0, 1))[:, 0].unflatten(0, index.shape[:2])

    def cubes(self, centers_lps: np.ndarray, half: int, step_mm: float) -> Tensor:
        """HU `[n,s,s,s]` float32 around points `(n,3)` (LPS mm), `half` steps to each side, interpolated trilinearly.

        Beyond the border the HU of the border are repeated.
        """
        device = self.hu.device
        center = torch.as_tensor(self.grid.index_from_lps(centers_lps), dtype=torch.float32, device=device)
        steps = torch.arange(-half, half + 1, device=device) * (step_mm / self.grid.spacing_mm)
        # the voxels that all steps lie between, so that each is read once
        length = int(np.floor(2 * half * step_mm / self.grid.spacing_mm)) + 3
        low = (center + steps[0]).floor()
        z, y, x = (
            (low[:, axis, None].long() + torch.arange(length, device=device)).clamp(0, size - 1)
            for axis, size in zip((2, 1, 0), self.hu.shape, strict=True)
        )
        cubes = self.hu[z[:, :, None, None], y[:, None, :, None], x[:, None, None, :]].float()
        position = (center - low)[:, :, None] + steps
        hats = (1 - (position[..., None] - torch.arange(length, device=device)).abs()).clamp_(min=0)
        along_x, along_y, along_z = hats.unbind(1)
        cubes = cubes.flatten(1, 2) @ along_x.mT
        cubes = along_y[:, None] @ cubes.unflatten(1, (length, length))
        return (along_z @ cubes.flatten(2)).unflatten(2, cubes.shape[2:])


@dataclass(frozen=True, eq=False)
class Embedding:
    """What matching needs of a volume.

    The fine vectors are float16, the coarse ones in the format that the device multiplies fastest; the image is what
    was embedded.
    `anchors_lps` `(m,3)` are random points in tissue, from which a pair's correspondences are made; `seconds` tells
    what the steps took.
    """

    name: str
    fine: Level
    coarse: Level
    image: Image
    anchors_lps: np.ndarray
    field_of_view: FieldOfView
    source: str | None = None
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    @cached_property
    def thinned(self) -> Level:
        """The means of the eight fine vectors in each coarse cell, for a first look."""
        vectors = self.fine.vectors
        for axis in (2, 1, 0):
            vectors = _mean_of_pairs(vectors, axis)
        return Level(vectors.to(self.coarse.vectors.dtype), self.coarse.grid)


def _mean_of_pairs(vectors: Tensor, axis: int) -> Tensor:
    """Half as many cells along an axis; a last one without a neighbour stays as it is."""
    if vectors.shape[axis] % 2:
        vectors = torch.cat([vectors, vectors.narrow(axis, vectors.shape[axis] - 1, 1)], dim=axis)
    first, second = vectors.unflatten(axis, (-1, 2)).unbind(axis + 1)
    return (first + second).div_(2)


def _trilinear(vectors: Tensor, index: Tensor) -> Tensor:
    """Interpolate `[D,H,W,C]` at fractional indices `(n,3)` (x,y,z), clamped to the grid."""
    size = index.new_tensor(vectors.shape[2::-1])
    index = torch.minimum(index.clamp(min=0), size - 1)
    low = torch.minimum(index.floor(), (size - 2).clamp(min=0))
    fraction = index - low
    corners = torch.cartesian_prod(*[torch.arange(2, device=index.device)] * 3)
    weights = torch.where(corners > 0, fraction[:, None], 1 - fraction[:, None]).prod(dim=2)
    x, y, z = torch.minimum(low[:, None] + corners, size - 1).long().unbind(2)
    return torch.einsum("nk,nkc->nc", weights, vectors[z, y, x].float())
