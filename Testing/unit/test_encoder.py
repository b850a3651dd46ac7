"""The weights for networks of one's own: what is written computes the same, can be fine-tuned, and is refused when torn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from toy_runs import FLAT, run_folder, some_network
from typer.testing import CliRunner

from SAMLandmarkLib import EmbeddingEncoder
from SAMLandmarkLib.cli import app
from SAMLandmarkLib.core.modality import CT
from SAMLandmarkLib.models.bundle import read_network
from SAMLandmarkLib.models.levels import branches_of
from SAMLandmarkLib.models.registry import bundled_model
from SAMLandmarkLib.training.encoder_export import EncoderRequest, export_encoder
from SAMLandmarkLib.utils.errors import ModelError, UsageError


@pytest.fixture(scope="module")
def encoder_file(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    run = run_folder(folder / "run", some_network())
    return export_encoder(EncoderRequest(str(run), folder / "encoder.safetensors", licence="CC BY 4.0"))


def test_a_run_keeps_its_batch_norms_and_computes_the_same_to_the_last_bit(encoder_file):
    encoder = EmbeddingEncoder.load(encoder_file)
    original = branches_of(some_network())[0]
    own = encoder.branch.state_dict()
    assert own.keys() == original.state_dict().keys()
    assert all(torch.equal(own[name], value) for name, value in original.state_dict().items())
    assert any(isinstance(module, torch.nn.BatchNorm3d) for module in encoder.modules())
    values = torch.randn(1, 1, 32, 48, 32) * 400
    with torch.no_grad():
        assert torch.equal(encoder.branch(values), original(values))


def test_features_of_several_scales_lead_to_the_embeddings(encoder_file):
    encoder = EmbeddingEncoder.load(encoder_file)
    values = torch.randn(2, 1, 32, 48, 16) * 400
    with torch.no_grad():
        scales = encoder(values)
        whole = encoder.branch(values)
        assert [tuple(scale.shape[2:]) for scale in scales] == [
            tuple(side // step for side, step in zip((32, 48, 16), stride)) for stride in encoder.strides
        ]
        assert tuple(scale.shape[1] for scale in scales) == encoder.channels == (8, 12, 16, 20)
        assert torch.allclose(encoder.branch.head(encoder.decoded(scales)), whole, atol=1e-5)
        lengths = encoder.embeddings(values).float().norm(dim=1)
    assert encoder.strides[-1] == encoder.wanted.divisor == (16, 16, 16)
    assert torch.allclose(lengths, torch.ones_like(lengths), atol=2e-3)


def test_the_file_tells_what_a_stranger_must_know(encoder_file):
    encoder = EmbeddingEncoder.load(encoder_file)
    assert encoder.source.licence == "CC BY 4.0"
    assert encoder.source.modality == CT and encoder.wanted.spacing_mm == 2.0
    assert encoder.source.origin["training"]["steps"] == 7
    assert encoder.source.origin["level"] == "level_2"


def test_frozen_weights_and_statistics_stay_while_the_head_learns(encoder_file):
    torch.manual_seed(0)
    network = EmbeddingEncoder.load(encoder_file).freeze().segmentation_head(3)
    before = {name: value.clone() for name, value in network.encoder.state_dict().items()}
    values = torch.randn(2, 1, 16, 16, 16) * 400
    labels = (values[:, 0] > 0).long()
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], 2e-2)
    losses = []
    for _ in range(40):
        network.train()
        loss = torch.nn.functional.cross_entropy(network(values), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]
    assert all(torch.equal(before[name], value) for name, value in network.encoder.state_dict().items())
    network.encoder.freeze(False).train()
    network(values).sum().backward()
    assert all(p.grad is not None for p in network.encoder.branch.stem.parameters())
    assert network.encoder.branch.stem[1].training


def test_parameter_groups_hold_every_weight_once(encoder_file):
    network = EmbeddingEncoder.load(encoder_file).segmentation_head(2)
    new, old = network.parameter_groups(1e-3)
    assert (new["lr"], old["lr"]) == (1e-3, pytest.approx(3e-4))
    assert len(new["params"]) + len(old["params"]) == len(list(network.parameters()))
    with pytest.raises(UsageError, match="two classes"):
        network.encoder.segmentation_head(1)


def test_fine_tuned_weights_can_be_kept(encoder_file, tmp_path):
    encoder = EmbeddingEncoder.load(encoder_file)
    with torch.no_grad():
        encoder.branch.head.bias += 1
    encoder.save(tmp_path / "tuned.safetensors")
    again = EmbeddingEncoder.load(tmp_path / "tuned.safetensors")
    assert torch.equal(again.branch.head.bias, encoder.branch.head.bias)
    assert again.source == encoder.source


@pytest.mark.parametrize("name", ["ct", "radiograph"])
def test_bundled_models_give_an_encoder_that_computes_as_they_do(name, tmp_path):
    result = CliRunner().invoke(app, ["model", "encoder", name, "-o", str(tmp_path / "e.safetensors")])
    assert result.exit_code == 0, result.output
    encoder = EmbeddingEncoder.load(tmp_path / "e.safetensors")
    network, metadata = read_network(bundled_model(name))
    assert encoder.source.licence.startswith("Apache-2.0")
    assert encoder.source.modality == metadata.modality
    shape = (1, 1, 32, 32, 32) if name == "ct" else (1, 1, 1, 64, 64)
    values = torch.rand(shape)
    with torch.no_grad():
        assert torch.equal(encoder.branch(values), branches_of(network)[0](values))
        assert encoder.segmentation_head(4).eval()(values).shape == (1, 4, *shape[2:])


def test_levels_are_chosen_by_name(tmp_path):
    run = run_folder(tmp_path / "run", some_network())
    command = ["model", "encoder", str(run), "-o", str(tmp_path / "e.safetensors"), "--level"]
    assert CliRunner().invoke(app, [*command, "level_4"]).exit_code == 0
    assert EmbeddingEncoder.load(tmp_path / "e.safetensors").wanted.spacing_mm == 4.0
    wrong = CliRunner().invoke(app, [*command, "level_9"])
    assert wrong.exit_code == 2 and "level_2, level_4" in wrong.output


def test_what_is_no_encoder_is_refused(encoder_file, tmp_path):
    with pytest.raises(ModelError, match="can't be read"):
        EmbeddingEncoder.load(tmp_path / "none.safetensors")
    with pytest.raises(ModelError, match="another kind"):
        EmbeddingEncoder.load(bundled_model())
    torn = bytearray(encoder_file.read_bytes())
    torn[-5] ^= 64
    (tmp_path / "torn.safetensors").write_bytes(torn)
    with pytest.raises(ModelError, match="not those that were written"):
        EmbeddingEncoder.load(tmp_path / "torn.safetensors")
    (tmp_path / "short.safetensors").write_bytes(bytes(torn[:200]))
    with pytest.raises(ModelError, match=r"short\.safetensors"):
        EmbeddingEncoder.load(tmp_path / "short.safetensors")


def test_monai_takes_it_as_a_backbone(encoder_file):
    pytest.importorskip("monai")
    # the five lines of docs/pretraining.md
    from monai.inferers import SlidingWindowInferer
    from monai.networks.nets import FlexibleUNet

    from SAMLandmarkLib.models.monai_backbone import monai_backbone

    backbone = monai_backbone(encoder_file)
    network = FlexibleUNet(1, 3, backbone, pretrained=True, decoder_channels=(64, 32, 16, 8), spatial_dims=3)
    logits = SlidingWindowInferer((32, 32, 32))(torch.randn(1, 1, 40, 36, 32) * 300, network.eval())
    assert logits.shape == (1, 3, 40, 36, 32)
    original = branches_of(some_network())[0].state_dict()
    assert torch.equal(network.encoder.branch.stem[0].weight, original["stem.0.weight"])
    scratch = FlexibleUNet(1, 3, backbone, decoder_channels=(64, 32, 16, 8), spatial_dims=3)
    assert not torch.equal(scratch.encoder.branch.stem[0].weight, original["stem.0.weight"])
    with pytest.raises(UsageError, match="one channel"):
        FlexibleUNet(2, 3, backbone, spatial_dims=3)


def test_monai_takes_flat_networks_for_pictures(tmp_path):
    pytest.importorskip("monai")
    from monai.networks.nets import FlexibleUNet

    from SAMLandmarkLib.models.monai_backbone import monai_backbone

    run = run_folder(tmp_path / "run", some_network((0.4,), FLAT), "radiograph")
    path = export_encoder(EncoderRequest(str(run), tmp_path / "flat.safetensors", "monai"))
    network = FlexibleUNet(
        1, 2, monai_backbone(path), pretrained=True, decoder_channels=(32, 16, 8), spatial_dims=2
    )
    assert network.eval()(torch.rand(2, 1, 40, 48)).shape == (2, 2, 40, 48)
    assert np.isclose(EmbeddingEncoder.load(path).wanted.spacing_mm, 0.4)
