"""Boxes of fine cells around cells of a coarser level, kept as three index axes: arithmetic on whole boxes would be slow."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..embedding.embedding import Level

Axes = tuple[Tensor, Tensor, Tensor]
"""Indices (z, y, x), shaped `[n,k,s,1,1]`, `[n,k,1,s,1]`, `[n,k,1,1,s]`, so that they broadcast to boxes."""

CACHED_CELLS = 8192


@dataclass(frozen=True)
class Boxes:
    """Boxes of `2 reach + 1` cells of a level around its cells `[n,k,3]` (z,y,x), and the finer cells inside them.

    `reach` and `ratio`, how many finer cells one of them is long, are for z, y and x; along the axis of a grid of one
    slice they are 0 and 1.
    """

    centers: Tensor
    reach: tuple[int, int, int]
    ratio: tuple[int, int, int]

    @classmethod
    def around(cls, centers: Tensor, reach: int, level: Level, finer: Level) -> Boxes:
        """Boxes around cells of a level, `reach` to each side, to be divided into the cells of a finer one."""
        ratio = round(level.grid.spacing_mm / finer.grid.spacing_mm)
        return cls(centers, level.grid.per_axis(reach, 0), level.grid.per_axis(ratio, 1))

    def axes(self, margin: int = 0) -> Axes:
        """Indices of the cells, `margin` more to each searched side; they may lie outside the grid."""
        reach = [n + margin * (n > 0) for n in self.reach]
        return _axes(self.centers - _per_axis(reach, self.centers), [2 * n + 1 for n in reach])

    def finer_axes(self) -> Axes:
        """Indices of the finer cells; they may lie outside the grid."""
        sides = [ratio * (2 * reach + 1) for reach, ratio in zip(self.reach, self.ratio, strict=True)]
        return _axes(self.finer_start(), sides)

    def finer_start(self) -> Tensor:
        """Index `[n,k,3]` (z,y,x) of the first finer cell of each box."""
        return (self.centers - _per_axis(self.reach, self.centers)) * _per_axis(self.ratio, self.centers)

    def upsampled(self, values: Tensor) -> Tensor:
        """Values `[n,k,s,s,s]` at the cells with a margin of one, trilinear at the finer cells."""
        scale = [float(ratio) for ratio in self.ratio]
        finer = functional.interpolate(values, scale_factor=scale, mode="trilinear", align_corners=False)
        margins = [ratio if reach else 0 for reach, ratio in zip(self.reach, self.ratio, strict=True)]
        z, y, x = (slice(margin, -margin or None) for margin in margins)
        return finer[:, :, z, y, x]


class Cosines:
    """Cosines of n queries `[n,C]` with the cells of a level."""

    def __init__(self, queries: Tensor, level: Level) -> None:
        self._queries, self._level = queries, level
        self._all: Tensor | None = None

    def with_all(self) -> Tensor:
        """With all cells, `[n,D,H,W]` in the format of the level's vectors; what `at` gives is taken from them then."""
        if self._all is not None:
            return self._all
        vectors = self._level.vectors
        self._all = (self._queries.to(vectors.dtype) @ vectors.flatten(0, 2).T).view(-1, *vectors.shape[:3])
        return self._all

    def at(self, axes: Axes) -> Tensor:
        """With the cells of each query's boxes, `[n,k,s,s,s]` float32, those at the border repeated beyond it."""
        flat = _flat_index(axes, self._level)
        cells = flat.flatten(1)
        if self._all is not None:
            return self._all.flatten(1).gather(1, cells).float().view(flat.shape)
        rows = self._level.vectors.flatten(0, 2)
        # few cells at a time stay in a CPU's cache, which makes this ten times as fast; a GPU wants all at once
        step = max(1, CACHED_CELLS // cells.shape[1]) if rows.device.type == "cpu" else len(cells)
        parts = zip(torch.split(cells, step), torch.split(self._queries, step), strict=True)
        cosines = [torch.bmm(_gathered(rows, part), sought[:, :, None]) for part, sought in parts]
        return torch.cat(cosines).view(flat.shape)


def interpolated(cosines: Cosines, axes: Axes, ratio: tuple[int, int, int]) -> Tensor:
    """Cosines of a level, trilinear at cells `[n,k,s,s,s]` of a finer one, of which `ratio` make one of its cells."""
    between = [_between(axis, per_cell) for axis, per_cell in zip(axes, ratio, strict=True)]
    parts = []
    for corner in itertools.product((0, 1), repeat=3):
        z, y, x = (low + step for (low, _), step in zip(between, corner, strict=True))
        weights = [share if step else 1 - share for (_, share), step in zip(between, corner, strict=True)]
        parts.append(cosines.at((z, y, x)) * weights[0] * weights[1] * weights[2])
    return torch.stack(parts).sum(dim=0)


def outside(axes: Axes, level: Level) -> Tensor:
    """Which cells of boxes `[n,k,s,s,s]` do not exist."""
    z, y, x = ((axis < 0) | (axis >= size) for axis, size in zip(axes, level.vectors.shape[:3], strict=True))
    return z | y | x


def square_distance(axes: Axes, level: Level, points_lps: Tensor) -> Tensor:
    """Squared distance in mm^2 from points `[n,3]` to cells given by axes, broadcast to the shape of the boxes."""
    total = torch.zeros((), device=points_lps.device)
    for axis, dimension in zip(axes, (2, 1, 0), strict=True):
        position = axis * level.grid.spacing_mm + float(level.grid.origin_lps[dimension])
        total = total + (position - points_lps[:, dimension].view(-1, 1, 1, 1, 1)).square()
    return total


def whole_grid(level: Level) -> Axes:
    """Axes of all cells of a grid, as one box."""
    depth, height, width = level.vectors.shape[:3]
    device = level.vectors.device
    return (
        torch.arange(depth, device=device).view(1, 1, -1, 1, 1),
        torch.arange(height, device=device).view(1, 1, 1, -1, 1),
        torch.arange(width, device=device).view(1, 1, 1, 1, -1),
    )


def cell_of(flat_index: Tensor, sides: Sequence[int]) -> Tensor:
    """Index `[...,3]` (z,y,x) of cells of a box with these sides, from indices `[...]` into its flattened values."""
    _depth, height, width = sides
    plane = height * width
    return torch.stack([flat_index // plane, flat_index // width % height, flat_index % width], dim=-1)


def _between(axis: Tensor, per_cell: int) -> tuple[Tensor, Tensor]:
    """The cell below the centre of each finer cell along an axis, and how far beyond its centre that lies."""
    place = (axis.float() + 0.5) / per_cell - 0.5
    low = place.floor()
    return low.long(), place - low


def _per_axis(values: Sequence[int], like: Tensor) -> Tensor | int:
    """Whole numbers for z, y and x to calculate with: a plain one where they are the same, as in volumes."""
    return values[0] if len(set(values)) == 1 else torch.tensor(values, device=like.device)


def _axes(start: Tensor, sides: Sequence[int]) -> Axes:
    """Axes of boxes with sides (z,y,x) that begin at the cells `[n,k,3]`."""
    if len(set(sides)) == 1:
        # of all axes together, as in volumes: these are many small operations
        z, y, x = (start[..., None] + torch.arange(sides[0], device=start.device)).unbind(2)
    else:
        z, y, x = (
            start[..., axis, None] + torch.arange(side, device=start.device)
            for axis, side in enumerate(sides)
        )
    return z[:, :, :, None, None], y[:, :, None, :, None], x[:, :, None, None, :]


def _gathered(vectors: Tensor, index: Tensor) -> Tensor:
    """Rows `[n,m,C]` float32 of `[cells,C]` at `[n,m]`."""
    return vectors.index_select(0, index.flatten()).view(*index.shape, -1).float()


def _flat_index(axes: Axes, level: Level) -> Tensor:
    depth, height, width = level.vectors.shape[:3]
    z, y, x = (axis.clamp(0, size - 1) for axis, size in zip(axes, (depth, height, width), strict=True))
    return (z * height + y) * width + x
