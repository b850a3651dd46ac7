"""Pretext tasks on slices: exact targets under augmentation, losses that know the truth, and runs that learn and resume."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_exams import write_exams
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app
from SAMLandmarkLib.core.planes import SlicePlane, line_of
from SAMLandmarkLib.models.encoder import EmbeddingEncoder
from SAMLandmarkLib.models.network import BranchConfig
from SAMLandmarkLib.training.encoder_export import EncoderRequest, export_encoder
from SAMLandmarkLib.training.film_appearance import OUTSIDE_FILM
from SAMLandmarkLib.training.pretrain_command import PretrainRequest, read_run, run_pretraining
from SAMLandmarkLib.training.pretrain_config import SLICE_LEVEL, PretrainConfig, tasks_of
from SAMLandmarkLib.training.pretrain_validation import validated
from SAMLandmarkLib.training.pretraining import SliceTrainer
from SAMLandmarkLib.training.slice_samples import (
    NO_AUGMENTATION,
    Augmentation,
    cell_plane,
    draw_sample,
    draw_two_views,
    picture,
    sampled_plane,
)
from SAMLandmarkLib.training.slices import GuidePlane, PoolSlice, SlicePool
from SAMLandmarkLib.training.tasks import SliceFeatures, lines, location, slice_task_named, task_named
from SAMLandmarkLib.utils.errors import ModelError, UsageError

pytestmark = pytest.mark.slow

BRANCH = BranchConfig((8, 12, 16), (1, 1, 1), 8, ((0.0, 1.0),), 2)
LEVEL = dataclasses.replace(
    SLICE_LEVEL, spacing_mm=4.0, patch_kji=(1, 48, 48), network=BRANCH, hidden_voxels=(2, 6)
)
WILD = Augmentation(rotation_degrees=180.0, log_scale=0.3, shift_mm=20.0)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def exams(tmp_path_factory) -> Path:
    return write_exams(tmp_path_factory.mktemp("exams"), 6)


@pytest.fixture(scope="module")
def pool(exams) -> SlicePool:
    return SlicePool.read(exams, LEVEL.spacing_mm)


def test_a_pool_knows_views_guides_and_locations(pool):
    assert pool.views == ("four chambers", "short axis")
    assert len(pool.exams) == 6 and len(pool.slices) == 36
    stack = [part for part in pool.slices if part.exam == "P00" and part.view == "short axis"]
    assert [part.location for part in stack] == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0], abs=0.02)
    alone = next(part for part in pool.slices if part.view == "four chambers")
    assert alone.location is None and set(alone.guides) == {"short axis"}
    training, held_out = pool.split(3)
    assert held_out.exams == ("P02", "P05") and not set(training.exams) & set(held_out.exams)


def test_targets_follow_the_augmentation_exactly(pool):
    """A cell's distance is that of its own place in the patient, however the sample was turned, scaled and shifted."""
    rng = np.random.default_rng(0)
    part = next(part for part in pool.slices if part.view == "short axis")
    guide = part.guides["four chambers"].plane
    point, direction = line_of(part.plane, guide)
    for _ in range(20):
        sample = draw_sample(part, pool.views, LEVEL, WILD, rng)
        cells = cell_plane(sample.plane)
        places = cells.grid_lps()
        along = (places - point) @ direction
        expected = np.linalg.norm(places - point - along[..., None] * direction, axis=-1)
        assert np.abs(sample.distance_mm[0].abs().numpy() - expected).max() < 1e-4
        assert not sample.defined[1].any()
        outside = ~part.plane.contains_pixels(part.plane.pixels_of(places))
        assert sample.defined[0].any() and not sample.defined[0].numpy()[outside].any()


def test_pictures_show_the_same_places_whatever_the_augmentation(pool):
    rng = np.random.default_rng(1)
    part = pool.slices[0]
    plain = picture(part, part.plane)[0]
    assert np.abs(plain.numpy() - part.values).max() < 1e-5
    turned = sampled_plane(part.plane, LEVEL, WILD, rng)
    image = picture(part, turned)[0].numpy()
    pixels = part.plane.pixels_of(turned.grid_lps())
    inside = part.plane.contains_pixels(pixels)
    assert (image[~inside] == OUTSIDE_FILM).all() and inside.any() and not inside.all()
    inner = inside & (np.abs(pixels - 23.5) < 22).all(axis=-1)
    nearest = np.rint(pixels[inner]).astype(int)
    assert np.abs(image[inner] - part.values[nearest[:, 1], nearest[:, 0]]).mean() < 0.03


def test_two_views_correspond(pool):
    part = pool.slices[2]
    pair = draw_two_views(part, LEVEL, WILD, 64, np.random.default_rng(2))
    assert 16 < len(pair.index_a) <= 64 and pair.index_a.shape == pair.index_b.shape
    assert (pair.index_b[:, :2] >= -0.5).all() and (pair.index_b[:, :2] <= 47.5).all()
    assert pair.image_a.shape == (1, 48, 48)


def test_a_perfect_network_has_no_loss_and_finds_every_line(pool):
    rng = np.random.default_rng(0)
    part = next(part for part in pool.slices if part.view == "short axis")
    samples = [draw_sample(part, pool.views, LEVEL, NO_AUGMENTATION, rng)]
    heat = torch.exp(-samples[0].distance_mm.square() / (2 * samples[0].sd_mm[:, None, None] ** 2))
    for target, told in (
        ("heat", heat),
        ("distance", samples[0].distance_mm.clamp(-40, 40) / lines.FARTHEST_MM),
    ):
        head = lines.Head((8, 12, 16), 2, 2, target)
        head.maps = torch.nn.Identity()
        features = SliceFeatures([], told[None, :, None])
        right = lines.outcome(features, samples, head)
        assert right.loss.item() < 1e-9 and right.accuracy.item() == 1.0
        wrong = lines.outcome(SliceFeatures([], told[None, :, None].roll(8, -2)), samples, head)
        assert wrong.loss.item() > 0.01 and wrong.accuracy.item() < 1.0


def test_line_errors_are_in_mm():
    distance = (torch.arange(32.0) * 4 - 64).expand(1, 1, 32, 32)
    defined = torch.ones(1, 1, 32, 32, dtype=torch.bool)
    for shift in (0, 3, -5):
        heat = torch.exp(-(distance - 4 * shift).square() / 72)
        error = lines.line_errors_mm(heat, distance, defined)
        assert error.item() == pytest.approx(4 * abs(shift), abs=1e-4)
        assert lines.sureness(heat, distance, defined).item() == pytest.approx(1.0, abs=1e-4)
    assert lines.line_errors_mm(heat, distance, ~defined).isnan().all()
    assert lines.sureness(0.2 * heat, distance, defined).item() == pytest.approx(0.2, abs=1e-4)


def test_locations_that_are_not_known_do_not_count(pool):
    samples = [
        draw_sample(part, pool.views, LEVEL, NO_AUGMENTATION, np.random.default_rng(0))
        for part in pool.slices[:6]
    ]
    head = location.Head((8, 12, 16), 8, 2)
    head.layers = torch.nn.Sequential(torch.nn.Identity())
    told = torch.tensor([0.5 if np.isnan(s.location) else s.location + 0.2 for s in samples])
    features = SliceFeatures([(told - 0.5)[:, None, None, None, None]], torch.zeros(1))
    found = location.outcome(features, samples, head)
    assert found.loss.item() == pytest.approx(0.04, abs=1e-5) and found.accuracy.item() == 0.0


def test_tasks_are_known_by_name():
    assert tasks_of("both+contrastive") == ("lines", "location", "contrastive")
    assert slice_task_named("lines") is lines
    with pytest.raises(UsageError, match="lines, location, both, contrastive"):
        tasks_of("both+colour")
    with pytest.raises(UsageError, match="samlandmark pretrain"):
        task_named("location")
    with pytest.raises(UsageError, match="no task on slices"):
        slice_task_named("dense")


def test_lines_and_locations_are_learnt(pool, tmp_path):
    config = PretrainConfig(
        ("lines", "location"), pool.views, LEVEL, batch=6, learning_rate=5e-3, warmup_steps=5
    )
    trainer = SliceTrainer(pool, config, tmp_path, CPU)
    told = [trainer.train_step(30) for _ in range(30)]
    for task, share in (("lines", 0.7), ("location", 0.7)):
        losses = [row[f"{task}_loss"] for row in told]
        assert np.mean(losses[-8:]) < share * np.mean(losses[:3]), task


def test_stacks_that_are_stored_the_other_way_round_are_counted(pool, tmp_path):
    config = PretrainConfig(("location",), (), LEVEL, batch=8, learning_rate=5e-3, warmup_steps=5)
    trainer = SliceTrainer(pool.with_locations(), config, tmp_path, CPU)
    for _ in range(80):
        trainer.train_step(80)
    network, heads = trainer.averaged()
    told = validated(network, heads, pool, config)
    assert told["stacks"] == told["stacks_in_order"] == 6
    turned = tuple(
        dataclasses.replace(part, location=1 - part.location)
        if part.exam == "P01" and part.location is not None
        else part
        for part in pool.slices
    )
    told = validated(network, heads, dataclasses.replace(pool, slices=turned), config)
    assert (told["stacks"], told["stacks_in_order"]) == (6, 5)


def request(exams: Path, output: Path, **changes) -> PretrainRequest:
    return dataclasses.replace(
        PretrainRequest("both", exams, output, steps=3, hold_out=3, device="cpu", level=LEVEL, batch=6),
        **changes,
    )


def test_a_run_goes_on_where_it_was_cut_off(exams, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    said: list[str] = []
    run_pretraining(request(exams, whole, task="both+contrastive", steps=4), said.append)
    assert any("6 exams with 36 slices, 30 of them in a stack" in text for text in said)
    config = json.loads((whole / "run.json").read_text())
    assert config["held_out"] == ["P02", "P05"]
    measured = json.loads((whole / "validation.json").read_text())
    assert measured["slices"] == 12 and 0 < measured["line_error_median_mm"] < 100
    assert measured["locations"] == 10 and 0 < measured["location_error_mean"] < 1.5
    assert measured["stacks"] == 2 and 0 <= measured["stacks_in_order"] <= 2
    # a run of four steps that is stopped after two, and goes on
    real_run = SliceTrainer.run
    trained = []

    def stop_after_two(trainer, steps, report=None):
        trained.append(trainer)
        while trainer.step < 2:
            trainer.train_step(steps)
        trainer.save()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SliceTrainer, "run", stop_after_two)
        run_pretraining(request(exams, parts, task="both+contrastive", steps=4))
    assert SliceTrainer.run is real_run
    with pytest.raises(UsageError, match="--resume"):
        run_pretraining(request(exams, parts, task="both+contrastive", steps=4))
    with pytest.raises(ModelError, match="other tasks"):
        run_pretraining(request(exams, parts, task="lines", steps=4, resume=True))
    path = run_pretraining(request(exams, parts, task="both+contrastive", steps=4, resume=True))
    first, second = (EmbeddingEncoder.load(folder / "encoder.safetensors") for folder in (whole, parts))
    for name, value in first.branch.state_dict().items():
        assert torch.allclose(value, second.branch.state_dict()[name], atol=1e-6), name
    assert path == parts / "encoder.safetensors"


def test_a_run_gives_its_weights_and_its_eyes(exams, tmp_path):
    run_pretraining(request(exams, tmp_path / "run", steps=1))
    exported = export_encoder(EncoderRequest(str(tmp_path / "run"), tmp_path / "e.safetensors"))
    encoder = EmbeddingEncoder.load(exported)
    assert encoder.source.modality.name == "slice" and encoder.wanted.spacing_mm == 4.0
    run = read_run(tmp_path / "run")
    assert run.views == ("four chambers", "short axis") and set(run.heads) == {"lines", "location"}
    with torch.no_grad():
        values = torch.rand(1, 1, 1, 48, 48)
        assert torch.equal(run.network.branch(values), encoder.branch(values))
    with pytest.raises(ModelError, match="checkpoint"):
        read_run(tmp_path)


def test_planes_are_located_with_and_without_a_network(exams, tmp_path):
    run_pretraining(request(exams, tmp_path / "run", steps=1))
    command = ["planes", str(exams / "P00"), "--locate", "--output", str(tmp_path / "pictures")]
    plain = CliRunner().invoke(app, command)
    assert plain.exit_code == 0, plain.output
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        "P00-four-chambers.png",
        "P00-short-axis.png",
    }
    seen = CliRunner().invoke(app, [*command, "--run", str(tmp_path / "run"), "--view", "short"])
    assert seen.exit_code == 0, seen.output
    assert seen.output.count(".png") == 1
    none = CliRunner().invoke(app, [*command, "--view", "sagittal"])
    assert none.exit_code == 2 and "P00: short axis (5), four chambers (1)" in none.output
    wrong = CliRunner().invoke(app, ["planes", str(exams), "--output", str(tmp_path), "--view", "x"])
    assert wrong.exit_code == 2 and "belong to --locate" in wrong.output


def test_what_cannot_be_learnt_is_refused(pool):
    plane = SlicePlane(np.zeros(3), *(4.0 * np.eye(3)[:2]), 48, 48)
    alone = PoolSlice("P", "stack", "s", plane, np.zeros((48, 48), np.float32), {}, None)
    with pytest.raises(UsageError, match="--task location"):
        SlicePool((alone,), ()).with_lines()
    with pytest.raises(UsageError, match="--task lines"):
        SlicePool((alone,), ()).with_locations()
    guide = {"x": GuidePlane(plane, None)}
    parallel = dataclasses.replace(alone, guides=guide)
    sample = draw_sample(parallel, ("x",), LEVEL, NO_AUGMENTATION, np.random.default_rng(0))
    assert not sample.defined.any()
