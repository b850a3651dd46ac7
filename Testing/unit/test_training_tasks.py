"""Tasks, warm starts and levels: every cell a candidate, weights of a model file, levels trained one by one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from SAMLandmarkLib.models.bundle import EmbeddingModel, read_network
from SAMLandmarkLib.models.model_card import bundled_model
from SAMLandmarkLib.models.network import BranchConfig, EmbeddingBranch
from SAMLandmarkLib.training.checkpoint import finished, read_checkpoint
from SAMLandmarkLib.training.command import TrainingRequest, export_runs, run_training
from SAMLandmarkLib.training.config import BODY, COARSE, TrainingConfig
from SAMLandmarkLib.training.pairs import draw_pair
from SAMLandmarkLib.training.pool import VolumePool
from SAMLandmarkLib.training.tasks import task_named
from SAMLandmarkLib.training.tasks.dense import cell_places, look_up
from SAMLandmarkLib.training.warm_start import load_unfolded, network_of_model_file
from SAMLandmarkLib.utils.errors import ModelError, UsageError

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
BRANCH = {"channels": [8, 16, 24], "blocks": [1, 1, 1], "dimension": 16}
SMALL = {
    "coarse": {"patch_kji": [32, 48, 48], "network": BRANCH},
    "body": {"patch_kji": [24, 40, 40], "network": BRANCH},
    "fine": None,
    "pairs_per_step": 1,
    "warmup_steps": 4,
    "mine_from": 1.0,
}
PATCH = (8, 12, 16)
TINY = dataclasses.replace(BODY, patch_kji=PATCH, spacing_mm=8.0, softness_mm=8.0, hit_mm=12.0)


def run(folder: Path, sample_folder: Path, **changes) -> Path:
    path = folder.parent / "small.json"
    path.write_text(json.dumps(SMALL))
    request = TrainingRequest(sample_folder, folder, steps=2, device="cpu", config=path)
    return run_training(dataclasses.replace(request, **changes))


def distinct_features() -> torch.Tensor:
    """Features of which each cell is its own direction."""
    cells = 4 * 6 * 8
    return torch.eye(cells).reshape(cells, 4, 6, 8)


def test_cells_lie_where_the_network_puts_them():
    places = cell_places((4, 6, 8), PATCH, torch.zeros(1))
    assert places[0].tolist() == [0.5, 0.5, 0.5]
    assert places[-1].tolist() == [14.5, 10.5, 6.5]
    flat = cell_places((1, 6, 8), (1, 12, 16), torch.zeros(1))
    assert flat[0].tolist() == [0.5, 0.5, 0.0]


def test_the_dense_loss_is_least_where_the_true_cell_is_the_most_similar():
    features = distinct_features()
    index = torch.tensor([[4.5, 6.5, 2.5], [10.5, 2.5, 4.5]])
    right, accuracy = look_up(features, features, index, index, TINY, 0.0)
    wrong, none = look_up(features, features, index, index + torch.tensor([4.0, 0.0, 0.0]), TINY, 0.0)
    assert right < wrong
    assert (accuracy, none) == (1.0, 0.0)


def test_uncertain_correspondences_forgive_a_confusion_nearby():
    features = distinct_features()
    index = torch.tensor([[4.5, 6.5, 2.5]])
    beside = index + torch.tensor([2.0, 0.0, 0.0])

    def cost_of_confusion(slack_mm: float) -> torch.Tensor:
        right, _ = look_up(features, features, index, index, TINY, slack_mm)
        wrong, _ = look_up(features, features, index, beside, TINY, slack_mm)
        return wrong - right

    assert 0 < cost_of_confusion(16.0) < 0.5 * cost_of_confusion(0.0)


def test_every_cell_is_a_negative():
    """Making one far cell similar to the anchor raises the loss, wherever the cell is."""
    features = distinct_features()
    index = torch.tensor([[4.5, 6.5, 2.5]])
    before, _ = look_up(features, features, index, index, TINY, 0.0)
    confused = features.clone()
    confused[:, 3, 5, 7] = features[:, 1, 3, 2]
    after, _ = look_up(features, confused, index, index, TINY, 0.0)
    assert after > before + 0.1


def test_unknown_task_is_named():
    with pytest.raises(UsageError, match="Unknown task 'planes'; known are contrastive, dense"):
        task_named("planes")


def test_levels_trained_one_after_the_other_make_one_network(sample_folder, tmp_path):
    folder = tmp_path / "run"
    run(folder, sample_folder, levels=("body",))
    first = read_checkpoint(folder / "checkpoint.pt", CPU)
    assert list(first["levels"]) == ["body"]
    model = run(folder, sample_folder, levels=("coarse",), resume=True)
    second = read_checkpoint(folder / "checkpoint.pt", CPU)
    assert {name: level["step"] for name, level in second["levels"].items()} == {"body": 2, "coarse": 2}
    for name, value in first["levels"]["body"]["network"].items():
        torch.testing.assert_close(second["levels"]["body"]["network"][name], value, rtol=0, atol=0)
    record = json.loads((folder / "run.json").read_text())
    assert [part["trained_levels"] for part in record["parts"]] == [["body"], ["coarse"]]
    assert second["precision"] == record["precision"]
    rebuilt_as_stored(model, folder)


def rebuilt_as_stored(model: Path, run_folder: Path) -> None:
    """The model file alone gives the network that the run ended with."""
    network, metadata = read_network(model)
    expected, training = finished([run_folder])
    assert [level.name for level in network.levels] == ["coarse", "body"]
    assert metadata.training["levels"] == training["levels"]
    values = torch.rand(1, 1, 16, 16, 16) * 1000 - 500
    for one, other in zip(network.float().eval().branches, expected.branches, strict=True):
        torch.testing.assert_close(one(values), other(values), atol=0.05, rtol=0.05)


def test_runs_of_single_levels_in_folders_of_their_own_are_joined(sample_folder, tmp_path):
    for level in ("body", "coarse"):
        run(tmp_path / level, sample_folder, levels=(level,))
    network, training = finished([tmp_path / "body", tmp_path / "coarse"])
    assert [level.name for level in network.levels] == ["coarse", "body"]
    assert [list(part["levels"]) for part in training["runs"]] == [["body"], ["coarse"]]


def test_a_model_file_gets_another_level(sample_folder, tmp_path):
    run(tmp_path / "body", sample_folder, levels=("body",))
    path = export_runs([tmp_path / "body", bundled_model()], tmp_path / "joined.safetensors")
    joined, metadata = read_network(path)
    bundled, bundled_metadata = read_network(bundled_model())
    assert [level.name for level in joined.levels] == ["fine", "coarse", "body"]
    assert metadata.training["runs"][1]["model"] == bundled_metadata.version
    for name, values in bundled.state_dict().items():
        torch.testing.assert_close(joined.state_dict()[name], values, atol=0.05, rtol=0.05)


def test_unknown_level_is_named(sample_folder, tmp_path):
    with pytest.raises(UsageError, match="Unknown level torso; the configuration has coarse, body"):
        run(tmp_path / "run", sample_folder, levels=("torso",))


def test_a_configuration_of_another_shape_does_not_resume(sample_folder, tmp_path):
    folder = tmp_path / "run"
    run(folder, sample_folder, levels=("body",))
    other = tmp_path / "other.json"
    other.write_text(json.dumps(SMALL | {"body": {"network": BRANCH | {"dimension": 8}}}))
    with pytest.raises(ModelError, match="the network there has another shape .*'body'"):
        run(folder, sample_folder, levels=("body",), resume=True, config=other)


def test_a_branch_without_batch_norm_is_continued_in_training_mode(sample_folder):
    """The bundled model's coarse branch, given batch norms, computes the same with the statistics of the batch."""
    folded = network_of_model_file(bundled_model()).branch("coarse")
    pool = VolumePool.read(sample_folder, {}, CPU)
    pair = draw_pair(pool, COARSE, TrainingConfig(), np.random.default_rng(2))
    images = torch.stack([pair.image_a, pair.image_b])[:, None]
    branch = EmbeddingBranch(COARSE.network)
    load_unfolded(branch, folded, images)
    with torch.no_grad():
        expected = functional.normalize(folded(images), dim=1)
        for mode in (branch.eval, branch.train):
            cosine = (functional.normalize(mode()(images), dim=1) * expected).sum(dim=1)
            assert cosine.mean() > 0.995


def test_the_model_file_gives_the_weights_that_it_computes_with(sample_folder):
    hu = torch.rand(1, 1, 32, 32, 32, generator=torch.Generator().manual_seed(1)) * 800 - 600
    network = network_of_model_file(bundled_model())
    expected = EmbeddingModel.load(device="cpu").embed_level(1, hu).permute(3, 0, 1, 2).float()
    pooled = functional.avg_pool3d(hu, 2)
    with torch.no_grad():
        computed = functional.normalize(network.branch("coarse")(pooled)[0], dim=0)
    assert (computed * expected).sum(dim=0).mean() > 0.98


def test_starting_from_another_shape_is_refused(sample_folder, tmp_path):
    with pytest.raises(ModelError, match="level 'coarse' cannot start from these weights"):
        run(tmp_path / "run", sample_folder, levels=("coarse",), start_from=bundled_model())


def test_a_level_that_is_resumed_keeps_its_weights_and_a_new_one_starts_from_the_others(
    sample_folder, tmp_path
):
    run(tmp_path / "other", sample_folder)
    folder = tmp_path / "run"
    run(folder, sample_folder, levels=("body",))
    before = read_checkpoint(folder / "checkpoint.pt", CPU)["levels"]["body"]["average"]
    still = tmp_path / "still.json"
    still.write_text(json.dumps(SMALL | {"learning_rate": 1e-12}))
    # as many steps as the body level has already: only the coarse one is trained
    run(folder, sample_folder, resume=True, start_from=tmp_path / "other", config=still)
    after = read_checkpoint(folder / "checkpoint.pt", CPU)["levels"]
    other, _ = finished([tmp_path / "other"])
    torch.testing.assert_close(after["body"]["average"]["head.weight"], before["head.weight"], rtol=0, atol=0)
    expected = other.branch("coarse").head.weight
    torch.testing.assert_close(after["coarse"]["network"]["head.weight"], expected, atol=1e-6, rtol=1e-5)


def test_a_new_level_can_be_described_in_the_file(tmp_path):
    path = tmp_path / "config.json"
    new = dataclasses.asdict(BODY) | {"spacing_mm": 16.0}
    path.write_text(json.dumps({"fine": None, "levels": {"whole": new}}))
    config = TrainingConfig.read(path)
    assert list(config.levels) == ["coarse", "body", "whole"]
    assert config.levels["whole"].network == BranchConfig(**dataclasses.asdict(BODY.network))
    assert [level.name for level in config.network_levels(["whole", "coarse"])] == ["coarse", "whole"]
    path.write_text(json.dumps({"levels": {"whole": {"spacing_mm": 16.0}}}))
    with pytest.raises(UsageError, match="whole: the new level is not fully described"):
        TrainingConfig.read(path)


def test_spacings_that_no_pooling_gives_are_refused(sample_folder):
    with pytest.raises(UsageError, match="5 mm cannot be trained on ct: spacings must be multiples of 2 mm"):
        VolumePool.read(sample_folder, {}, CPU, spacings_mm=[5.0])
