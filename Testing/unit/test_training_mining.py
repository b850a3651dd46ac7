"""Correspondences between scans that a run finds itself: they are right, they survive, they can be trained on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from SAMLandmarkLib.embedding.embedder import Embedder
from SAMLandmarkLib.training import mining
from SAMLandmarkLib.training.config import COARSE, FINE, TrainingConfig
from SAMLandmarkLib.training.mining import MinedPair, load_mined, mine, save_mined
from SAMLandmarkLib.training.pairs import draw_mined_pair
from SAMLandmarkLib.training.pool import VolumePool

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pool(sample_folder) -> VolumePool:
    return VolumePool.read(sample_folder, {}, torch.device("cpu"))


@pytest.fixture(scope="module")
def mined(pool, engine) -> list[MinedPair]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mining, "PAIRS", 1)
        return mine(pool, Embedder(engine.model), np.random.default_rng(0))


def test_mined_points_move_as_the_landmarks_near_them(pool, mined, sample_landmarks, sample_truth, request):
    (pair,) = mined
    points, shifts = {}, {}
    for name, landmarks in (("template", sample_landmarks), ("followup", sample_truth)):
        volume = request.getfixturevalue(f"sample_{name}")
        origin = volume.canonical(2.0).grid.origin_lps
        points[name] = (landmarks.positions_lps - origin) / 2.0
    first, second = (pool.volumes[number].name for number in (pair.first, pair.second))
    for landmark, moved in zip(points[first], points[second], strict=True):
        near = np.linalg.norm(pair.index_first - landmark, axis=1) < 25.0
        if near.sum() >= 5:
            shifts[tuple(landmark)] = np.linalg.norm(
                np.median(pair.index_second[near] - pair.index_first[near], axis=0) - (moved - landmark)
            )
    assert len(shifts) >= 8
    assert np.median(list(shifts.values())) * 2.0 < 6.0


def test_mined_pairs_survive_on_disk(mined, tmp_path):
    save_mined(tmp_path / "mined.npz", mined)
    (read,) = load_mined(tmp_path / "mined.npz")
    assert (read.first, read.second) == (mined[0].first, mined[0].second)
    np.testing.assert_array_equal(read.index_first, mined[0].index_first)
    np.testing.assert_array_equal(read.index_second, mined[0].index_second)


def test_nothing_mined_survives_too(tmp_path):
    save_mined(tmp_path / "mined.npz", [])
    assert load_mined(tmp_path / "mined.npz") == []


@pytest.mark.parametrize("branch", [FINE, COARSE], ids=["fine", "coarse"])
def test_views_of_a_mined_pair_show_corresponding_tissue(pool, mined, branch):
    """Bone falls on bone and lung on lung, mostly: the two patches are of different scans."""
    agreement, chance = [], []
    for seed in range(6):
        pair = draw_mined_pair(pool, mined, branch, TrainingConfig(), np.random.default_rng(seed))
        values = []
        for image, index in ((pair.image_a, pair.index_a), (pair.image_b, pair.index_b)):
            x, y, z = index.round().long().T
            values.append(image[z, y, x].clamp(-900, 400))
        agreement.append((values[0] - values[1]).abs().median())
        chance.append((values[0] - values[1].roll(5)).abs().median())
        assert pair.slack_mm > 0
    assert np.median(agreement) < np.median(chance)


def test_points_too_thin_for_any_patch_do_not_stop_the_run(pool):
    few = np.array([[20.0, 20.0, 20.0], [90.0, 90.0, 60.0]], dtype=np.float32)
    pair = draw_mined_pair(
        pool, [MinedPair(0, 1, few, few)], FINE, TrainingConfig(), np.random.default_rng(0)
    )
    assert len(pair.index_a) >= 96
    assert pair.slack_mm == 0.0
