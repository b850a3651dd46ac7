"""The embedding of one image: unit vectors on a pyramid of grids, and the image's place in the patient."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core.geometry import CanonicalGrid, FieldOfView
from ..core.modality import CT, Modality
from ..core.organ_ends import organ_ends
from .mind import mind


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
    """Intensities of a modality `[D,H,W]` on a canonical grid, int16 where its range is wide enough, else float32.

    `marked_ends_lps`: ends of organs that a reader has marked, by name, as in the patients of an atlas.
    """

    values: Tensor
    grid: CanonicalGrid
    modality: Modality = CT
    marked_ends_lps: Mapping[str, np.ndarray] = field(default_factory=dict)

    def around(self, centers_lps: np.ndarray, offsets_mm: Tensor) -> Tensor:
        """Intensities `[n,m]` float32 at offsets `[n,m,3]` from points `(n,3)` (LPS mm), interpolated as by `cubes`."""
        device = offsets_mm.device
        center = torch.as_tensor(self.grid.index_from_lps(centers_lps), dtype=torch.float32, device=device)
        index = center[:, None] + offsets_mm / self.grid.spacing_mm
        return _trilinear(self.values[..., None], index.flatten(0, 1))[:, 0].view(index.shape[:2])

    @cached_property
    def self_similarity(self) -> Tensor:
        """How similar the neighbours of each voxel are to each other, whatever the contrast, `[12,D,H,W]` float16 (MIND)."""
        return mind(self.values.float()).half()

    @cached_property
    def organ_ends_lps(self) -> Mapping[str, np.ndarray]:
        """Ends of organs, by name, LPS mm `(3,)`: those marked, else what thresholds find where a modality shows air as such."""
        if self.marked_ends_lps or self.modality.body.air is None or self.values.numel() == 0:
            return self.marked_ends_lps
        ends = organ_ends(self.values.cpu().numpy(), self.grid.spacing_mm)
        return {name: self.grid.lps_from_index(index) for name, index in ends.items()}

    def cubes(self, centers_lps: np.ndarray, half: int, step_mm: float) -> Tensor:
        """Intensities `[n,s,s,s]` float32 around points `(n,3)` (LPS mm), `half` steps to each side, trilinear.

        On a grid of one slice they are `[n,1,s,s]`. Beyond the border the intensities of the border are repeated.
        """
        return self._cubes(self.values, centers_lps, half, step_mm)

    def self_similar_cubes(self, centers_lps: np.ndarray, half: int, step_mm: float) -> Tensor:
        """The same of the self-similarity, `[n,12,s,s,s]`."""
        channels = [self._cubes(channel, centers_lps, half, step_mm) for channel in self.self_similarity]
        return torch.stack(channels, dim=1)

    def _cubes(self, values: Tensor, centers_lps: np.ndarray, half: int, step_mm: float) -> Tensor:
        device = values.device
        center = torch.as_tensor(self.grid.index_from_lps(centers_lps), dtype=torch.float32, device=device)
        steps = torch.arange(-half, half + 1, device=device) * (step_mm / self.grid.spacing_mm)
        # the voxels that all steps lie between, so that each is read once, and the weights of these at each step; of all
        # three axes together, since these are many small operations
        length = int(np.floor(2 * half * step_mm / self.grid.spacing_mm)) + 3
        places = torch.arange(length, device=device)
        low = (center + steps[0]).floor()
        position = (center - low)[:, :, None] + steps
        along_x, along_y, along_z = (1 - (position[..., None] - places).abs()).clamp_(min=0).unbind(1)
        x, y, z = (low[:, :, None].long() + places).unbind(1)
        if self.grid.spatial_axes == 2:
            z, along_z = torch.zeros_like(z[:, :1]), torch.ones_like(along_z[:, :1, :1])
        z, y, x = (index.clamp(0, size - 1) for index, size in zip((z, y, x), values.shape, strict=True))
        cubes = values[z[:, :, None, None], y[:, None, :, None], x[:, None, None, :]].float()
        depth, height = cubes.shape[1:3]
        cubes = cubes.flatten(1, 2) @ along_x.mT
        cubes = along_y[:, None] @ cubes.view(len(cubes), depth, height, -1)
        planes = along_z @ cubes.flatten(2)
        return planes.view(len(cubes), -1, *cubes.shape[2:])


def searched_level_of(levels: Sized) -> int:
    """Number of the level, finest first, at whose cells whole images are searched: the one above the finest, if any."""
    return min(1, len(levels) - 1)


@dataclass(frozen=True, eq=False)
class Embedding:
    """What matching needs of an image.

    `levels`, finest first, whose grids nest; the finest vectors are float16, the others in the format that the device
    multiplies fastest; the image is what was embedded. `support_points_lps` `(m,3)` are random points of the body, from
    which a pair's correspondences are made; `seconds` tells what the steps took.
    """

    name: str
    levels: tuple[Level, ...]
    image: Image
    support_points_lps: np.ndarray
    field_of_view: FieldOfView
    source: str | None = None
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def modality(self) -> Modality:
        """The kind of image."""
        return self.image.modality

    @property
    def has_image(self) -> bool:
        """Whether the image's voxels are there; a patient of an atlas comes without."""
        return self.image.values.numel() > 0

    @property
    def finest(self) -> Level:
        """The level with the smallest cells."""
        return self.levels[0]

    @property
    def searched_level(self) -> int:
        """Number of the level at whose cells whole images are searched: the one above the finest, if there is one."""
        return searched_level_of(self.levels)

    @property
    def searched(self) -> Level:
        """The level at whose cells whole images are searched."""
        return self.levels[self.searched_level]

    @property
    def device(self) -> torch.device:
        """Where the vectors lie."""
        return self.finest.vectors.device

    def on(self, device: torch.device, dtype: torch.dtype) -> Embedding:
        """The same with everything on a device and the coarser vectors in a format; itself where nothing changes."""
        wanted = [self.finest.vectors.dtype, *[dtype] * (len(self.levels) - 1)]
        current = [(level.vectors.device, level.vectors.dtype) for level in self.levels]
        if current == [(device, kind) for kind in wanted]:
            return self
        levels = tuple(
            Level(level.vectors.to(device, kind), level.grid)
            for level, kind in zip(self.levels, wanted, strict=True)
        )
        return replace(self, levels=levels, image=replace(self.image, values=self.image.values.to(device)))

    @cached_property
    def fine_pooled(self) -> Level:
        """Means of the finest vectors in each cell of the next coarser level, for a first look."""
        if len(self.levels) == 1:
            return self.finest
        finest, coarser = self.finest, self.levels[1]
        factor = round(coarser.grid.spacing_mm / finest.grid.spacing_mm)
        means = means_of_cells(finest.vectors, factor, coarser.grid.spatial_axes)
        return Level(means.to(coarser.vectors.dtype), coarser.grid)


def means_of_cells(vectors: Tensor, factor: int, spatial_axes: int) -> Tensor:
    """Means of vectors `[D,H,W,C]` over so many cells along each searched axis."""
    while factor > 1:
        step = 2 if factor % 2 == 0 else factor
        for axis in (2, 1, 0)[:spatial_axes]:
            vectors = _mean_of_runs(vectors, axis, step)
        factor //= step
    return vectors


def _mean_of_runs(vectors: Tensor, axis: int, length: int) -> Tensor:
    """Means of so many cells along an axis, the last one repeated where a run reaches beyond it."""
    if missing := -vectors.shape[axis] % length:
        last = vectors.narrow(axis, vectors.shape[axis] - 1, 1)
        vectors = torch.cat([vectors, *[last] * missing], dim=axis)
    shape = (*vectors.shape[:axis], -1, length, *vectors.shape[axis + 1 :])
    first, second, *others = vectors.view(shape).unbind(axis + 1)
    total: Tensor = first + second
    for other in others:
        total.add_(other)
    return total.div_(length)


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
