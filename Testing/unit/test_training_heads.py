"""Heads in MR: images of any contrast from label maps, of which every voxel corresponds, and a network that no contrast moves."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy.ndimage import gaussian_filter

from SAMLandmarkLib.models.bundle import EmbeddingModel
from SAMLandmarkLib.models.embedding_network import EmbeddingNetwork, LevelConfig
from SAMLandmarkLib.models.network import BranchConfig
from SAMLandmarkLib.models.self_similarity import branch_of, cell_similarities
from SAMLandmarkLib.training.command import TrainingRequest, run_training
from SAMLandmarkLib.training.config import TrainingConfig
from SAMLandmarkLib.training.label_rendering import OUTSIDE_HEAD, random_contrast, render_labels
from SAMLandmarkLib.training.levels import HEAD_FINE
from SAMLandmarkLib.training.modalities import MR_BRAIN
from SAMLandmarkLib.training.mr_appearance import vary_head
from SAMLandmarkLib.training.pairs import draw_pair
from SAMLandmarkLib.training.pool import VolumePool

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
SMALL = dataclasses.replace(HEAD_FINE, patch_kji=(32, 32, 32), cut_share=0.0, anchors=200)
SKIN, LEFT_WHITE, RIGHT_WHITE, FLUID = 507, 2, 41, 24


def label_map(seed: int = 0) -> np.ndarray:
    """A ball of skin about two halves of a brain, with fluid in random places, `[z,y,x]`."""
    shape = (50, 54, 46)
    z, y, x = (np.indices(shape).T - (np.array(shape) - 1) / 2).T
    radius = np.sqrt(x**2 + y**2 + z**2)
    labels = np.where(x < 0, LEFT_WHITE, RIGHT_WHITE)
    labels[gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2.5) > 0.01] = FLUID
    labels[radius > 17] = SKIN
    labels[radius > 21] = 0
    return labels.astype(np.int16)


def write(path: Path, array: np.ndarray, origin: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> None:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((2.0, 2.0, 2.0))
    image.SetOrigin(origin)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A label map, and one patient in two contrasts, of which the second shows less of the head."""
    folder = tmp_path_factory.mktemp("heads")
    labels = label_map()
    write(folder / "label-maps" / "subject_01.nii.gz", labels)
    first = np.choose(np.searchsorted([0, 2, 24, 41, 507], labels), [0, 200, 30, 200, 120]).astype(np.int16)
    second = np.choose(np.searchsorted([0, 2, 24, 41, 507], labels), [0, 60, 220, 60, 90]).astype(np.int16)
    noise = np.random.default_rng(1).integers(0, 9, labels.shape)
    write(folder / "images" / "anna_T1.nii.gz", first + noise)
    write(folder / "images" / "anna_T2.nii.gz", (second + noise)[10:], (0.0, 0.0, 20.0))
    return folder


@pytest.fixture(scope="module")
def pool(folder) -> VolumePool:
    return VolumePool.read(folder, {}, CPU, MR_BRAIN, [2.0, 4.0])


def test_contrasts_of_one_patient_lie_on_one_grid_and_tell_where_they_end(pool):
    patient = next(volume for volume in pool.volumes if volume.group == "images")
    assert patient.name == "anna" and len(patient.others) == 1
    first, second = patient.values[2.0], patient.others[0][2.0]
    assert first.shape == second.shape == (50, 54, 46)
    assert (second[:10] == OUTSIDE_HEAD).all() and (second[10:] > OUTSIDE_HEAD).all()
    inside = first[12:] > 0.3
    assert np.corrcoef(first[12:][inside], second[12:][inside])[0, 1] < -0.5


def test_a_label_map_is_read_as_labels(pool):
    subject = next(volume for volume in pool.volumes if volume.group == "label-maps")
    np.testing.assert_array_equal(subject.labels.numpy(), label_map())
    x, y, z = subject.body_ijk.astype(int).T
    assert set(np.unique(label_map()[z, y, x])) == {LEFT_WHITE, RIGHT_WHITE, FLUID}


def test_images_of_a_label_map_differ_in_contrast_alone():
    labels = torch.from_numpy(label_map())
    images = [render_labels(labels, np.random.default_rng(seed)) for seed in range(12)]
    stripped = [bool((image == OUTSIDE_HEAD).any()) for image in images]
    assert any(stripped) and not all(stripped)
    brain = ((labels > 0) & (labels < 500)).numpy()
    for image, without in zip(images, stripped, strict=True):
        assert torch.equal(image == OUTSIDE_HEAD, torch.from_numpy(~brain)) if without else image.min() >= 0
        assert image.max() <= 1
    order = {tuple(np.argsort([image[labels == label].mean() for label in (2, 24, 507)])) for image in images}
    assert len(order) >= 3, "the same tissue is the brightest in every contrast"


def test_a_part_of_an_image_is_that_part_of_the_whole(pool):
    labels = torch.from_numpy(label_map())
    box = (slice(10, 40), slice(5, 30), slice(8, 30))
    part = render_labels(labels, np.random.default_rng(4), box)
    assert (
        (part[box] >= 0).any() and (part[:10] == OUTSIDE_HEAD).all() and (part[:, 30:] == OUTSIDE_HEAD).all()
    )


def test_both_sides_have_one_contrast():
    means, spreads = random_contrast(np.random.default_rng(0))
    assert means[LEFT_WHITE] == means[RIGHT_WHITE] and spreads[17] == spreads[53]
    assert means[0] == 0


@pytest.mark.parametrize("group", ["label-maps", "images"])
def test_corresponding_points_lie_in_the_same_tissue(pool, group, monkeypatch):
    """With labels in the place of contrasts: what a point shows in one view it shows in the other."""
    monkeypatch.setattr(
        "SAMLandmarkLib.training.pool.render_labels", lambda labels, rng, box: (labels == FLUID).float()
    )
    of_group = VolumePool([volume for volume in pool.volumes if volume.group == group], {}, MR_BRAIN)
    config = TrainingConfig.of("mr-brain")
    agree, by_chance = [], []
    for seed in range(4):
        pair = draw_pair(of_group, SMALL, config, np.random.default_rng(seed), appearance=False)
        first, second = (
            image[tuple(index.round().long().T.flip(0))]
            for image, index in ((pair.image_a, pair.index_a), (pair.image_b, pair.index_b))
        )
        agree.append(abs(np.corrcoef(first, second)[0, 1]))
        by_chance.append(abs(np.corrcoef(first, second.roll(7))[0, 1]))
    if group == "images":
        assert np.median(agree) > 0.6 and np.median(by_chance) < 0.4
    else:
        # points in fluid alone are anchors, and most of them are in fluid in the other view
        assert len(pair.index_a) >= 96 and float(second.mean()) > 0.6


def test_looks_change_but_the_outside_stays_outside():
    image = torch.rand(24, 24, 24)
    image[:, :, :6] = OUTSIDE_HEAD
    for seed in range(10):
        varied = vary_head(image, SMALL, np.random.default_rng(seed))
        assert torch.equal(varied == OUTSIDE_HEAD, image == OUTSIDE_HEAD)
        assert torch.isfinite(varied).all() and not torch.allclose(varied, image)
    cut = vary_head(image, dataclasses.replace(SMALL, cut_share=1.0), np.random.default_rng(3))
    assert (cut == OUTSIDE_HEAD).sum() > (image == OUTSIDE_HEAD).sum()


def test_similarities_of_neighbours_do_not_see_the_contrast():
    labels = torch.from_numpy(label_map())[None, None]
    one = torch.where(labels == FLUID, 0.2, 0.8) * (labels > 0)
    other = torch.where(labels == FLUID, 0.9, 0.3) * (labels > 0)
    brain = (labels > 0) & (labels < 500)
    cells = torch.nn.functional.avg_pool3d(brain.float(), 8, 2, 3)[0, 0] == 1
    seen = [cell_similarities(image * 1.0, 1)[0][:, cells] for image in (one, other, 1 - one)]
    assert (seen[0] - seen[2]).abs().max() < 1e-3
    assert (seen[0] - seen[1]).abs().mean() < 0.02 < seen[0].std()


def test_a_branch_with_self_similarity_is_the_same_in_slabs_and_from_its_description():
    config = BranchConfig((8, 12), (1, 1), 8, ((0.0, 1.0),), 3, (1, 2))
    torch.manual_seed(0)
    network = EmbeddingNetwork([LevelConfig("fine", 2.0, config)]).eval()
    again = EmbeddingNetwork.from_config(json.loads(json.dumps(network.network_config()))).eval()
    again.load_state_dict(network.state_dict())
    branch, values = again.branches[0], torch.rand(1, 1, 16, 16, 120)
    with torch.no_grad():
        torch.testing.assert_close(branch(values), network.branches[0](values))
        halo = branch.tile_halo
        part = branch._finest_level(values[..., 40 - halo : 80 + halo])[..., halo // 2 : halo // 2 + 20]
        torch.testing.assert_close(part, branch._finest_level(values)[..., 20:40])


def test_networks_without_self_similarity_are_described_as_before():
    network = EmbeddingNetwork([LevelConfig("fine", 2.0, BranchConfig((8, 12), (1, 1), 8))])
    assert "self_similarity" not in network.network_config()["levels"][0]["branch"]
    assert type(branch_of(BranchConfig((8, 12), (1, 1), 8))).__name__ == "EmbeddingBranch"


def test_training_on_heads_learns_to_find_places_in_any_contrast(folder, tmp_path):
    branch = {"channels": [8, 16], "blocks": [1, 1], "dimension": 16}
    config = {
        "modality": "mr-brain",
        "coarse": None,
        "fine": {"patch_kji": [32, 32, 32], "network": branch, "anchors": 64},
        "warmup_steps": 5,
    }
    path = tmp_path / "heads.json"
    path.write_text(json.dumps(config))
    rows: list[dict] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("SAMLandmarkLib.training.trainer.LOG_STEPS", 10)
        request = TrainingRequest(folder, tmp_path / "run", steps=30, config=path, device="cpu")
        model = EmbeddingModel.load(run_training(request, rows.append), "cpu")
    assert rows[-1]["fine_loss"] < rows[0]["fine_loss"] - 0.2
    assert model.modality.name == "mr-brain" and model.metadata.error_limit_mm == MR_BRAIN.error_limit_mm
    assert model.metadata.matching["accurate"].refinement.compared == "self_similarity"
