"""Find each anchor among the other view's anchors, random voxels of it, and voxels near its anchors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import LevelTraining, TrainingConfig
from ..losses import features_at, retrieval_accuracy, soft_info_nce
from ..pairs import TrainingPair
from . import Outcome


@dataclass(frozen=True)
class ViewSamples:
    """Unit vectors of one view at patch indices (x,y,z); the first `anchors` of them correspond to the other view's."""

    index: Tensor
    vectors: Tensor
    anchors: int


def outcome(
    features: Sequence[Tensor],
    pairs: Sequence[TrainingPair],
    level: LevelTraining,
    config: TrainingConfig,
    generator: torch.Generator,
) -> Outcome:
    """Contrast each pair of views in both directions."""
    indices = [index for pair in pairs for index in (pair.index_a, pair.index_b)]
    views = [
        _sample_view(view, index, level, config, generator)
        for view, index in zip(features, indices, strict=True)
    ]
    outcomes = [
        _contrast(anchor_view, other_view, level, pair.slack_mm)
        for view_a, view_b, pair in zip(views[::2], views[1::2], pairs, strict=True)
        for anchor_view, other_view in ((view_a, view_b), (view_b, view_a))
    ]
    return Outcome.mean_of(outcomes)


def _sample_view(
    features: Tensor,
    anchor_index: Tensor,
    level: LevelTraining,
    config: TrainingConfig,
    generator: torch.Generator,
) -> ViewSamples:
    """The anchors of a view, random voxels of it, and voxels near its anchors."""
    device = features.device
    limit = anchor_index.new_tensor(level.patch_kji[::-1]) - 1
    random_index = torch.rand(config.random_negatives, 3, generator=generator, device=device) * limit
    chosen = torch.randint(len(anchor_index), (config.near_negatives,), generator=generator, device=device)
    offset = torch.randn(config.near_negatives, 3, generator=generator, device=device)
    near_index = anchor_index[chosen] + offset * (level.near_spread_mm / level.spacing_mm)
    index = torch.cat([anchor_index, random_index, near_index.clamp(min=0).minimum(limit)])
    return ViewSamples(index, features_at(features, index, level.patch_kji), len(anchor_index))


def _contrast(
    anchor_view: ViewSamples, other_view: ViewSamples, level: LevelTraining, slack_mm: float
) -> tuple[Tensor, Tensor]:
    """Loss and accuracy of finding each anchor of one view among all samples of the other."""
    anchors = anchor_view.vectors[: anchor_view.anchors]
    distance_mm = torch.cdist(other_view.index[: other_view.anchors], other_view.index) * level.spacing_mm
    softness_mm = level.softness_mm + slack_mm
    loss = soft_info_nce(anchors, other_view.vectors, distance_mm, softness_mm, level.temperature)
    with torch.no_grad():
        accuracy = retrieval_accuracy(anchors, other_view.vectors, distance_mm, level.hit_mm + slack_mm)
    return loss, accuracy
