"""Pairs of views of one volume with exactly corresponding points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..model.network import AIR_HU
from .appearance import vary_appearance
from .config import BranchTraining, TrainingConfig
from .pool import BODY_THRESHOLD_HU, TrainingVolume, VolumePool
from .views import cut, random_map

OVERSAMPLING = 4
MINIMUM_ANCHORS = 96
MAXIMUM_SHIFT = 0.5
"""Largest shift between the two views, as a share of half the patch."""


@dataclass(frozen=True)
class Pair:
    """Two images `[D,H,W]` and corresponding patch indices `(n,3)` (x,y,z) in them."""

    image_a: Tensor
    image_b: Tensor
    index_a: Tensor
    index_b: Tensor


def draw_pair(
    pool: VolumePool,
    branch: BranchTraining,
    config: TrainingConfig,
    rng: np.random.Generator,
    appearance: bool = True,
) -> Pair:
    """Draw until two views of a volume share enough of the body; `appearance` lets them look different."""
    while True:
        pair = _try_pair(pool.draw(rng), branch, config, rng, appearance)
        if len(pair.index_a) >= MINIMUM_ANCHORS:
            return pair


def _try_pair(
    volume: TrainingVolume,
    branch: BranchTraining,
    config: TrainingConfig,
    rng: np.random.Generator,
    appearance: bool,
) -> Pair:
    hu = volume.hu[branch.spacing_mm]
    center = volume.body_ijk[rng.integers(len(volume.body_ijk))] * 2.0 / branch.spacing_mm
    shift = rng.uniform(-MAXIMUM_SHIFT, MAXIMUM_SHIFT, 3) * np.array(branch.patch_kji[::-1]) / 2
    map_a = random_map(center, branch, config, rng, hu.device)
    map_b = random_map(center + shift, branch, config, rng, hu.device)
    grid_a = map_a.grid()
    plain_a, plain_b = cut(hu, grid_a), cut(hu, map_b.grid())
    image_a, image_b = (vary_appearance(plain, rng) if appearance else plain for plain in (plain_a, plain_b))
    index_a = _random_indices(branch.patch_kji, OVERSAMPLING * config.anchors, rng, hu.device)
    index_b = map_b.to_patch(_look_up(grid_a, index_a))
    limit = index_b.new_tensor(branch.patch_kji[::-1]) - 1
    inside = ((index_b >= 0) & (index_b <= limit)).all(dim=1)
    index_a, index_b = index_a[inside], index_b[inside]
    seen = (_look_up(image_a, index_a) > AIR_HU) & (_look_up(image_b, index_b.round()) > AIR_HU)
    keep = seen & (_look_up(plain_a, index_a) > BODY_THRESHOLD_HU)
    return Pair(image_a, image_b, index_a[keep][: config.anchors], index_b[keep][: config.anchors])


def _random_indices(
    patch_kji: tuple[int, int, int], count: int, rng: np.random.Generator, device: torch.device
) -> Tensor:
    """Random voxel indices `(count,3)` (x,y,z) of a patch."""
    return torch.as_tensor(rng.integers(0, patch_kji[::-1], (count, 3)), dtype=torch.float32, device=device)


def _look_up(values: Tensor, index: Tensor) -> Tensor:
    """Values `[D,H,W,...]` at whole indices `(n,3)` (x,y,z)."""
    x, y, z = index.long().T
    return values[z, y, x]
