"""What embeds an image level by level, whatever kind of network the model file holds."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ..utils.errors import ModelError
from .embedding_network import EmbeddingNetwork, LevelConfig
from .metadata import LevelInfo
from .network import BranchConfig, EmbeddingBranch, SamNetwork, unit_vectors

LEVEL_NAMES = ("fine", "coarse")
"""The levels of a network of the first model files, and their branches' names."""


class LevelNetwork(Protocol):
    """Embeds images `[1,1,D,H,W]` at the spacing of the finest level's voxels, sides divisible.

    `embed` gives the unit vectors `[1,C,D',H',W']` of a level; `reduce`, `deepen` and `finish` are the parts of the
    finest one, of which the first and the last, the ones that need much memory, work on slabs.
    """

    def to(self, device: torch.device, dtype: torch.dtype) -> LevelNetwork: ...
    def embed(self, level: int, values: Tensor) -> Tensor: ...
    def reduce(self, values: Tensor) -> Tensor: ...
    def deepen(self, reduced: Tensor) -> Tensor: ...
    def finish(self, values: Tensor, deep: Tensor) -> Tensor: ...


class NetworkLevels:
    """The levels of a network that was rebuilt from its description."""

    def __init__(self, network: EmbeddingNetwork) -> None:
        self.network = network.eval().requires_grad_(False)
        base = network.levels[0].voxel_spacing_mm
        self._pooling = [
            _pooling(round(level.voxel_spacing_mm / base), level.branch.spatial_axes)
            for level in network.levels
        ]

    def to(self, device: torch.device, dtype: torch.dtype) -> NetworkLevels:
        self.network.to(device, dtype)
        # as Module.to(memory_format=...) does it, which the type checker does not know
        for parameter in self.network.parameters():
            if parameter.ndim == 5:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)
        return self

    def embed(self, level: int, values: Tensor) -> Tensor:
        kernel = self._pooling[level]
        pooled = values if kernel == (1, 1, 1) else functional.avg_pool3d(values, kernel)
        return unit_vectors(self._branch(level)(pooled))

    def reduce(self, values: Tensor) -> Tensor:
        return self._branch(0).reduce(values)

    def deepen(self, reduced: Tensor) -> Tensor:
        return self._branch(0).deepen(reduced)

    def finish(self, values: Tensor, deep: Tensor) -> Tensor:
        return unit_vectors(self._branch(0).finish(values, deep))

    def _branch(self, level: int) -> EmbeddingBranch:
        return branches_of(self.network)[level]


def branches_of(network: EmbeddingNetwork) -> list[EmbeddingBranch]:
    """A network's branches, finest first."""
    return [branch for branch in network.branches if isinstance(branch, EmbeddingBranch)]


def level_infos(network: EmbeddingNetwork) -> tuple[LevelInfo, ...]:
    """What the metadata say of a network's levels."""
    return tuple(
        LevelInfo(
            name=level.name,
            voxel_spacing_mm=level.voxel_spacing_mm,
            cell_spacing_mm=level.voxel_spacing_mm * branch.stride[2],
            dimension=level.branch.dimension,
            halo=branch.tile_halo,
            stride=branch.stride[2],
        )
        for level, branch in zip(network.levels, branches_of(network), strict=True)
    )


def network_of_levels(network: SamNetwork | EmbeddingNetwork) -> EmbeddingNetwork:
    """A network of the first kind, of two branches, as one of a list of levels; others as they are."""
    if isinstance(network, EmbeddingNetwork):
        return network
    return network_of_branches(network.state_dict(), network.fine_branch.windows, batch_norm=True)


def network_of_branches(
    state: dict[str, Tensor], windows: list[tuple[float, float]], batch_norm: bool
) -> EmbeddingNetwork:
    """The network whose `fine_branch` and `coarse_branch` have these weights, on voxels of 2 and 4 mm."""
    levels = [
        LevelConfig(name, spacing_mm, _branch_config(state, f"{name}_branch.", windows))
        for name, spacing_mm in zip(LEVEL_NAMES, (2.0, 4.0), strict=True)
    ]
    described = EmbeddingNetwork(levels).network_config() | {"batch_norm": batch_norm}
    network = EmbeddingNetwork.from_config(described)
    renamed = {
        name.replace("fine_branch", "branches.0").replace("coarse_branch", "branches.1"): values
        for name, values in state.items()
    }
    network.load_state_dict(renamed)
    return network


def _branch_config(state: dict[str, Tensor], prefix: str, windows: list[tuple[float, float]]) -> BranchConfig:
    """The shape of a branch, as its weights tell it."""
    try:
        own = {name: values for name, values in state.items() if name.startswith(prefix)}
        shapes = {name.removeprefix(prefix): values.shape for name, values in own.items()}
        channels = [shapes["stem.0.weight"][0]]
        while (down := f"downs.{len(channels) - 1}.0.weight") in shapes:
            channels.append(shapes[down][0])
        firsts = [name.split(".")[1] for name in shapes if name.endswith(".first.0.weight")]
        blocks = [firsts.count(str(stage)) for stage in range(len(channels))]
        dimension = shapes["head.weight"][0]
    except KeyError as error:
        raise ModelError(f"The network has no weights {error}; take another model file.") from error
    return BranchConfig(tuple(channels), tuple(blocks), dimension, tuple(windows))


def _pooling(factor: int, spatial_axes: int) -> tuple[int, int, int]:
    return (factor if spatial_axes == 3 else 1, factor, factor)
