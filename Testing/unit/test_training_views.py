"""Views of one scan: the correspondences that training relies on are exact."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from SAMLandmarkLib.core.modality import CT
from SAMLandmarkLib.training import ct_appearance
from SAMLandmarkLib.training.config import COARSE, FINE, TrainingConfig
from SAMLandmarkLib.training.ct_appearance import vary_appearance
from SAMLandmarkLib.training.pairs import draw_pair
from SAMLandmarkLib.training.pool import VolumePool
from SAMLandmarkLib.training.views import cut, random_map

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pool(sample_folder) -> VolumePool:
    return VolumePool.read(sample_folder, {}, CPU)


@pytest.mark.parametrize("branch", [FINE, COARSE], ids=["fine", "coarse"])
def test_map_and_its_inverse_agree(branch):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        patch_map = random_map(np.array([90.0, 80.0, 50.0]), branch, TrainingConfig(), rng, CPU)
        index = torch.as_tensor(rng.integers(0, branch.patch_kji[::-1], (500, 3)))
        x, y, z = index.T
        error = (patch_map.to_patch(patch_map.grid()[z, y, x]) - index).norm(dim=1)
        assert error.max() < 0.05


def test_cut_reads_the_volume_where_the_map_says():
    z, y, x = np.meshgrid(np.arange(30), np.arange(40), np.arange(50), indexing="ij")
    hu = torch.from_numpy((3 * x - 2 * y + 5 * z).astype(np.int16))
    index = torch.tensor([[[[10.25, 20.5, 7.0], [48.5, 1.0, 28.5]], [[0.0, 0.0, 0.0], [49.0, 39.0, 29.0]]]])
    expected = 3 * index[..., 0] - 2 * index[..., 1] + 5 * index[..., 2]
    torch.testing.assert_close(cut(hu, index, CT.padding_value), expected, atol=1e-2, rtol=0)


def test_cut_gives_air_outside():
    hu = torch.full((20, 20, 20), 50, dtype=torch.int16)
    outside = torch.tensor([[[[-5.0, 3.0, 3.0], [3.0, 30.0, 3.0], [10.0, 10.0, 10.0]]]])
    assert cut(hu, outside, CT.padding_value)[0, 0].tolist() == [-1024.0, -1024.0, 50.0]


def test_corresponding_points_show_the_same_tissue(pool):
    """Without changes of appearance the two views differ at corresponding points by interpolation alone."""
    still = dataclasses.replace(TrainingConfig(), anchors=300)
    rng = np.random.default_rng(8)
    differences, shuffled = [], []
    for _ in range(4):
        pair = draw_pair(pool, FINE, still, rng, appearance=False)
        values = [
            _sampled(image, index)
            for image, index in ((pair.image_a, pair.index_a), (pair.image_b, pair.index_b))
        ]
        differences.append((values[0] - values[1]).abs().median())
        shuffled.append((values[0] - values[1].roll(7)).abs().median())
    assert np.median(differences) < 12.0
    assert np.median(shuffled) > 3 * np.median(differences)


def test_same_seed_gives_the_same_pair(pool):
    config = TrainingConfig()
    first, second = (draw_pair(pool, COARSE, config, np.random.default_rng(3)) for _ in range(2))
    torch.testing.assert_close(first.image_b, second.image_b)
    torch.testing.assert_close(first.index_b, second.index_b)


def test_appearance_changes_values_but_not_places(pool, monkeypatch):
    # hidden boxes take away what would correlate; they have a test of their own
    monkeypatch.setattr(ct_appearance, "_hide", lambda hu, rng, sides: hu)
    hu = pool.volumes[0].values[2.0][20:68, 40:120, 40:120].float()
    for seed in range(12):
        varied = vary_appearance(hu.clone(), np.random.default_rng(seed))
        assert varied.shape == hu.shape and torch.isfinite(varied).all()
        kept = varied > -1024.0
        correlation = np.corrcoef(hu[kept].numpy(), varied[kept].numpy())[0, 1]
        assert correlation > 0.8


def test_hidden_boxes_have_one_value_and_leave_the_rest_as_it_was(pool):
    hu = pool.volumes[0].values[2.0][20:68, 40:120, 40:120].float() + torch.rand(48, 80, 80)
    for seed in range(6):
        hidden = ct_appearance._hide(hu, np.random.default_rng(seed))
        changed = hidden[hidden != hu]
        assert 8**3 <= len(changed) < hu.numel() / 2
        assert len(changed.unique()) <= ct_appearance.HIDDEN_BOXES


def _sampled(image: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    where = index / (index.new_tensor(image.shape[::-1]) - 1) * 2 - 1
    sampled = torch.nn.functional.grid_sample(
        image[None, None], where[None, :, None, None, :], align_corners=True
    )
    return sampled[0, 0, :, 0, 0]
