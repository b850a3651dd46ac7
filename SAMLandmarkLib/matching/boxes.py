"""Boxes of fine cells around coarse cells, kept as three index axes: arithmetic on whole boxes would be slow."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..embedding.embedding import Embedding, Level

Axes = tuple[Tensor, Tensor, Tensor]
"""Indices (z, y, x), shaped `[n,k,s,1,1]`, `[n,k,1,s,1]`, `[n,k,1,1,s]`, so that they broadcast to boxes."""

FINE_PER_COARSE = 2


@dataclass(frozen=True)
class Boxes:
    """Cubes of `2 reach + 1` coarse cells around peaks `[n,k,3]` (z,y,x), and the fine cells inside them."""

    peaks: Tensor
    reach: int

    def fine_axes(self) -> Axes:
        """Fine indices; they may lie outside the grid."""
        side = FINE_PER_COARSE * (2 * self.reach + 1)
        return self._axes(self.fine_start(), side)

    def fine_start(self) -> Tensor:
        """Fine index `[n,k,3]` (z,y,x) of the first cell of each box."""
        return (self.peaks - self.reach) * FINE_PER_COARSE

    def fine_similarity(self, queries: Tensor, level: Level) -> Tensor:
        """Cosine `[n,k,s,s,s]` of each query with the fine cells of its boxes."""
        flat = _flat_index(self.fine_axes(), level)
        cells, vectors = flat.flatten(1), level.vectors.flatten(0, 2)
        # One query's boxes at a time stay in a CPU's cache, which makes this ten times as fast; a GPU wants all at once.
        step = 1 if vectors.device.type == "cpu" else len(queries)
        cosines = [
            torch.bmm(_gathered(vectors, part), sought[:, :, None])
            for part, sought in zip(cells.split(step), queries.split(step), strict=True)
        ]
        return torch.cat(cosines).view(flat.shape)

    def upsampled(self, coarse: Tensor) -> Tensor:
        """Coarse similarity `[n,D,H,W]` at the fine cells of the boxes, trilinear, `[n,k,s,s,s]`."""
        wider = self.reach + 1
        axes = self._axes(self.peaks - wider, 2 * wider + 1)
        z, y, x = (axis.clamp(0, size - 1) for axis, size in zip(axes, coarse.shape[1:], strict=True))
        number = torch.arange(len(coarse), device=coarse.device).view(-1, 1, 1, 1, 1)
        fine = functional.interpolate(
            coarse[number, z, y, x].float(),
            scale_factor=float(FINE_PER_COARSE),
            mode="trilinear",
            align_corners=False,
        )
        margin = FINE_PER_COARSE
        return fine[:, :, margin:-margin, margin:-margin, margin:-margin]

    def inside(self, target: Embedding) -> Tensor:
        """Which fine cells of the boxes `[n,k,s,s,s]` exist."""
        z, y, x = (
            (axis >= 0) & (axis < size)
            for axis, size in zip(self.fine_axes(), target.fine.vectors.shape[:3], strict=True)
        )
        return z & y & x

    def _axes(self, start: Tensor, side: int) -> Axes:
        index = start[..., None] + torch.arange(side, device=start.device)
        z, y, x = index.unbind(2)
        return z[:, :, :, None, None], y[:, :, None, :, None], x[:, :, None, None, :]


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


def _gathered(vectors: Tensor, index: Tensor) -> Tensor:
    """Rows `[n,m,C]` float32 of `[cells,C]` at `[n,m]`."""
    return vectors.index_select(0, index.flatten()).view(*index.shape, -1).float()


def _flat_index(axes: Axes, level: Level) -> Tensor:
    depth, height, width = level.vectors.shape[:3]
    z, y, x = (axis.clamp(0, size - 1) for axis, size in zip(axes, (depth, height, width), strict=True))
    return (z * height + y) * width + x
