"""Automatic landmarks of a phantom whose places are known, and validation by nearest neighbours."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import ndimage
from toy_bodies import APEX, CARINA, CREST, LUNG_END, MIDDLE_X, MIDDLE_Y, trunk

from SAMLandmarkLib.models.network import BranchConfig, EmbeddingBranch
from SAMLandmarkLib.training.config import TrainingConfig
from SAMLandmarkLib.training.modalities import CT
from SAMLandmarkLib.training.nearest import EmbeddedImage, nearest
from SAMLandmarkLib.training.pool import VolumePool
from SAMLandmarkLib.training.pseudo_landmarks import pseudo_landmarks
from SAMLandmarkLib.training.validation import Validation, ValidationScan
from SAMLandmarkLib.utils.errors import UsageError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def hu() -> np.ndarray:
    return trunk()


@pytest.fixture(scope="module")
def pool(hu, tmp_path_factory) -> VolumePool:
    """The phantom with a texture that tells its places apart, a shifted copy of it, and air."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=hu.shape), 3.0)
    textured = (hu + 60 * noise / noise.std()).astype(np.int16)
    shifted = np.roll(textured, (8, 8, 8), axis=(0, 1, 2))
    path = tmp_path_factory.mktemp("packed") / "volumes.npz"
    np.savez(path, **{"torso/one": textured, "torso/other": shifted, "torso/air": hu * 0 - 1024})
    return VolumePool.read(path, {}, CPU, spacings_mm=[2.0, 4.0, 8.0])


def test_landmarks_of_the_phantom_are_where_it_has_them(hu):
    found = pseudo_landmarks(hu, 2.0)
    for side, name in ((-1, "right"), (1, "left")):
        np.testing.assert_allclose(
            found[f"lung_apex_{name}"], [MIDDLE_X + 33 * side, MIDDLE_Y, APEX - 4], atol=4
        )
        np.testing.assert_allclose(
            found[f"diaphragm_{name}"], [MIDDLE_X + 33 * side, MIDDLE_Y, LUNG_END + 20 + 4], atol=4
        )
        np.testing.assert_allclose(
            found[f"iliac_crest_{name}"], [MIDDLE_X + 40 * side, MIDDLE_Y, CREST], atol=3
        )
    np.testing.assert_allclose(found["carina"], [MIDDLE_X, MIDDLE_Y, CARINA], atol=5)


def test_what_the_field_of_view_cuts_off_is_left_out(hu):
    chest = pseudo_landmarks(hu[95:163], 2.0)
    assert not any(name.startswith(("lung_apex", "iliac_crest")) for name in chest)
    pelvis = pseudo_landmarks(hu[:75], 2.0)
    assert set(pelvis) == {"iliac_crest_right", "iliac_crest_left"}
    assert pseudo_landmarks(np.full((30, 30, 30), -1024, dtype=np.int16), 2.0) == {}


def at_cells(pool: VolumePool, cell_voxels: int) -> list[ValidationScan]:
    """The phantom and its shifted copy, with the middles of some cells inside the body as landmarks."""
    rng = np.random.default_rng(5)
    cells = rng.integers((6, 4, 4), (12, 10, 16), (12, 3)) * (8 // cell_voxels)
    places = (cells + 0.5) * cell_voxels - 0.5
    return [
        ValidationScan(pool.named(name), {str(n): place + shift for n, place in enumerate(places)})
        for name, shift in (("one", 0), ("other", 8))
    ]


@pytest.mark.parametrize(("spacing_mm", "cell_voxels"), [(4.0, 4), (8.0, 8)])
def test_a_shifted_copy_is_matched_by_any_network(pool, spacing_mm, cell_voxels):
    """Shifts by whole cells leave the features as they are, so that every cell finds itself."""
    torch.manual_seed(0)
    branch = EmbeddingBranch(BranchConfig((8, 16), (1, 1), 32)).eval()
    validation = Validation(at_cells(pool, cell_voxels), CT, torch.float32)
    errors = validation.errors({"level": branch}, {"level": spacing_mm})
    assert errors["level_mean_mm"] < 1.0


def test_fine_levels_are_looked_at_within_crops(pool):
    """The middle of a crop lies between eight cells, each 3.5 mm away; by chance the error would be 46 mm."""
    torch.manual_seed(0)
    branch = EmbeddingBranch(BranchConfig((8, 16), (1, 1), 32)).eval()
    errors = Validation(at_cells(pool, 2), CT, torch.float32).errors({"fine": branch}, {"fine": 2.0})
    assert 3.4 < errors["fine_median_mm"] < 12


def test_whole_image_levels_are_also_summed(pool):
    config = dataclasses.replace(TrainingConfig(), validation_volumes=("one", "other"))
    branches = {name: EmbeddingBranch(BranchConfig((8, 16), (1, 1), 8)).eval() for name in ("coarse", "body")}
    errors = Validation.of(pool, config, torch.float32).errors(branches, {"coarse": 4.0, "body": 8.0})
    names = ("coarse", "body", "summed")
    assert set(errors) == {f"{name}_{statistic}_mm" for name in names for statistic in ("mean", "median")}


def test_scans_without_common_landmarks_give_no_number(pool):
    config = dataclasses.replace(TrainingConfig(), validation_volumes=("one", "air"))
    validation = Validation.of(pool, config, torch.float32)
    branch = EmbeddingBranch(BranchConfig((8, 16), (1, 1), 8)).eval()
    assert validation.errors({"body": branch}, {"body": 8.0}) == {}


def test_a_scan_that_is_not_there_is_named(pool):
    config = dataclasses.replace(TrainingConfig(), validation_volumes=("nobody",))
    with pytest.raises(UsageError, match="no volume 'nobody' in the training data; check validation_volumes"):
        Validation.of(pool, config, torch.float32)


def test_scans_set_aside_are_not_drawn(pool):
    rest = pool.without(["other", "air"])
    assert [volume.name for volume in rest.volumes] == ["one"]
    assert rest.probabilities.tolist() == [1.0]


def test_levels_of_different_grids_are_summed_at_the_same_places():
    """Two levels that each know one place: the finer one decides among the cells of the coarser."""
    fine = torch.nn.functional.normalize(
        torch.randn(16, 8, 8, 8, generator=torch.Generator().manual_seed(1)), dim=0
    )
    coarse = torch.nn.functional.normalize(
        torch.randn(16, 4, 4, 4, generator=torch.Generator().manual_seed(2)), dim=0
    )
    image = {"fine": EmbeddedImage(fine, (2.0, 2.0, 2.0)), "coarse": EmbeddedImage(coarse, (4.0, 4.0, 4.0))}
    points = torch.tensor([[4.5, 8.5, 12.5], [2.5, 2.5, 4.5]])
    torch.testing.assert_close(nearest(points, image, image, ["fine", "coarse"]), points)
    torch.testing.assert_close(nearest(points, image, image, ["fine"]), points)
