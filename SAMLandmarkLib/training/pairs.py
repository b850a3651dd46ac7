"""Pairs of views with corresponding points: of one volume, exact, or of two patients, mined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..model.network import AIR_HU
from .appearance import vary_appearance
from .config import BranchTraining, TrainingConfig
from .mining import MinedPair
from .pool import BASE_SPACING_MM, BODY_THRESHOLD_HU, TrainingVolume, VolumePool
from .views import cut, random_map

OVERSAMPLING = 4
MINIMUM_ANCHORS = 96
MINIMUM_MINED_ANCHORS = 32
MINED_TRIES = 50
MAXIMUM_SHIFT = 0.5
"""Largest shift between the two views, as a share of half the patch."""


@dataclass(frozen=True)
class Pair:
    """Two images `[D,H,W]` and corresponding patch indices `(n,3)` (x,y,z) in them.

    `slack_mm` is how far the correspondences may be off; the loss does not punish confusions within it.
    """

    image_a: Tensor
    image_b: Tensor
    index_a: Tensor
    index_b: Tensor
    slack_mm: float = 0.0


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


def draw_mined_pair(
    pool: VolumePool,
    mined: list[MinedPair],
    branch: BranchTraining,
    config: TrainingConfig,
    rng: np.random.Generator,
) -> Pair:
    """Draw until views of two patients share enough mined points; where they lie too thinly, views of one scan."""
    weights = np.array([pool.probabilities[pair.first] for pair in mined])
    for _ in range(MINED_TRIES):
        points = mined[rng.choice(len(mined), p=weights / weights.sum())]
        pair = _try_mined_pair(pool, points, branch, config, rng)
        if len(pair.index_a) >= MINIMUM_MINED_ANCHORS:
            return pair
    return draw_pair(pool, branch, config, rng)


def _try_mined_pair(
    pool: VolumePool,
    points: MinedPair,
    branch: BranchTraining,
    config: TrainingConfig,
    rng: np.random.Generator,
) -> Pair:
    """Two views about one of the mined points, and the mined points that lie in both."""
    scale = BASE_SPACING_MM / branch.spacing_mm
    center = rng.integers(len(points.index_first))
    shift = _random_shift(branch, rng)
    images, indices = [], []
    for number, index, offset in (
        (points.first, points.index_first, 0.0),
        (points.second, points.index_second, shift),
    ):
        hu = pool.volumes[number].hu[branch.spacing_mm]
        patch_map = random_map(index[center] * scale + offset, branch, config, rng, hu.device)
        images.append(vary_appearance(cut(hu, patch_map.grid()), rng))
        indices.append(
            patch_map.to_patch(torch.as_tensor(index * scale, dtype=torch.float32, device=hu.device))
        )
    keep = _seen(images[0], indices[0]) & _seen(images[1], indices[1])
    chosen = torch.as_tensor(rng.permutation(int(keep.sum()))[: config.anchors], device=keep.device)
    return Pair(*images, *(index[keep][chosen] for index in indices), slack_mm=config.mined_slack_mm)


def _try_pair(
    volume: TrainingVolume,
    branch: BranchTraining,
    config: TrainingConfig,
    rng: np.random.Generator,
    appearance: bool,
) -> Pair:
    hu = volume.hu[branch.spacing_mm]
    center = volume.body_ijk[rng.integers(len(volume.body_ijk))] * (BASE_SPACING_MM / branch.spacing_mm)
    shift = _random_shift(branch, rng)
    map_a = random_map(center, branch, config, rng, hu.device)
    map_b = random_map(center + shift, branch, config, rng, hu.device)
    grid_a = map_a.grid()
    plain_a, plain_b = cut(hu, grid_a), cut(hu, map_b.grid())
    image_a, image_b = (vary_appearance(plain, rng) if appearance else plain for plain in (plain_a, plain_b))
    index_a = _random_indices(branch.patch_kji, OVERSAMPLING * config.anchors, rng, hu.device)
    index_b = map_b.to_patch(_look_up(grid_a, index_a))
    keep = _seen(image_b, index_b) & _seen(image_a, index_a)
    keep &= _look_up(plain_a, index_a) > BODY_THRESHOLD_HU
    return Pair(image_a, image_b, index_a[keep][: config.anchors], index_b[keep][: config.anchors])


def _random_shift(branch: BranchTraining, rng: np.random.Generator) -> np.ndarray:
    """How far the second view lies from the first, `(3,)` voxels (x,y,z)."""
    return rng.uniform(-MAXIMUM_SHIFT, MAXIMUM_SHIFT, 3) * np.array(branch.patch_kji[::-1]) / 2


def _random_indices(
    patch_kji: tuple[int, int, int], count: int, rng: np.random.Generator, device: torch.device
) -> Tensor:
    """Random voxel indices `(count,3)` (x,y,z) of a patch."""
    return torch.as_tensor(rng.integers(0, patch_kji[::-1], (count, 3)), dtype=torch.float32, device=device)


def _seen(image: Tensor, index: Tensor) -> Tensor:
    """Which patch indices `(n,3)` lie inside the image, and not in a part whose field of view was cut off."""
    limit = index.new_tensor(image.shape[::-1]) - 1
    inside = ((index >= 0) & (index <= limit)).all(dim=1)
    nearest = torch.minimum(index.round().clamp(min=0), limit)
    return inside & (_look_up(image, nearest) > AIR_HU)


def _look_up(values: Tensor, index: Tensor) -> Tensor:
    """Values `[D,H,W,...]` at whole indices `(n,3)` (x,y,z)."""
    x, y, z = index.long().T
    return values[z, y, x]
