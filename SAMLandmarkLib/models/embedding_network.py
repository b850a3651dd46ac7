"""A network of any number of levels, which its weights and a JSON-able description rebuild without any other code."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..utils.errors import ModelError
from .folding import leave_out_batch_norm
from .network import BranchConfig, EmbeddingBranch
from .self_similarity import REACH_VOXELS, branch_of

GREATEST_LEVELS = 8
GREATEST_DEPTH = 8
GREATEST_BLOCKS = 16
GREATEST_CHANNELS = 1024
GREATEST_WINDOWS = 16
GREATEST_SPACING_MM = 100.0


@dataclass(frozen=True)
class LevelConfig:
    """One level: its name, the spacing in mm of the voxels (of a radiograph: the pixels) it sees, and its branch."""

    name: str
    voxel_spacing_mm: float
    branch: BranchConfig


class EmbeddingNetwork(nn.Module):
    """Branches for levels of increasing voxel spacing, finest first; each works alone, on input of its own spacing.

    `branches[i](values)` maps `[B,1,D,H,W]` at `levels[i].voxel_spacing_mm` to features that are not yet normalised;
    `reduce`, `deepen` and `finish` of a branch are its parts, for slabs of a large volume. Averaging an image to a
    level's spacing is left to the caller. Raises ModelError where the levels are not plausible.
    """

    def __init__(self, levels: Sequence[LevelConfig]) -> None:
        super().__init__()
        _check_levels(levels)
        self.levels = tuple(levels)
        self.branches = nn.ModuleList([branch_of(level.branch) for level in levels])

    def branch(self, name: str) -> EmbeddingBranch:
        """The branch of the level of that name; ModelError where there is none."""
        for level, branch in zip(self.levels, self.branches, strict=True):
            if level.name == name and isinstance(branch, EmbeddingBranch):
                return branch
        names = ", ".join(level.name for level in self.levels)
        raise ModelError(f"The network has no level '{name}'; its levels are {names}.")

    def network_config(self) -> dict[str, Any]:
        """All that rebuilds the network but its weights, in types that JSON knows."""
        batch_norm = any(isinstance(module, nn.BatchNorm3d) for module in self.modules())
        return {
            "batch_norm": batch_norm,
            "levels": [_described(level) for level in self.levels],
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> EmbeddingNetwork:
        """The network that `network_config` described, with random weights, ready to load a state into.

        It has no batch norm where it was folded into the convolutions. Raises ModelError where the description is
        incomplete or implausible.
        """
        try:
            levels = [_level(level) for level in config["levels"]]
            network = cls(levels)
            if not config["batch_norm"]:
                leave_out_batch_norm(network)
            return network
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"The description of the network is incomplete or damaged ({error!r}); take another model file."
            ) from error


def _described(level: LevelConfig) -> dict[str, Any]:
    """A level in the types of JSON, as files had it before there was self-similarity where it has none."""
    values: dict[str, Any] = _plain(dataclasses.asdict(level))
    if not values["branch"]["self_similarity"]:
        del values["branch"]["self_similarity"]
    return values


def _plain(value: Any) -> Any:
    """With lists for tuples, as JSON has them."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _level(values: Mapping[str, Any]) -> LevelConfig:
    branch = values["branch"]
    return LevelConfig(
        name=str(values["name"]),
        voxel_spacing_mm=float(values["voxel_spacing_mm"]),
        branch=BranchConfig(
            channels=tuple(map(int, branch["channels"])),
            blocks=tuple(map(int, branch["blocks"])),
            dimension=int(branch["dimension"]),
            windows=tuple((float(low), float(high)) for low, high in branch["windows"]),
            spatial_axes=int(branch["spatial_axes"]),
            self_similarity=tuple(map(int, branch.get("self_similarity", ()))),
        ),
    )


def _check_levels(levels: Sequence[LevelConfig]) -> None:
    spacings = [level.voxel_spacing_mm for level in levels]
    _require(1 <= len(levels) <= GREATEST_LEVELS, f"1 to {GREATEST_LEVELS} levels", len(levels))
    _require(len({level.name for level in levels}) == len(levels), "levels of different names", levels)
    _require(len({level.branch.spatial_axes for level in levels}) == 1, "levels of equally many axes", levels)
    plausible = all(math.isfinite(s) and 0 < s <= GREATEST_SPACING_MM for s in spacings)
    _require(plausible and spacings == sorted(spacings), "voxel spacings in mm, the finest first", spacings)
    for level in levels:
        _check_branch(level.branch)


def _check_branch(branch: BranchConfig) -> None:
    depth, numbers = len(branch.channels), (*branch.channels, branch.dimension)
    _require(2 <= depth <= GREATEST_DEPTH, f"2 to {GREATEST_DEPTH} resolutions of a branch", depth)
    _require(len(branch.blocks) == depth, f"{depth} numbers of blocks", branch.blocks)
    _require(all(0 <= n <= GREATEST_BLOCKS for n in branch.blocks), "numbers of blocks", branch.blocks)
    _require(all(1 <= n <= GREATEST_CHANNELS for n in numbers), "numbers of channels", numbers)
    _require(branch.spatial_axes in (2, 3), "2 or 3 spatial axes", branch.spatial_axes)
    distances = branch.self_similarity
    near = all(1 <= distance <= REACH_VOXELS for distance in distances) and len(set(distances)) == len(
        distances
    )
    _require(
        near and (branch.spatial_axes == 3 or not distances), "self-similarity of 3 axes near by", distances
    )
    _require(1 <= len(branch.windows) <= GREATEST_WINDOWS, "input windows", len(branch.windows))
    bounds = all(math.isfinite(low) and math.isfinite(high) and low < high for low, high in branch.windows)
    _require(bounds, "windows from a lower to a higher value", branch.windows)


def _require(holds: bool, expected: str, got: object) -> None:
    if not holds:
        raise ModelError(
            f"The description of the network wants {expected}, but has {got}; take another model file."
        )
