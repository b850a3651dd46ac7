"""The outcome of one level's task on a few pairs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..models.network import EmbeddingBranch
from .config import LevelTraining, TrainingConfig
from .pairs import TrainingPair, images_of
from .tasks import Outcome, task_named


def embed_views(network: EmbeddingBranch, images: Tensor, dtype: torch.dtype) -> Tensor:
    """Features `[n,c,d,h,w]` in float32 of images `[n,D,H,W]`, computed in `dtype`."""
    batch = images[:, None].contiguous(memory_format=torch.channels_last_3d)
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
        features = network(batch)
    return features.float()


def level_outcome(
    network: EmbeddingBranch,
    pairs: Sequence[TrainingPair],
    level: LevelTraining,
    config: TrainingConfig,
    generator: torch.Generator,
    dtype: torch.dtype,
) -> Outcome:
    """Embed all views of the pairs in one batch, computing in `dtype`, and give them to the level's task."""
    features = embed_views(network, images_of(pairs), dtype).unbind(0)
    return task_named(level.task)(features, pairs, level, config, generator)
