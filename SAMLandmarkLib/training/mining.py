"""Corresponding points of different patients, found by the half-trained network itself.

Contrasting two views of one scan never tells the network that two patients correspond. So at some point of a run its
own matches between patients are collected, fused with the smooth map of the consistent ones among them, which is often
more exact than they are; the sure ones become positives for the rest of the run. Nobody labels anything (cf. the
CT-MR loop of UAE-M, Bai et al. 2023).
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..core.matching_options import PROFILES
from ..core.volume import Volume
from ..embedding.embedder import Embedder
from ..embedding.embedding import Embedding
from ..matching.pair import PairMatcher
from ..utils.files import atomic_path
from .modalities import CT
from .pool import TrainingVolume, VolumePool

logger = logging.getLogger(__name__)

BASE_SPACING_MM = CT.base_spacing_mm
PAIRS = 100
EMBEDDINGS_KEPT = 8
POINTS = 1500
LEAST_POINTS = 100
QUICK = PROFILES["fast"].quick
SURE_MM = 4.5
GREATEST_SPREAD_MM = 20.0


@dataclass(frozen=True)
class MinedPair:
    """Indices of two volumes of the pool and corresponding voxels `(n,3)` (x,y,z) at 2 mm in them."""

    first: int
    second: int
    index_first: np.ndarray
    index_second: np.ndarray


def mine(pool: VolumePool, embedder: Embedder, rng: np.random.Generator) -> list[MinedPair]:
    """Match volumes of the pool with others of their group, and keep the pairs that have enough in common."""
    embed = lru_cache(EMBEDDINGS_KEPT)(lambda number: embedder.embed(_as_volume(pool.volumes[number])))
    pairs = [
        pair
        for first, second in pairs_to_try(pool, rng, PAIRS)
        if (pair := _mined(first, second, embed(first), embed(second), pool.volumes[first].body_ijk[:POINTS]))
    ]
    logger.info(
        "mined %d pairs of volumes with %d points", len(pairs), sum(len(p.index_first) for p in pairs)
    )
    return pairs


def save_mined(path: Path, pairs: list[MinedPair]) -> None:
    """Write mined pairs, so that a resumed run need not mine again."""
    arrays = {
        f"{number}": np.hstack([pair.index_first, pair.index_second]) for number, pair in enumerate(pairs)
    }
    volumes = np.array([(pair.first, pair.second) for pair in pairs]).reshape(-1, 2)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, volumes=volumes, **arrays)


def load_mined(path: Path) -> list[MinedPair]:
    """Read what `save_mined` wrote."""
    with np.load(path) as archive:
        return [
            MinedPair(int(first), int(second), archive[f"{number}"][:, :3], archive[f"{number}"][:, 3:])
            for number, (first, second) in enumerate(archive["volumes"])
        ]


def pairs_to_try(pool: VolumePool, rng: np.random.Generator, count: int) -> Iterator[tuple[int, int]]:
    """Pairs of volumes of a group, as many as its weight deserves, so ordered that few embeddings need be kept."""
    groups = np.array([volume.group for volume in pool.volumes])
    for group in sorted(set(groups)):
        members = rng.permutation(np.flatnonzero(groups == group))
        wanted = round(count * float(pool.probabilities[members].sum()))
        reach = min(-(-wanted // len(members)), len(members) - 1)
        ring = ((here, step) for here in range(len(members)) for step in range(1, reach + 1))
        for here, step in itertools.islice(ring, wanted):
            yield int(members[here]), int(members[(here + step) % len(members)])


def _as_volume(volume: TrainingVolume) -> Volume:
    """The scan with its voxel indices as coordinates, in units of 2 mm."""
    spacing = (BASE_SPACING_MM,) * 3
    return Volume(volume.values[BASE_SPACING_MM].cpu().numpy(), np.diag([*spacing, 1.0]), volume.name)


def _mined(
    first: int, second: int, template: Embedding, target: Embedding, index: np.ndarray
) -> MinedPair | None:
    matcher = PairMatcher(template, target, QUICK)
    evidence = matcher.match(index * BASE_SPACING_MM)
    # without correspondences the deviation is NaN, and nothing is trusted
    trusted = (
        (evidence.uncertainty_mm <= SURE_MM)
        & (evidence.prediction_sigma_mm <= GREATEST_SPREAD_MM)
        & (evidence.deviation_mm <= np.maximum(8.0, 1.5 * evidence.prediction_sigma_mm))
    )
    if trusted.sum() < LEAST_POINTS:
        return None
    found = evidence.matches.best_lps[trusted] / BASE_SPACING_MM
    return MinedPair(first, second, index[trusted].astype(np.float32), found.astype(np.float32))
