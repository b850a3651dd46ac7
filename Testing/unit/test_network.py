"""The network: shapes, unit length, concentric grids, and parts that agree with the whole."""

from __future__ import annotations

import pytest
import torch

from SAMLandmarkLib.models.folding import fold_batch_norm
from SAMLandmarkLib.models.network import BranchConfig, EmbeddingBranch, SamNetwork, space_to_depth

HALF = 1e-3
"""How far float16 numbers of at most 1 may be from each other, rounded from almost the same."""
SMALL = BranchConfig(channels=(8, 12, 16, 16), blocks=(1, 1, 1, 1), dimension=8)


@pytest.fixture(scope="module")
def network() -> SamNetwork:
    """A small network whose batch norm has uneven statistics, as after training."""
    torch.manual_seed(1)
    network = SamNetwork(SMALL, SMALL)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def hu() -> torch.Tensor:
    return torch.randn(1, 1, 96, 32, 64, generator=torch.Generator().manual_seed(2)) * 400


def test_levels_have_their_grids_and_unit_vectors(network, hu):
    coarse, fine = network(hu)
    assert coarse.shape == (1, 8, 24, 8, 16)
    assert fine.shape == (1, 8, 48, 16, 32)
    for vectors in (coarse, fine):
        lengths = vectors.float().norm(dim=1)
        torch.testing.assert_close(lengths, torch.ones_like(lengths), atol=HALF, rtol=0)


def test_sides_divisible_by_four_are_enough(network):
    """The grids of the deeper levels end between cells there: 40 voxels are 5 cells of the second level, 3 of the third."""
    small = torch.randn(1, 1, 40, 36, 44, generator=torch.Generator().manual_seed(3)) * 400
    coarse, fine = network(small)
    assert coarse.shape == (1, 8, 10, 9, 11)
    assert fine.shape == (1, 8, 20, 18, 22)
    in_parts = network.fine_finish(small, network.fine_deepen(network.fine_reduce(small)))
    torch.testing.assert_close(in_parts, fine, atol=HALF, rtol=0)
    for eager, scripted in zip((coarse, fine), torch.jit.script(network)(small), strict=True):
        torch.testing.assert_close(scripted, eager, atol=HALF, rtol=0)


def test_space_to_depth_keeps_each_block_together():
    volume = torch.arange(2 * 4 * 4 * 4).view(1, 2, 4, 4, 4)
    folded = space_to_depth(volume)
    assert folded.shape == (1, 16, 2, 2, 2)
    assert folded[0, 8:, 1, 0, 1].tolist() == volume[0, 1, 2:4, 0:2, 2:4].flatten().tolist()


def test_parts_give_the_whole(network, hu):
    in_parts = network.fine_finish(hu, network.fine_deepen(network.fine_reduce(hu)))
    torch.testing.assert_close(in_parts, network.fine(hu), atol=HALF, rtol=0)


def test_slab_with_halo_gives_the_values_of_the_whole(network, hu):
    halo = EmbeddingBranch.tile_halo
    start, stop = 32, 48
    slab = hu[:, :, start - halo : stop + halo]
    reduced = network.fine_reduce(hu)
    torch.testing.assert_close(
        network.fine_reduce(slab)[:, :, halo // 4 : -halo // 4],
        reduced[:, :, start // 4 : stop // 4],
        atol=1e-5,
        rtol=0,
    )
    deep = network.fine_deepen(reduced)
    part = network.fine_finish(slab, deep[:, :, (start - halo) // 4 : (stop + halo) // 4])
    torch.testing.assert_close(
        part[:, :, halo // 2 : -halo // 2], network.fine(hu)[:, :, start // 2 : stop // 2], atol=HALF, rtol=0
    )


def test_folding_batch_norm_changes_nothing_but_the_layers(network, hu):
    folded = fold_batch_norm(network)
    assert not any(isinstance(module, torch.nn.BatchNorm3d) for module in folded.modules())
    for before, after in zip(network(hu), folded(hu), strict=True):
        torch.testing.assert_close(after, before, atol=HALF, rtol=0)


def test_torchscript_computes_the_same(network, hu):
    for eager, scripted in zip(network(hu), torch.jit.script(network)(hu), strict=True):
        torch.testing.assert_close(scripted, eager, atol=HALF, rtol=0)


def test_mirrored_volume_gives_other_vectors(network, hu):
    """Left and right must be told apart, so nothing in the network may be symmetric."""
    mirrored = network.fine(hu.flip(-1)).flip(-1)
    assert (mirrored * network.fine(hu)).sum(dim=1).float().mean() < 0.99
