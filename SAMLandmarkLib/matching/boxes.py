"""Boxes of fine cells around coarse cells, kept as three index axes: arithmetic on whole boxes would be slow."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..embedding.embedding import Level

Axes = tuple[Tensor, Tensor, Tensor]
"""Indices (z, y, x), shaped `[n,k,s,1,1]`, `[n,k,1,s,1]`, `[n,k,1,1,s]`, so that they broadcast to boxes."""

FINE_PER_COARSE = 2
CACHED_CELLS = 8192


@dataclass(frozen=True)
class Boxes:
    """Cubes of `2 reach + 1` coarse cells around the cells `[n,k,3]` (z,y,x), and the fine cells inside them."""

    centers: Tensor
    reach: int

    def coarse_axes(self, margin: int = 0) -> Axes:
        """Coarse indices, `margin` more to each side; they may lie outside the grid."""
        reach = self.reach + margin
        return _axes(self.centers - reach, 2 * reach + 1)

    def fine_axes(self) -> Axes:
        """Fine indices; they may lie outside the grid."""
        return _axes(self.fine_start(), FINE_PER_COARSE * (2 * self.reach + 1))

    def fine_start(self) -> Tensor:
        """Fine index `[n,k,3]` (z,y,x) of the first cell of each box."""
        return (self.centers - self.reach) * FINE_PER_COARSE


class Cosines:
    """Cosines of n queries `[n,C]` with the cells of a level."""

    def __init__(self, queries: Tensor, level: Level) -> None:
        self._queries, self._level = queries, level
        self._all: Tensor | None = None

    def with_all(self) -> Tensor:
        """With all cells, `[n,D,H,W]` in the format of the level's vectors; what `at` gives is taken from them then."""
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
        parts = zip(cells.split(step), self._queries.split(step), strict=True)
        cosines = [torch.bmm(_gathered(rows, part), sought[:, :, None]) for part, sought in parts]
        return torch.cat(cosines).view(flat.shape)


def upsampled(coarse: Tensor) -> Tensor:
    """Values `[n,k,s,s,s]` of boxes of coarse cells with one more around them, trilinear at the boxes' fine cells."""
    fine = functional.interpolate(
        coarse, scale_factor=float(FINE_PER_COARSE), mode="trilinear", align_corners=False
    )
    margin = FINE_PER_COARSE
    return fine[:, :, margin:-margin, margin:-margin, margin:-margin]


def outside(axes: Axes, level: Level) -> Tensor:
    """Which cells of boxes `[n,k,s,s,s]` do not exist."""
    z, y, x = ((axis < 0) | (axis >= size) for axis, size in zip(axes, level.vectors.shape[:3], strict=True))
    return z | y | x


def square_distance(axes: Axes, level: Level, points_lps: Tensor) -> Tensor:
    """Squared distance in mm^2 from points `[n,3]` to cells given by axes, broadcast to the shape of the boxes."""
    total = 0.0
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


def _axes(start: Tensor, side: int) -> Axes:
    """Axes of cubes that begin at the cells `[n,k,3]`."""
    index = start[..., None] + torch.arange(side, device=start.device)
    z, y, x = index.unbind(2)
    return z[:, :, :, None, None], y[:, :, None, :, None], x[:, :, None, None, :]


def _gathered(vectors: Tensor, index: Tensor) -> Tensor:
    """Rows `[n,m,C]` float32 of `[cells,C]` at `[n,m]`."""
    return vectors.index_select(0, index.flatten()).view(*index.shape, -1).float()


def _flat_index(axes: Axes, level: Level) -> Tensor:
    depth, height, width = level.vectors.shape[:3]
    z, y, x = (axis.clamp(0, size - 1) for axis, size in zip(axes, (depth, height, width), strict=True))
    return (z * height + y) * width + x
