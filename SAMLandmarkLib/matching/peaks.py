"""Peaks of similarity: separate ones on a coarse grid, sub-voxel ones on the finest grid."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from ..core.matching_options import SearchOptions
from ..embedding.embedding import Level
from .boxes import cell_of
from .types import Matches


def separate_peaks(score: Tensor, options: SearchOptions) -> Tensor:
    """Index `[n,k,3]` (z,y,x) of the k highest cells of `[n,D,H,W]` that are separate from each other."""
    size = torch.tensor(score.shape[1:], device=score.device)
    steps = torch.arange(-options.separation_cells, options.separation_cells + 1, device=score.device)
    neighborhood = torch.cartesian_prod(steps, steps, steps)
    flat = score.flatten(1)
    peaks: list[Tensor] = []
    for number in range(options.candidates):
        if number == 1:
            flat = flat.clone()
        if number:
            near = torch.minimum((peaks[-1][:, None] + neighborhood).clamp(min=0), size - 1)
            flat.scatter_(1, (near[..., 0] * size[1] + near[..., 1]) * size[2] + near[..., 2], -torch.inf)
        best = flat.argmax(dim=1)
        peaks.append(cell_of(best, score.shape[1:]))
    return torch.stack(peaks, dim=1)


def ranked_candidates(
    score: Tensor, cosines: list[Tensor], start: Tensor, queries: Tensor, level: Level, options: SearchOptions
) -> Matches:
    """The highest cell of each box `[n,k,s,s,s]`, refined to sub-voxel, best first, near duplicates struck out.

    `cosines` are those of each level, of the shape of the score; `start` `[n,k,3]` is the finest index (z,y,x) of each
    box's first cell; `queries` `[n,C]` the finest vectors sought.
    """
    top, where = score.flatten(2).max(dim=2)
    cell = start + cell_of(where, score.shape[2:])
    index = cell + sub_voxel_offset(queries, level, cell, options.sub_steps)
    positions = level.grid.lps_from_index(index.flip(-1).cpu().numpy())
    chosen = [values.flatten(2).gather(2, where[..., None])[..., 0] for values in cosines]
    cosines_at = torch.stack(chosen, dim=-1).double().cpu().numpy()
    return Matches.ranked(positions, top.double().cpu().numpy(), cosines_at, options.duplicate_mm)


def sub_voxel_offset(queries: Tensor, level: Level, cell: Tensor, sub_steps: int) -> Tensor:
    """Offset `[n,k,3]` (z,y,x) from each cell to where the interpolated embedding is most similar to the query.

    Between cells the embedding is what `Level.at` gives, the unit vector of the trilinear mixture, so a point that is
    searched in its own scan is found where it was; a parabola through the similarities of whole cells misses it by 0.8
    mm on average. The mixture's similarity follows from those of the cells around and their Gram matrix.
    """
    vectors = _neighborhood(level, cell)
    similarity = torch.einsum("nkic,nc->nki", vectors, queries)
    gram = vectors @ vectors.transpose(-1, -2)
    sides = level.grid.per_axis(sub_steps, 1)
    weights = _mixtures(sides, cell.device)
    length = ((weights @ gram) * weights).sum(dim=-1).clamp(min=1e-6).sqrt()
    mixed = (similarity @ weights.T / length).view(*cell.shape[:2], *sides)
    step = cell_of(mixed.flatten(2).argmax(dim=2), sides)
    offset = (step + _vertex_offset(mixed, step)) * (2 / (sub_steps - 1)) - 1
    if level.grid.spatial_axes == 2:
        offset[..., 0] = 0
    return offset


def _neighborhood(level: Level, cell: Tensor) -> Tensor:
    """Vectors `[n,k,27,C]` of the cells around `[n,k,3]`, those at the border repeated; 9 on a grid of one slice."""
    reaches = level.grid.per_axis(1, 0)
    steps = [torch.arange(-reach, reach + 1, device=cell.device) for reach in reaches]
    size = cell.new_tensor(level.vectors.shape[:3])
    around = torch.minimum((cell[:, :, None] + torch.cartesian_prod(*steps)).clamp(min=0), size - 1)
    z, y, x = around.unbind(-1)
    return level.vectors[z, y, x].float()


@cache
def _mixtures(sides: tuple[int, int, int], device: torch.device) -> Tensor:
    """Trilinear weights `[places, cells]` of the cells around, at offsets from -1 to 1 cell, so many along each axis."""
    z, y, x = (_hats(side, device) for side in sides)
    return torch.einsum("ai,bj,ck->abcijk", z, y, x).flatten(3).flatten(0, 2)


def _hats(side: int, device: torch.device) -> Tensor:
    """Linear weights `[side, 3]` of the cells -1, 0 and 1; of the one cell there is where `side` is 1."""
    if side == 1:
        return torch.ones(1, 1, device=device)
    offsets = torch.linspace(-1, 1, side, device=device)
    return (1 - (offsets[:, None] - torch.arange(-1, 2, device=device)).abs()).clamp(min=0)


def _vertex_offset(score: Tensor, cell: Tensor) -> Tensor:
    """Offset `[n,k,3]` in steps of the vertex of the parabola through each peak and its neighbours, axis by axis.

    Zero at the border of the box.
    """
    sides = score.shape[2:]
    flat = score.flatten(2)
    offsets = []
    for axis in range(3):
        below, here, above = (_neighbor(flat, cell, axis, shift, sides) for shift in (-1, 0, 1))
        curvature = below - 2 * here + above
        usable = (curvature < 0) & (cell[..., axis] > 0) & (cell[..., axis] < sides[axis] - 1)
        offset = 0.5 * (below - above) / curvature
        offsets.append(torch.where(usable, offset, torch.zeros_like(offset)).clamp(-0.5, 0.5))
    return torch.stack(offsets, dim=-1)


def _neighbor(flat: Tensor, cell: Tensor, axis: int, shift: int, sides: Sequence[int]) -> Tensor:
    """Values `[n,k]` one step along an axis from the cells `[n,k,3]`."""
    moved = cell.clone()
    moved[..., axis] = (moved[..., axis] + shift).clamp(0, sides[axis] - 1)
    index = (moved[..., 0] * sides[1] + moved[..., 1]) * sides[2] + moved[..., 2]
    return flat.gather(2, index[..., None])[..., 0].double()
