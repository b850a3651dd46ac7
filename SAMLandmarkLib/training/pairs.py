"""Pairs of views with corresponding points: of one image, exact, or of two patients, mined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..utils.errors import UsageError
from .config import LevelTraining, TrainingConfig
from .mining import MinedPair
from .modalities import TrainingModality
from .pool import TrainingVolume, VolumePool
from .views import cut, random_map

OVERSAMPLING = 4
MINIMUM_ANCHORS = 96
MINIMUM_MINED_ANCHORS = 32
MINED_TRIES = 50
TRIES = 1000


@dataclass(frozen=True)
class TrainingPair:
    """Two images `[D,H,W]` and corresponding patch indices `(n,3)` (x,y,z) in them.

    `slack_mm` is how far the correspondences may be off; the loss does not punish confusions within it.
    """

    image_a: Tensor
    image_b: Tensor
    index_a: Tensor
    index_b: Tensor
    slack_mm: float = 0.0


def images_of(pairs: Sequence[TrainingPair]) -> Tensor:
    """Both images of each pair `[2 n,D,H,W]`, in the order of the pairs."""
    return torch.stack([image for pair in pairs for image in (pair.image_a, pair.image_b)])


def draw_pair(
    pool: VolumePool,
    level: LevelTraining,
    config: TrainingConfig,
    rng: np.random.Generator,
    appearance: bool = True,
) -> TrainingPair:
    """Draw until two views of an image share enough of the body; `appearance` lets them look different.

    Raises UsageError where none do: the patches are far larger than the images, or cut too small.
    """
    least = min(MINIMUM_ANCHORS, (level.anchors or config.anchors) // 2)
    for _ in range(TRIES):
        pair = _try_pair(pool.draw(rng), pool.modality, level, config, rng, appearance)
        if len(pair.index_a) >= least:
            return pair
    raise UsageError(
        f"In {TRIES} tries no two views of {level.patch_kji} voxels of {level.spacing_mm:g} mm shared {least} points; "
        "train with a patch_kji that fits the images."
    )


def draw_mined_pair(
    pool: VolumePool,
    mined: list[MinedPair],
    level: LevelTraining,
    config: TrainingConfig,
    rng: np.random.Generator,
) -> TrainingPair:
    """Draw until views of two patients share enough mined points; where they lie too thinly, views of one scan."""
    weights = np.array([pool.probabilities[pair.first] for pair in mined])
    for _ in range(MINED_TRIES):
        points = mined[rng.choice(len(mined), p=weights / weights.sum())]
        pair = _try_mined_pair(pool, points, level, config, rng)
        if len(pair.index_a) >= MINIMUM_MINED_ANCHORS:
            return pair
    return draw_pair(pool, level, config, rng)


def _try_mined_pair(
    pool: VolumePool,
    points: MinedPair,
    level: LevelTraining,
    config: TrainingConfig,
    rng: np.random.Generator,
) -> TrainingPair:
    """Two views about one of the mined points, and the mined points that lie in both."""
    modality = pool.modality
    scale = modality.base_spacing_mm / level.spacing_mm
    center = rng.integers(len(points.index_first))
    shift = _random_shift(level, rng)
    images, indices = [], []
    for number, base_index, offset in (
        (points.first, points.index_first, 0.0),
        (points.second, points.index_second, shift),
    ):
        index = (base_index + 0.5) * scale - 0.5
        volume = pool.volumes[number]
        patch_map = random_map(index[center] + offset, level, config, rng, volume.device)
        images.append(modality.vary(_view(volume, patch_map.grid(), modality, level, rng), level, rng))
        indices.append(patch_map.to_patch(torch.as_tensor(index, dtype=torch.float32, device=volume.device)))
    outside = modality.padding_value
    keep = _seen(images[0], indices[0], outside) & _seen(images[1], indices[1], outside)
    chosen = torch.as_tensor(
        rng.permutation(int(keep.sum()))[: level.anchors or config.anchors], device=keep.device
    )
    return TrainingPair(*images, *(index[keep][chosen] for index in indices), slack_mm=config.mined_slack_mm)


def _try_pair(
    volume: TrainingVolume,
    modality: TrainingModality,
    level: LevelTraining,
    config: TrainingConfig,
    rng: np.random.Generator,
    appearance: bool,
) -> TrainingPair:
    device = volume.device
    center = _center(volume, modality, level, rng)
    shift = _random_shift(level, rng)
    map_a = random_map(center, level, config, rng, device)
    map_b = random_map(center + shift, level, config, rng, device)
    grid_a = map_a.grid()
    plain_a, plain_b = (_view(volume, grid, modality, level, rng) for grid in (grid_a, map_b.grid()))
    image_a, image_b = (
        modality.vary(plain, level, rng) if appearance else plain for plain in (plain_a, plain_b)
    )
    anchors = level.anchors or config.anchors
    index_a = _random_indices(level.patch_kji, OVERSAMPLING * anchors, rng, device)
    index_b = map_b.to_patch(_look_up(grid_a, index_a))
    keep = _seen(image_b, index_b, modality.padding_value) & _seen(image_a, index_a, modality.padding_value)
    keep &= _look_up(plain_a, index_a) > modality.tissue_from
    return TrainingPair(image_a, image_b, index_a[keep][:anchors], index_b[keep][:anchors])


def _view(
    volume: TrainingVolume,
    grid: Tensor,
    modality: TrainingModality,
    level: LevelTraining,
    rng: np.random.Generator,
) -> Tensor:
    """What a volume shows at voxel indices `[D,H,W,3]`, in one of its contrasts."""
    return cut(volume.appearance(level.spacing_mm, rng, grid), grid, modality.padding_value)


def _center(
    volume: TrainingVolume, modality: TrainingModality, level: LevelTraining, rng: np.random.Generator
) -> np.ndarray:
    """The voxel about which the first view is cut, `(3,)` (x,y,z)."""
    if level.centred_on == "image":
        middle = (np.array(volume.values[level.spacing_mm].shape[::-1]) - 1) / 2
        return middle + _random_shift(level, rng)
    scale = modality.base_spacing_mm / level.spacing_mm
    return volume.body_ijk[rng.integers(len(volume.body_ijk))] * scale


def _random_shift(level: LevelTraining, rng: np.random.Generator) -> np.ndarray:
    """How far the second view lies from the first, `(3,)` voxels (x,y,z); nothing along a single slice."""
    sides = np.array(level.patch_kji[::-1])
    return rng.uniform(-level.greatest_shift, level.greatest_shift, 3) * np.where(sides == 1, 0, sides) / 2


def _random_indices(
    patch_kji: tuple[int, int, int], count: int, rng: np.random.Generator, device: torch.device
) -> Tensor:
    """Random voxel indices `(count,3)` (x,y,z) of a patch."""
    return torch.as_tensor(rng.integers(0, patch_kji[::-1], (count, 3)), dtype=torch.float32, device=device)


def _seen(image: Tensor, index: Tensor, padding_value: float) -> Tensor:
    """Which patch indices `(n,3)` lie inside the image, and not in a part whose field of view was cut off."""
    limit = index.new_tensor(image.shape[::-1]) - 1
    inside = ((index >= 0) & (index <= limit)).all(dim=1)
    nearest = torch.minimum(index.round().clamp(min=0), limit)
    return inside & (_look_up(image, nearest) > padding_value)


def _look_up(values: Tensor, index: Tensor) -> Tensor:
    """Values `[D,H,W,...]` at whole indices `(n,3)` (x,y,z)."""
    x, y, z = index.long().T
    return values[z, y, x]
