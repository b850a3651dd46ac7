"""An embedding thinned to what matching needs of a marked patient: all vectors around its points, means of the others.

Around a landmark the vectors of every level are kept, so that it is asked for, and led back to, as in the whole embedding.
Elsewhere the coarser levels are kept as means of a few cells, which is enough to tell that a match leads back to another
part of the body; the finest one is kept at the support points alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core.geometry import CanonicalGrid, FieldOfView
from ..core.modality import Modality
from .embedding import Embedding, Image, Level, means_of_cells
from .prepared import body_mask

AROUND_CELLS = (3, 2)
"""How many cells around a landmark are kept of the finest level, and of the others, whose cells are longer."""
MEANS_FINEST_CELLS = 4
"""Over how many of the finest cells along each axis the coarser levels are averaged elsewhere."""
SAMPLED_CELLS = 20_000
LEFT_OUT = 1e-4
"""Part of the vectors' squared length that their basis may leave out."""
BESIDE = 1e-6
"""Part of a cell by which rounding may move a point from a cell's centre."""
BITS, BITS_OF_MEANS = 8, 4


@dataclass(frozen=True, eq=False)
class Cells:
    """Vectors of some cells: `index` `(n,)` int32 into the flattened grid, ascending, and `codes` `(n,B)` uint8.

    Vectors are of unit length, so only their directions are kept: coordinates in a basis, in 8 bits each, or in 4, of which
    two share a byte.
    """

    index: Tensor
    codes: Tensor

    @classmethod
    def chosen(cls, vectors: Tensor, mask: np.ndarray, basis: Tensor, bits: int = BITS) -> Cells:
        """Those of `[D,H,W,C]` that a mask `[D,H,W]` names, by their coordinates in a basis `[R,C]`."""
        index = torch.from_numpy(np.flatnonzero(mask))
        values = vectors.flatten(0, 2)[index].float() @ basis.T
        greatest = values.abs().amax(dim=1, keepdim=True).clamp(min=1e-9)
        zero = 2 ** (bits - 1)
        codes = (torch.round(values / greatest * (zero - 1)) + zero).to(torch.uint8)
        return cls(index.int(), codes if bits == BITS else _paired(codes))

    def spread(
        self,
        shape_kji: tuple[int, int, int],
        basis: Tensor,
        bits: int = BITS,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Unit vectors `[D,H,W,C]` on the whole grid, zeros where no cell is kept."""
        codes = self.codes if bits == BITS else _unpaired(self.codes)[:, : len(basis)]
        kept = functional.normalize((codes.float() - 2 ** (bits - 1)) @ basis, dim=1)
        flat = torch.zeros(math.prod(shape_kji), basis.shape[1], dtype=dtype)
        flat[self.index.long()] = kept.to(dtype)
        return flat.view(*shape_kji, -1)


def bytes_of_vector(rank: int, bits: int) -> int:
    """How many bytes the coordinates of one vector take."""
    return -(-rank * bits // 8)


def _paired(codes: Tensor) -> Tensor:
    """Codes of 4 bits `(n,R)`, two in a byte."""
    even = functional.pad(codes, (0, codes.shape[1] % 2))
    return even[:, 0::2] | (even[:, 1::2] << 4)


def _unpaired(codes: Tensor) -> Tensor:
    return torch.stack([codes & 15, codes >> 4], dim=2).flatten(1)


@dataclass(frozen=True, eq=False)
class ThinnedEmbedding:
    """A patient of an atlas.

    `landmarks_lps` `(n,3)`, NaN where a landmark is not marked; `support_points_lps` `(m,3)`; `grid` is that of the image
    that was embedded, without its voxels; `around` holds the cells of every level at these points, `means` those of the
    coarser levels averaged over `means_factor` cells.
    """

    name: str
    landmarks_lps: np.ndarray
    support_points_lps: np.ndarray
    grid: CanonicalGrid
    field_of_view: FieldOfView
    around: tuple[Cells, ...]
    means: tuple[Cells, ...]

    @classmethod
    def of(
        cls,
        embedding: Embedding,
        landmarks_lps: np.ndarray,
        support_points_lps: np.ndarray,
        bases: Sequence[Tensor],
    ) -> ThinnedEmbedding:
        """What is kept of an embedding with landmarks `(n,3)`.

        Support points move to the centres of cells of the searched level, of which one cell is enough then.
        """
        marked = landmarks_lps[np.isfinite(landmarks_lps).all(axis=1)]
        finest, searched = embedding.finest.grid, embedding.searched.grid
        support = searched.lps_from_index(np.unique(_nearest_cells(searched, support_points_lps), axis=0))
        around, means = [], []
        for number, (level, basis) in enumerate(zip(embedding.levels, bases, strict=True)):
            mask = _around(level.grid, marked, AROUND_CELLS[min(number, 1)])
            mask |= _around(level.grid, support, 0)
            around.append(Cells.chosen(level.vectors.cpu(), mask, basis))
            if number:
                means.append(_means(level, finest, embedding.image, basis))
        grid, view = embedding.image.grid, embedding.field_of_view
        return cls(embedding.name, landmarks_lps, support, grid, view, tuple(around), tuple(means))

    def restored(
        self,
        cell_spacings_mm: Sequence[float],
        bases: Sequence[Tensor],
        modality: Modality,
        dtype: torch.dtype,
    ) -> Embedding:
        """An embedding like any other, but without voxels, for levels with these cells; coarser ones in a format."""
        grids = [self.grid.coarser(spacing_mm) for spacing_mm in cell_spacings_mm]
        finest = self.around[0].spread(grids[0].shape_kji, bases[0], dtype=torch.float16)
        levels = [Level(finest, grids[0])]
        for grid, basis, around, means in zip(grids[1:], bases[1:], self.around[1:], self.means, strict=True):
            averaged = means.spread(shape_of_means(grid, grids[0]), basis, BITS_OF_MEANS)
            vectors = _filled(around.spread(grid.shape_kji, basis), averaged, grid, grids[0])
            levels.append(Level(vectors.to(dtype), grid))
        nothing = Image(torch.empty((0, 0, 0), dtype=torch.int16), self.grid, modality)
        return Embedding(self.name, tuple(levels), nothing, self.support_points_lps, self.field_of_view)


def bases_of(embeddings: Sequence[Embedding]) -> tuple[Tensor, ...]:
    """For each level an orthonormal basis `[R,C]` float32 of nearly all that its vectors vary in.

    A network whose last layer has fewer inputs than outputs makes vectors of fewer numbers than they have.
    """
    levels = zip(*(embedding.levels for embedding in embeddings), strict=True)
    return tuple(map(_basis, levels))


def _basis(levels: Sequence[Level]) -> Tensor:
    dimension = levels[0].vectors.shape[-1]
    product = torch.zeros(dimension, dimension)
    for level in levels:
        flat = level.vectors.cpu().flatten(0, 2)
        sample = flat[:: max(1, len(flat) // SAMPLED_CELLS)].float()
        product += sample.T @ sample / len(sample)
    values, directions = torch.linalg.eigh(product)
    left_out = torch.cumsum(values.clamp(min=0), dim=0) / values.sum()
    return directions[:, left_out > LEFT_OUT].T.contiguous()


def means_factor(grid: CanonicalGrid, finest: CanonicalGrid) -> int:
    """Over how many cells of a level along each axis means are taken."""
    return max(1, int(MEANS_FINEST_CELLS * finest.spacing_mm / grid.spacing_mm + 1e-6))


def shape_of_means(grid: CanonicalGrid, finest: CanonicalGrid) -> tuple[int, int, int]:
    """Shape `[z,y,x]` of the means of a level."""
    factors = grid.per_axis(means_factor(grid, finest), 1)
    depth, height, width = (-(-size // step) for size, step in zip(grid.shape_kji, factors, strict=True))
    return depth, height, width


def _nearest_cells(grid: CanonicalGrid, points_lps: np.ndarray) -> np.ndarray:
    """Index `(n,3)` (i,j,k) of the cells in which points lie."""
    index = np.rint(grid.index_from_lps(points_lps)).astype(int)
    cells: np.ndarray = np.clip(index, 0, np.array(grid.size_ijk) - 1)
    return cells


def _around(grid: CanonicalGrid, points_lps: np.ndarray, reach: int) -> np.ndarray:
    """Which cells `[D,H,W]` lie within so many cells of any point, those between which it lies included."""
    mask = np.zeros(grid.shape_kji, dtype=bool)
    steps = np.stack(np.meshgrid(*[np.arange(-reach, reach + 2)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    last = np.array(grid.size_ijk) - 1
    for place in grid.index_from_lps(points_lps):
        cells = np.floor(place).astype(int) + steps
        near = np.linalg.norm(cells - place, axis=1) <= reach
        between = (np.abs(cells - place) < 1 - BESIDE).all(axis=1)
        i, j, k = np.clip(cells[near | between], 0, last).T
        mask[k, j, i] = True
    return mask


def _means(level: Level, finest: CanonicalGrid, image: Image, basis: Tensor) -> Cells:
    """Means of a coarser level, where there is anything of the body."""
    grid = level.grid
    factor = means_factor(grid, finest)
    vectors = means_of_cells(level.vectors.cpu().float(), factor, grid.spatial_axes)
    body = torch.from_numpy(body_mask(image.values.cpu().numpy(), image.modality))
    side = round(grid.spacing_mm / image.grid.spacing_mm) * factor
    window = grid.per_axis(side, 1)
    shown = functional.max_pool3d(body[None, None].float(), window, window, ceil_mode=True)[0, 0]
    return Cells.chosen(vectors, shown.numpy() > 0, basis, BITS_OF_MEANS)


def _filled(exact: Tensor, means: Tensor, grid: CanonicalGrid, finest: CanonicalGrid) -> Tensor:
    """Vectors of a level with those cells filled by interpolated means that are not kept themselves."""
    scale = tuple(float(step) for step in grid.per_axis(means_factor(grid, finest), 1))
    whole = functional.interpolate(
        means.permute(3, 0, 1, 2)[None], scale_factor=scale, mode="trilinear", align_corners=False
    )
    depth, height, width = grid.shape_kji
    filled = functional.normalize(whole[0, :, :depth, :height, :width].permute(1, 2, 3, 0), dim=3)
    return torch.where((exact != 0).any(dim=3, keepdim=True), exact, filled)
