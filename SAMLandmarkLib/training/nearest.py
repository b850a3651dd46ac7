"""Nearest neighbours between the embeddings of two images, for validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..models.network import EmbeddingBranch
from .step import embed_views


@dataclass(frozen=True)
class EmbeddedImage:
    """Unit vectors `[c,d,h,w]` of an image; `cell_voxels` are the base voxels per cell along x, y, z."""

    vectors: Tensor
    cell_voxels: tuple[float, float, float]


def embedded(
    branch: EmbeddingBranch, values: Tensor, voxels: float, padding_value: float, dtype: torch.dtype
) -> EmbeddedImage:
    """Embed values `[z,y,x]` of a level whose voxels are `voxels` base voxels wide (along z where there are slices)."""
    padding = [
        pad
        for size, step in zip(values.shape[::-1], branch.stride[::-1], strict=True)
        for pad in (0, -size % step)
    ]
    padded = functional.pad(values.float(), padding, value=padding_value)
    vectors = functional.normalize(embed_views(branch, padded[None], dtype)[0], dim=0)
    flat = branch.stride[0] == 1
    return EmbeddedImage(vectors, (2 * voxels, 2 * voxels, 1.0 if flat else 2 * voxels))


def nearest(
    points: Tensor,
    template: Mapping[str, EmbeddedImage],
    target: Mapping[str, EmbeddedImage],
    levels: Sequence[str],
) -> Tensor:
    """Where points `(n,3)` (x,y,z), in base voxels, are found: at the greatest sum of the levels' similarities.

    The first of the levels is the finest: its cells are the candidates.
    """
    finest = target[levels[0]]
    shape = finest.vectors.shape[1:]
    total = sum(_similarity(points, template[name], target[name], finest) for name in levels)
    best = np.unravel_index(total.flatten(1).argmax(dim=1).cpu().numpy(), shape)
    cells = torch.tensor(np.stack(best[::-1], axis=1), dtype=points.dtype)
    return (cells + 0.5) * points.new_tensor(finest.cell_voxels) - 0.5


def _similarity(
    points: Tensor, template: EmbeddedImage, target: EmbeddedImage, finest: EmbeddedImage
) -> Tensor:
    """Cosines `[n,d,h,w]` of the points with the target's cells, on the grid of the finest level."""
    query = _vectors_at(template, points)
    maps = torch.einsum("nc,cdhw->ndhw", query, target.vectors)
    if maps.shape[1:] == finest.vectors.shape[1:]:
        return maps
    return _on_grid(maps, target, finest)


def _vectors_at(image: EmbeddedImage, points: Tensor) -> Tensor:
    size = points.new_tensor(image.vectors.shape[:0:-1])
    where = (points + 0.5) / points.new_tensor(image.cell_voxels) / size * 2 - 1
    sampled = functional.grid_sample(
        image.vectors[None], where[None, None, None], align_corners=False, padding_mode="border"
    )
    return functional.normalize(sampled[0, :, 0, 0].T, dim=1)


def _on_grid(maps: Tensor, coarser: EmbeddedImage, finest: EmbeddedImage) -> Tensor:
    """Maps `[n,d,h,w]` of a coarser level, interpolated at the cells of the finest: both begin at the same corner."""
    axes = [
        (torch.arange(n) + 0.5) * cell / other / size * 2 - 1
        for n, cell, other, size in zip(
            finest.vectors.shape[1:],
            finest.cell_voxels[::-1],
            coarser.cell_voxels[::-1],
            maps.shape[1:],
            strict=True,
        )
    ]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    grid = torch.stack([x, y, z], dim=-1)[None].to(maps)
    return functional.grid_sample(maps[None], grid, align_corners=False, padding_mode="border")[0]
