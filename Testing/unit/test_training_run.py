"""Training on real CT: it learns, survives being cut off, and ends in a model file that works."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from SAMLandmarkLib.models.bundle import EmbeddingModel
from SAMLandmarkLib.models.precision import compute_dtype, precision_name
from SAMLandmarkLib.training import mining, trainer
from SAMLandmarkLib.training.checkpoint import averaged_network
from SAMLandmarkLib.training.command import TrainingRequest, export_runs, mean_state, run_training
from SAMLandmarkLib.training.config import TrainingConfig
from SAMLandmarkLib.training.losses import retrieval_accuracy, soft_info_nce
from SAMLandmarkLib.training.pool import VolumePool, pack
from SAMLandmarkLib.utils.errors import ModelError, UsageError

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
SMALL_BRANCH = {"patch_kji": [32, 32, 32], "channels": [8, 12, 16], "blocks": [1, 1, 1], "dimension": 16}
SMALL = {
    "fine": SMALL_BRANCH,
    "coarse": SMALL_BRANCH,
    "body": None,
    "pairs_per_step": 1,
    "anchors": 128,
    "warmup_steps": 4,
    # mining matches thousands of points; it has tests of its own
    "mine_from": 1.0,
}
LOG_STEPS = 15


@pytest.fixture(scope="module")
def config_path(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("config") / "small.json"
    path.write_text(json.dumps(SMALL))
    return path


def weights(run: Path) -> dict[str, torch.Tensor]:
    levels = torch.load(run / "checkpoint.pt", weights_only=True)["levels"]
    return {
        f"{name}.{key}": value for name, level in levels.items() for key, value in level["network"].items()
    }


def test_training_learns_and_exports_a_working_model(sample_folder, config_path, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "LOG_STEPS", LOG_STEPS)
    rows: list[dict] = []
    request = TrainingRequest(
        sample_folder, tmp_path / "run", steps=2 * LOG_STEPS, device="cpu", config=config_path
    )
    model_path = run_training(request, rows.append)
    assert [row["step"] for row in rows] == [LOG_STEPS, 2 * LOG_STEPS]
    assert rows[1]["coarse_loss"] < rows[0]["coarse_loss"]
    assert rows[1]["fine_loss"] < rows[0]["fine_loss"]
    assert [
        json.loads(line)["step"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    ] == [LOG_STEPS, 2 * LOG_STEPS]
    metadata = EmbeddingModel.load(model_path, "cpu").metadata
    assert metadata.training["steps"] == 2 * LOG_STEPS
    assert sorted(metadata.training["volumes"][""]) == ["followup", "template"]


@pytest.mark.every_processor
def test_a_step_computes_as_the_processor_can_and_the_model_says_how(sample_folder, config_path, tmp_path):
    precision = precision_name(compute_dtype(CPU))
    request = TrainingRequest(sample_folder, tmp_path / "run", steps=1, device="cpu", config=config_path)
    metadata = EmbeddingModel.load(run_training(request), "cpu").metadata
    assert metadata.training["steps_in"] == {precision: 1}
    checkpoint = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert checkpoint["precision"] == precision


def test_a_run_goes_on_in_another_precision_and_says_so(sample_folder, config_path, tmp_path, caplog):
    first = TrainingRequest(
        sample_folder, tmp_path / "run", steps=1, device="cpu", config=config_path, precision="fp32"
    )
    run_training(first)
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    state = torch.load(checkpoint, weights_only=True)
    # as a machine with bfloat16 would have left it
    for level in state["levels"].values():
        level["steps_in"] = {"bf16": 1}
    torch.save(state | {"precision": "bf16"}, checkpoint)
    path = run_training(replace(first, steps=2, resume=True))
    assert EmbeddingModel.load(path, "cpu").metadata.training["steps_in"] == {"bf16": 1, "fp32": 1}
    note = "goes on in fp32 from step 1; computed in bf16 before"
    assert note in caplog.text
    (row,) = map(json.loads, (tmp_path / "run" / "log.jsonl").read_text().splitlines())
    assert (row["step"], row["precision"], row["note"]) == (1, "fp32", note)


def test_checkpoint_of_a_network_of_another_shape_is_refused(sample_folder, config_path, tmp_path):
    request = TrainingRequest(sample_folder, tmp_path / "run", steps=1, device="cpu", config=config_path)
    run_training(request)
    other = tmp_path / "other.json"
    other.write_text(json.dumps(SMALL | {"fine": SMALL_BRANCH | {"dimension": 24}}))
    with pytest.raises(ModelError, match=r"checkpoint\.pt: the network there has another shape .*--config"):
        run_training(replace(request, steps=2, resume=True, config=other))


def test_channels_and_blocks_that_are_no_network_are_refused(sample_folder, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(SMALL | {"coarse": SMALL_BRANCH | {"blocks": [1, 1]}}))
    with pytest.raises(UsageError, match=r"channels \[8, 12, 16\] and blocks \[1, 1\] are no network"):
        run_training(TrainingRequest(sample_folder, tmp_path / "run", steps=1, device="cpu", config=path))


def test_resumed_run_ends_as_an_undisturbed_one(sample_folder, tmp_path, monkeypatch):
    config_path = tmp_path / "mining.json"
    config_path.write_text(json.dumps(SMALL | {"mine_from": 0.65}))
    monkeypatch.setattr(mining, "POINTS", 200)
    monkeypatch.setattr(mining, "LEAST_POINTS", 1)

    def run(name: str, steps: int, resume: bool = False) -> None:
        run_training(TrainingRequest(sample_folder, tmp_path / name, None, steps, resume, "cpu", config_path))

    # the learning rate follows the planned number of steps, so the part is planned as a whole and cut off
    run("straight", 4)
    with pytest.MonkeyPatch.context() as patch:
        original = trainer.Trainer._train_step

        def cut_off(self, pending, minutes, steps):
            if self.step == 2:
                self.save()
                raise KeyboardInterrupt
            return original(self, pending, minutes, steps)

        patch.setattr(trainer.Trainer, "_train_step", cut_off)
        with pytest.raises(KeyboardInterrupt):
            run("cut", 4)
    run("cut", 4, resume=True)
    straight, resumed = weights(tmp_path / "straight"), weights(tmp_path / "cut")
    for name, value in straight.items():
        torch.testing.assert_close(resumed[name], value, atol=1e-4, rtol=1e-3)


def test_the_mean_of_two_states_of_a_run_is_exported(sample_folder, config_path, tmp_path):
    for name, steps in (("first", 1), ("second", 3)):
        run_training(
            TrainingRequest(sample_folder, tmp_path / name, steps=steps, device="cpu", config=config_path)
        )
    path = export_runs([tmp_path / "second"], tmp_path / "mean.pt", "1", average_with=tmp_path / "first")
    assert EmbeddingModel.load(path, "cpu").metadata.training["averaged_with"]["steps"] == 1
    states = [
        averaged_network(torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)).state_dict()
        for name in ("first", "second")
    ]
    mean = mean_state(*states)
    name = "branches.1.head.weight"
    assert not torch.equal(states[0][name], states[1][name])
    torch.testing.assert_close(mean[name], (states[0][name] + states[1][name]) / 2)


def test_a_run_begins_with_the_last_weights_of_another(sample_folder, config_path, tmp_path):
    still = tmp_path / "still.json"
    still.write_text(json.dumps(SMALL | {"mine_from": 1.0, "learning_rate": 1e-12}))
    for name, config, start_from in (("first", config_path, None), ("second", still, tmp_path / "first")):
        run_training(
            TrainingRequest(
                sample_folder, tmp_path / name, None, 2, False, "cpu", config, start_from=start_from
            )
        )
    # the last weights are the averaged ones, which export takes too
    first = averaged_network(torch.load(tmp_path / "first" / "checkpoint.pt", weights_only=True))
    second = weights(tmp_path / "second")
    for name in ("coarse", "fine"):
        expected = first.branch(name).head.weight
        torch.testing.assert_close(second[f"{name}.head.weight"], expected, atol=1e-6, rtol=1e-5)
    with pytest.raises(ModelError, match="no checkpoint that a run can go on from"):
        run_training(
            TrainingRequest(
                sample_folder, tmp_path / "third", steps=1, config=config_path, start_from=tmp_path / "none"
            )
        )


def test_a_finished_folder_is_not_overwritten(sample_folder, config_path, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"")
    with pytest.raises(UsageError, match="holds a training run already; go on with --resume"):
        run_training(TrainingRequest(sample_folder, tmp_path, steps=1, device="cpu", config=config_path))


def test_damaged_checkpoint_is_named(sample_folder, config_path, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"half a checkpoint")
    with pytest.raises(ModelError, match=r"checkpoint\.pt: no checkpoint that a run can go on from"):
        run_training(
            TrainingRequest(sample_folder, tmp_path, steps=1, resume=True, device="cpu", config=config_path)
        )
    with pytest.raises(ModelError, match="no checkpoint that a run can go on from"):
        export_runs([tmp_path], tmp_path / "model.pt")


def test_length_is_asked_for(sample_folder, tmp_path):
    with pytest.raises(UsageError, match="--minutes N or --steps N"):
        run_training(TrainingRequest(sample_folder, tmp_path / "run"))


def test_folder_without_volumes_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(UsageError, match="no volume to train on"):
        run_training(TrainingRequest(tmp_path / "data", tmp_path / "run", steps=1, device="cpu"))


def test_unknown_setting_is_named(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"fine": {"temprature": 0.2}}')
    with pytest.raises(UsageError, match="fine: unknown setting temprature; known are .*temperature"):
        TrainingConfig.read(path)


def test_unreadable_volume_is_left_out_and_logged(sample_folder, tmp_path, caplog):
    group = tmp_path / "torso"
    group.mkdir()
    (group / "good.nii.gz").write_bytes((sample_folder / "template.nii.gz").read_bytes())
    (group / "bad.nii.gz").write_bytes(b"no volume")
    pool = VolumePool.read(tmp_path, {"torso": 1.0}, CPU)
    assert [(volume.group, volume.name) for volume in pool.volumes] == [("torso", "good")]
    assert "bad.nii.gz" in caplog.text


def test_packed_volumes_are_those_of_the_folder(sample_folder, tmp_path):
    pack(sample_folder, tmp_path / "volumes.npz")
    packed, read = (VolumePool.read(source, {}, CPU) for source in (tmp_path / "volumes.npz", sample_folder))
    for one, other in zip(packed.volumes, read.volumes, strict=True):
        assert one.name == other.name
        torch.testing.assert_close(one.values[2.0], other.values[2.0])


def test_group_weights_decide_what_is_drawn(sample_folder, tmp_path):
    for group in ("torso", "limb"):
        (tmp_path / group).mkdir()
        (tmp_path / group / "scan.nii.gz").write_bytes((sample_folder / "template.nii.gz").read_bytes())
    pool = VolumePool.read(tmp_path, {"torso": 0.9, "limb": 0.1}, CPU)
    rng = np.random.default_rng(0)
    drawn = [pool.draw(rng).group for _ in range(400)]
    assert 0.85 < drawn.count("torso") / 400 < 0.95


def test_loss_falls_as_vectors_agree_and_rises_with_far_confusion():
    eye = torch.eye(6)
    distance = torch.full((6, 6), 50.0).fill_diagonal_(0.0)
    agreeing = soft_info_nce(eye, eye, distance, 4.0, 0.1)
    confused = soft_info_nce(eye, eye.roll(1, 0), distance, 4.0, 0.1)
    forgiven = soft_info_nce(eye, eye.roll(1, 0), torch.full((6, 6), 0.5), 4.0, 0.1)
    assert agreeing < 0.01 < forgiven < confused
    assert retrieval_accuracy(eye, eye, distance, 5.0) == 1.0
    assert retrieval_accuracy(eye, eye.roll(1, 0), distance, 5.0) == 0.0
