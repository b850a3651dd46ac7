"""Give every cell the vector that a larger network gives it (Hinton et al., 2015; here by the cosine of embeddings).

A student needs no pairs: each view is learnt by itself, all cells at once, whatever was done to its looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ...models.embedding_network import EmbeddingNetwork
from ...models.levels import branches_of
from ...models.network import EmbeddingBranch
from ...models.registry import bundled_model
from ...utils.errors import UsageError
from ..config import LevelTraining, TrainingConfig
from ..pairs import TrainingPair, images_of
from ..step import embed_views
from ..warm_start import network_of_model_file
from . import Outcome

HIT_COSINE = 0.9
"""A cell counts as right in the log from this cosine on."""


def outcome(
    features: Sequence[Tensor],
    pairs: Sequence[TrainingPair],
    level: LevelTraining,
    config: TrainingConfig,
    generator: torch.Generator,
) -> Outcome:
    """Mean of 1 - cosine over all cells of all views; UsageError where the teacher has no such level."""
    path = Path(level.teacher) if level.teacher else bundled_model(config.modality)
    teacher = _teacher(path, level.spacing_mm, level.network.dimension, features[0].device)
    with torch.no_grad():
        wanted = embed_views(teacher, images_of(pairs), torch.float32)
    cosine = functional.cosine_similarity(torch.stack(list(features)), wanted, dim=1)
    return Outcome((1 - cosine).mean(), (cosine.detach() >= HIT_COSINE).float().mean())


@lru_cache(maxsize=4)
def _teacher(path: Path, spacing_mm: float, dimension: int, device: torch.device) -> EmbeddingBranch:
    """The branch of a model file that sees voxels of that spacing."""
    network = network_of_model_file(path)
    branch = _branch_of_spacing(network, spacing_mm, path)
    if branch.head.out_channels != dimension:
        raise UsageError(
            f"{path}: its vectors at {spacing_mm:g} mm have {branch.head.out_channels} numbers, those to be trained "
            f"{dimension}; set the dimension of the network to {branch.head.out_channels}."
        )
    return branch.float().to(device, memory_format=torch.channels_last_3d).requires_grad_(False)


def _branch_of_spacing(network: EmbeddingNetwork, spacing_mm: float, path: Path) -> EmbeddingBranch:
    for info, branch in zip(network.levels, branches_of(network), strict=True):
        if info.voxel_spacing_mm == spacing_mm:
            return branch
    spacings = ", ".join(f"{info.voxel_spacing_mm:g}" for info in network.levels)
    raise UsageError(f"{path}: no level sees voxels of {spacing_mm:g} mm; its levels see {spacings} mm.")
