"""Corresponding points of different patients' images, by nearest neighbours of the levels that are in training.

This is `mining` for whatever the product's own matching does not know yet, such as films: points are looked up in another
image and back again; where neighbouring points agree, their common local affine map makes each more exact than its cell.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch

from ..models.network import EmbeddingBranch
from ..utils.errors import UsageError
from .mining import MinedPair, pairs_to_try
from .nearest import EmbeddedImage, embedded, nearest
from .pool import TrainingVolume, VolumePool

logger = logging.getLogger(__name__)

PAIRS = 150
POINTS = 800
LEAST_POINTS = 48
IMAGES_KEPT = 16
CYCLE_CELLS = 2.0
"""Greatest distance from a point to where its match leads back to, in cells of the finest level."""
NEIGHBOURS = 16
GREATEST_RESIDUAL_CELLS = 3.0


def mine_nearest(
    pool: VolumePool,
    branches: Mapping[str, EmbeddingBranch],
    spacings: Mapping[str, float],
    dtype: torch.dtype,
    rng: np.random.Generator,
) -> list[MinedPair]:
    """Match images of the pool with others of their group, and keep the pairs that have enough in common.

    Levels that do not see whole images take no part. Raises UsageError where there is no other.
    """
    least_mm = pool.modality.whole_images_from_mm
    levels = sorted((name for name in branches if spacings[name] >= least_mm), key=spacings.__getitem__)
    if not levels:
        raise UsageError(f"To mine by nearest neighbours, train a level of {least_mm:g} mm or coarser first.")
    embed = lru_cache(IMAGES_KEPT)(
        lambda number: _embedded(
            pool.volumes[number], pool, {name: branches[name] for name in levels}, spacings, dtype
        )
    )
    tried = (
        _mined(first, second, pool.volumes[first], embed(first), embed(second), levels)
        for first, second in pairs_to_try(pool, rng, PAIRS)
    )
    pairs = [pair for pair in tried if pair is not None]
    logger.info("mined %d pairs of images with %d points", len(pairs), sum(len(p.index_first) for p in pairs))
    return pairs


@torch.no_grad()
def _embedded(
    volume: TrainingVolume,
    pool: VolumePool,
    branches: Mapping[str, EmbeddingBranch],
    spacings: Mapping[str, float],
    dtype: torch.dtype,
) -> dict[str, EmbeddedImage]:
    modality = pool.modality
    return {
        name: embedded(
            branch,
            volume.values[spacings[name]],
            spacings[name] / modality.base_spacing_mm,
            modality.padding_value,
            dtype,
        )
        for name, branch in branches.items()
    }


def _mined(
    first: int,
    second: int,
    volume: TrainingVolume,
    template: Mapping[str, EmbeddedImage],
    target: Mapping[str, EmbeddedImage],
    levels: list[str],
) -> MinedPair | None:
    points = torch.as_tensor(volume.body_ijk[:POINTS])
    found = nearest(points, template, target, levels)
    back = nearest(found, target, template, levels)
    cell = min(target[levels[0]].cell_voxels[:2])
    cyclic = ((back - points).norm(dim=1) <= CYCLE_CELLS * cell).numpy()
    if cyclic.sum() < LEAST_POINTS:
        return None
    places, matches = points.numpy()[cyclic], found.numpy()[cyclic]
    predicted = locally_affine(places, matches)
    agreeing = np.linalg.norm(predicted - matches, axis=1) <= GREATEST_RESIDUAL_CELLS * cell
    if agreeing.sum() < LEAST_POINTS:
        return None
    refined = (predicted + matches)[agreeing] / 2
    return MinedPair(first, second, places[agreeing].astype(np.float32), refined.astype(np.float32))


def locally_affine(places: np.ndarray, matches: np.ndarray) -> np.ndarray:
    """Where the affine map that fits the nearest other matches takes each place, both `(n,3)`.

    The fit is by least absolute deviations, approximated by reweighting, so that single wrong matches do not count.
    """
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    neighbours = np.argsort(distances, axis=1)[:, :NEIGHBOURS]
    predicted = [
        _robust_prediction(places[near] - place, matches[near])
        for place, near in zip(places, neighbours, strict=True)
    ]
    return np.array(predicted)


def _robust_prediction(offsets: np.ndarray, matches: np.ndarray) -> np.ndarray:
    """The match at offset zero."""
    design = np.hstack([offsets, np.ones((len(offsets), 1))])
    weights = np.ones(len(offsets))
    for _ in range(4):
        solution = np.linalg.lstsq(design * weights[:, None], matches * weights[:, None], rcond=None)[0]
        residuals = np.linalg.norm(design @ solution - matches, axis=1)
        weights = 1 / np.sqrt(np.maximum(residuals, 0.5))
    return solution[-1]
