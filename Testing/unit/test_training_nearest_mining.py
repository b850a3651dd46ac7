"""Correspondences between images by nearest neighbours: what is kept is right, also to less than a cell."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import ndimage

from SAMLandmarkLib.models.network import BranchConfig, EmbeddingBranch
from SAMLandmarkLib.training import nearest_mining
from SAMLandmarkLib.training.config import TrainingConfig
from SAMLandmarkLib.training.levels import FILM_COARSE, FILM_WINDOW
from SAMLandmarkLib.training.mining import load_mined
from SAMLandmarkLib.training.modalities import RADIOGRAPH
from SAMLandmarkLib.training.nearest_mining import locally_affine, mine_nearest
from SAMLandmarkLib.training.pool import VolumePool
from SAMLandmarkLib.training.trainer import Trainer
from SAMLandmarkLib.utils.errors import UsageError

CPU = torch.device("cpu")
SHIFT = np.array([12, 24, 0])
"""From the first film to the second, (x,y,z) in pixels of 0.4 mm: whole cells of the network."""


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> VolumePool:
    """A film of smooth noise, the same shifted, and one of other noise."""
    rng = np.random.default_rng(3)
    films = [ndimage.gaussian_filter(rng.normal(size=(1, 480, 384)), (0, 8, 8)) for _ in range(2)]
    films = [(film / film.std() / 4 + 0.5).astype(np.float16) for film in films]
    shifted = np.roll(films[0], SHIFT[1::-1], axis=(1, 2))
    path = tmp_path_factory.mktemp("films") / "films.npz"
    np.savez(path, **{"a/one": films[0], "a/shifted": shifted, "a/other": films[1]})
    return VolumePool.read(path, {}, CPU, RADIOGRAPH, [1.2])


def test_outliers_do_not_bend_the_local_map():
    rng = np.random.default_rng(1)
    places = rng.uniform(0, 100, (200, 3)) * [1, 1, 0]
    linear = np.array([[1.1, 0.1, 0], [-0.05, 0.9, 0], [0, 0, 1]])
    truth = places @ linear + [5, -3, 0]
    matches = truth + rng.normal(0, 0.3, truth.shape) * [1, 1, 0]
    wrong = rng.choice(200, 20, replace=False)
    matches[wrong] += [40, 0, 0]
    errors = np.linalg.norm(locally_affine(places, matches) - truth, axis=1)
    assert np.median(errors) < 0.3
    assert np.percentile(errors, 90) < 2.0


def test_mined_points_of_a_shifted_film_are_its_shift(pool, monkeypatch):
    monkeypatch.setattr(nearest_mining, "PAIRS", 6)
    torch.manual_seed(0)
    branches = {"coarse": EmbeddingBranch(BranchConfig((16, 16), (1, 1), 32, FILM_WINDOW, 2)).eval()}
    pairs = mine_nearest(pool, branches, {"coarse": 1.2}, torch.float32, np.random.default_rng(0))
    names = {(pool.volumes[pair.first].name, pool.volumes[pair.second].name): pair for pair in pairs}
    assert {("one", "shifted"), ("shifted", "one")} <= set(names)
    for (first, second), pair in names.items():
        if "other" not in (first, second):
            expected = SHIFT if second == "shifted" else -SHIFT
            error = np.linalg.norm(pair.index_second - pair.index_first - expected, axis=1)
            assert np.median(error) < 2.0
    same = min(len(names[key].index_first) for key in (("one", "shifted"), ("shifted", "one")))
    assert all(len(pair.index_first) < same / 2 for key, pair in names.items() if "other" in key)


def test_levels_that_see_parts_of_images_alone_cannot_mine(sample_folder):
    pool = VolumePool.read(sample_folder, {}, CPU)
    branches = {"fine": EmbeddingBranch(BranchConfig((8, 8), (1, 1), 8)).eval()}
    with pytest.raises(UsageError, match="train a level of 4 mm or coarser first"):
        mine_nearest(pool, branches, {"fine": 2.0}, torch.float32, np.random.default_rng(0))


def test_a_run_on_films_mines_and_goes_on(pool, tmp_path, monkeypatch):
    monkeypatch.setattr(nearest_mining, "PAIRS", 4)
    monkeypatch.setattr(nearest_mining, "LEAST_POINTS", 8)
    level = dataclasses.replace(
        FILM_COARSE, patch_kji=(1, 96, 96), network=BranchConfig((8, 16), (1, 1), 16, FILM_WINDOW, 2)
    )
    config = dataclasses.replace(
        TrainingConfig.of("radiograph"),
        levels={"coarse": level},
        pairs_per_step=1,
        mine_from=0.5,
        mined_share=1.0,
    )
    trainer = Trainer(pool, config, tmp_path, CPU)
    trainer.run(steps=4)
    assert trainer.mined
    assert len(load_mined(tmp_path / "mined.npz")) == len(trainer.mined)
    unknown = Trainer(pool, dataclasses.replace(config, mine_by="chance"), tmp_path / "other", CPU)
    with pytest.raises(UsageError, match="cannot be mined by 'chance'; set mine_by to matching"):
        unknown.run(steps=4)
