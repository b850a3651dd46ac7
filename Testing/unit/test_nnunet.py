"""nnU-Net's own network, taught with ours: nnU-Net's own function loads the file, and the lesson is learnt."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_runs import run_folder, some_network

from SAMLandmarkLib.models.encoder import EmbeddingEncoder
from SAMLandmarkLib.training.encoder_export import EncoderRequest, export_encoder
from SAMLandmarkLib.training.nnunet import Plans, default_plans, distance, distil, intensity_properties
from SAMLandmarkLib.utils.errors import UsageError

INTENSITY = {"mean": 40.0, "std": 300.0, "percentile_00_5": -900.0, "percentile_99_5": 1200.0}


def plans_file(path: Path, channels: tuple[int, ...] = (8, 12, 16), side: int = 32) -> Path:
    """The part of nnU-Net's plans that is read, as nnU-Net 2.5 writes it."""
    plans = default_plans(INTENSITY, channels)
    architecture = {
        "network_class_name": plans.class_name,
        "arch_kwargs": dict(plans.arguments),
        "_kw_requires_import": list(plans.imported),
    }
    document = {
        "foreground_intensity_properties_per_channel": {"0": INTENSITY},
        "configurations": {"3d_fullres": {"patch_size": [side] * 3, "architecture": architecture}},
    }
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def encoder(tmp_path) -> EmbeddingEncoder:
    run = run_folder(tmp_path / "run", some_network())
    return EmbeddingEncoder.load(export_encoder(EncoderRequest(str(run), tmp_path / "e.safetensors")))


def test_plans_normalise_as_nnunet_does(tmp_path):
    plans = Plans.read(plans_file(tmp_path / "plans.json"))
    given = plans.normalised(torch.tensor([-2000.0, 40.0, 3000.0]))
    assert given.tolist() == pytest.approx([-940 / 300, 0.0, 1160 / 300])
    assert plans.patch_kji == (32, 32, 32)


def test_intensity_properties_are_those_of_the_tissue():
    rng = np.random.default_rng(0)
    tissue = rng.normal(50, 100, (60, 60, 60))
    volume = np.where(rng.random(tissue.shape) < 0.5, tissue, -1024)
    found = intensity_properties([volume], -950)
    assert found["mean"] == pytest.approx(50, abs=6) and found["std"] == pytest.approx(100, abs=5)
    assert found["percentile_99_5"] == pytest.approx(50 + 2.576 * 100, abs=25)


def test_plans_that_are_none_are_refused(tmp_path):
    path = plans_file(tmp_path / "plans.json")
    with pytest.raises(UsageError, match="3d_lowres"):
        Plans.read(path, "3d_lowres")
    plans = Plans.read(path)
    hostile = Plans("os.path.join", plans.arguments, plans.imported, plans.intensity, plans.patch_kji)
    with pytest.raises(UsageError, match=r"os\.path\.join"):
        hostile.build(4)
    path.write_text("{}")
    with pytest.raises(UsageError, match="nnUNetv2_plan_and_preprocess"):
        Plans.read(path)


def test_images_are_asked_for(tmp_path):
    run = run_folder(tmp_path / "run", some_network())
    with pytest.raises(UsageError, match="--data"):
        export_encoder(EncoderRequest(str(run), tmp_path / "e.pth", "nnunet"))


def test_the_lesson_is_learnt(encoder, tmp_path):
    pytest.importorskip("dynamic_network_architectures")
    rng = np.random.default_rng(0)
    volume = np.kron(rng.normal(0, 400, (6, 6, 6)), np.ones((8, 8, 8))).astype(np.int16)
    plans = Plans.read(plans_file(tmp_path / "plans.json", side=16))
    torch.manual_seed(0)
    patch = torch.from_numpy(volume[:32, :32, :32].astype(np.float32))[None, None]
    untaught = distance(plans.build(8), encoder.freeze(), patch, plans).item()
    student = distil(encoder, [volume], plans, steps=40, greatest_rate=5e-3)
    assert distance(student, encoder, patch, plans).item() < 0.7 * untaught


def test_nnunet_loads_the_file(tmp_path, sample_folder):
    pytest.importorskip("dynamic_network_architectures")
    loader = pytest.importorskip("nnunetv2.run.load_pretrained_weights")
    run = run_folder(tmp_path / "run", some_network())
    path = plans_file(tmp_path / "plans.json")
    request = EncoderRequest(
        str(run), tmp_path / "e.pth", "nnunet", "level_4", data=sample_folder, plans=path, steps=1
    )
    written = torch.load(export_encoder(request), weights_only=True)
    network = Plans.read(path).build(outputs=5)
    before = network.decoder.seg_layers[-1].weight.clone()
    loader.load_pretrained_weights(network, tmp_path / "e.pth")
    loaded = network.state_dict()
    body = [name for name in loaded if ".seg_layers." not in name]
    assert len(body) > 20
    assert all(torch.equal(loaded[name], written["network_weights"][name]) for name in body)
    assert torch.equal(network.decoder.seg_layers[-1].weight, before)
    assert written["samlandmark"]["spacing_mm"] == 4.0
    other = Plans.read(plans_file(tmp_path / "other.json", (8, 12, 24))).build(outputs=5)
    with pytest.raises(AssertionError, match="shape"):
        loader.load_pretrained_weights(other, tmp_path / "e.pth")
