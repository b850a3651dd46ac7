"""Networks of any number of levels: flat kernels for images of one slice, and the description that rebuilds them."""

from __future__ import annotations

import json

import pytest
import torch

from SAMLandmarkLib.models.embedding_network import EmbeddingNetwork, LevelConfig
from SAMLandmarkLib.models.folding import fold_batch_norm
from SAMLandmarkLib.models.network import BranchConfig, EmbeddingBranch
from SAMLandmarkLib.utils.errors import ModelError

SOLID = BranchConfig(channels=(8, 12, 16), blocks=(1, 1, 1), dimension=8)
FLAT = BranchConfig((8, 12, 16), (1, 1, 1), 8, windows=((0.0, 1.0),), spatial_axes=2)
THREE_LEVELS = tuple(
    LevelConfig(name, mm, SOLID) for name, mm in (("fine", 2.0), ("coarse", 4.0), ("body", 8.0))
)


def with_statistics(network: torch.nn.Module, seed: int = 1) -> torch.nn.Module:
    """Uneven batch norm statistics, as after training."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def flat() -> EmbeddingBranch:
    torch.manual_seed(3)
    return with_statistics(EmbeddingBranch(FLAT))


@pytest.fixture(scope="module")
def film() -> torch.Tensor:
    return torch.rand(1, 1, 1, 46, 38, generator=torch.Generator().manual_seed(2))


def test_a_flat_branch_keeps_the_slices(flat, film):
    assert flat.stride == (1, 2, 2)
    assert flat(film).shape == (1, 8, 1, 23, 19)
    stacked = torch.cat([film, film.flip(-1), film.flip(-2)], dim=2)
    for index in range(3):
        torch.testing.assert_close(
            flat(stacked)[:, :, index], flat(stacked[:, :, index : index + 1])[:, :, 0]
        )


def test_parts_of_a_flat_branch_give_the_whole_also_on_a_slab(flat, film):
    deep = flat.deepen(flat.reduce(film))
    torch.testing.assert_close(flat.finish(film, deep), flat(film))
    tall = torch.rand(1, 1, 1, 96, 32, generator=torch.Generator().manual_seed(4))
    halo, start, stop = flat.tile_halo, 32, 48
    deep = flat.deepen(flat.reduce(tall))
    slab = flat.finish(
        tall[:, :, :, start - halo : stop + halo], deep[:, :, :, (start - halo) // 4 : (stop + halo) // 4]
    )
    torch.testing.assert_close(
        slab[:, :, :, halo // 2 : -halo // 2], flat(tall)[:, :, :, start // 2 : stop // 2], atol=1e-5, rtol=0
    )


def test_a_flat_branch_can_be_scripted(flat, film):
    torch.testing.assert_close(torch.jit.script(flat)(film), flat(film))


def test_windows_come_from_the_configuration(film):
    """What lies outside of every window cannot be told apart."""
    branch = with_statistics(EmbeddingBranch(FLAT))
    torch.testing.assert_close(branch(film.clamp(0.0, 1.0) + 5.0), branch(torch.ones_like(film)))
    assert not torch.allclose(branch(film), branch(torch.ones_like(film)), atol=1e-3)


def test_more_blocks_at_the_finest_level_need_a_wider_halo():
    assert [EmbeddingBranch(BranchConfig((8, 8), (n, 1), 4)).tile_halo for n in (1, 2, 4)] == [16, 16, 24]


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("levels", [THREE_LEVELS, (LevelConfig("film", 0.4, FLAT),)], ids=["solid", "flat"])
def test_weights_and_description_rebuild_the_network(levels, folded):
    network = with_statistics(EmbeddingNetwork(levels))
    network = fold_batch_norm(network) if folded else network
    config = json.loads(json.dumps(network.network_config()))
    rebuilt = EmbeddingNetwork.from_config(config)
    rebuilt.load_state_dict(network.state_dict())
    assert rebuilt.levels == levels
    assert rebuilt.network_config() == config
    values = torch.rand(1, 1, 16, 24, 32) * 1000 - 500
    for one, other in zip(network.branches, rebuilt.eval().branches, strict=True):
        torch.testing.assert_close(other(values), one(values))
        assert other.stride == one.stride and other.tile_halo == one.tile_halo


def test_a_level_is_found_by_its_name():
    network = EmbeddingNetwork(THREE_LEVELS)
    assert network.branch("body") is network.branches[2]
    with pytest.raises(ModelError, match="no level 'torso'; its levels are fine, coarse, body"):
        network.branch("torso")


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["levels"].clear(),
        lambda config: config["levels"].reverse(),
        lambda config: config["levels"][1].update(name="fine"),
        lambda config: config["levels"][0].update(voxel_spacing_mm=float("nan")),
        lambda config: config["levels"][0]["branch"].update(channels=[8, 12, 10**9]),
        lambda config: config["levels"][0]["branch"].update(blocks=[1]),
        lambda config: config["levels"][0]["branch"].update(blocks=[1, 1, 10**6]),
        lambda config: config["levels"][0]["branch"].update(spatial_axes=4),
        lambda config: config["levels"][0]["branch"].update(spatial_axes=2),
        lambda config: config["levels"][0]["branch"].update(windows=[[1.0, 0.0]]),
        lambda config: config["levels"][0]["branch"].update(windows=[[1.0]]),
        lambda config: config["levels"][0]["branch"].pop("dimension"),
        lambda config: config.update(levels=None),
        lambda config: config.pop("batch_norm"),
    ],
)
def test_an_implausible_description_is_refused(change):
    config = EmbeddingNetwork(THREE_LEVELS).network_config()
    change(config)
    with pytest.raises(ModelError, match="description of the network .*take another model file"):
        EmbeddingNetwork.from_config(config)
