"""Find each anchor among all cells of the other view, where the target is a Gaussian around its true place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..config import LevelTraining, TrainingConfig
from ..losses import features_at, gaussian_cross_entropy, retrieval_accuracy
from ..pairs import TrainingPair
from . import Outcome


def outcome(
    features: Sequence[Tensor],
    pairs: Sequence[TrainingPair],
    level: LevelTraining,
    config: TrainingConfig,
    generator: torch.Generator,
) -> Outcome:
    """Look each pair's anchors up in both directions; correspondences that may be off widen the target."""
    outcomes = [
        look_up(anchors, cells, index, other_index, level, pair.slack_mm)
        for view_a, view_b, pair in zip(features[::2], features[1::2], pairs, strict=True)
        for anchors, cells, index, other_index in (
            (view_a, view_b, pair.index_a, pair.index_b),
            (view_b, view_a, pair.index_b, pair.index_a),
        )
    ]
    return Outcome.mean_of(outcomes)


def look_up(
    anchor_features: Tensor,
    cell_features: Tensor,
    anchor_index: Tensor,
    true_index: Tensor,
    level: LevelTraining,
    slack_mm: float,
) -> tuple[Tensor, Tensor]:
    """Loss and accuracy of finding the anchors of one view `[c,d,h,w]` among all cells of another."""
    anchors = features_at(anchor_features, anchor_index, level.patch_kji)
    cells = functional.normalize(cell_features.flatten(1).T, dim=1)
    places = cell_places(cell_features.shape[1:], level.patch_kji, anchor_index)
    distance_mm = torch.cdist(true_index, places) * level.spacing_mm
    sd_mm = math.hypot(level.softness_mm, slack_mm)
    loss = gaussian_cross_entropy(anchors, cells, distance_mm, sd_mm, level.temperature, level.within_mm)
    with torch.no_grad():
        accuracy = retrieval_accuracy(anchors, cells, distance_mm, level.hit_mm + slack_mm)
    return loss, accuracy


def cell_places(shape: Sequence[int], patch_kji: tuple[int, int, int], like: Tensor) -> Tensor:
    """Patch indices `(d*h*w,3)` (x,y,z) of the centres of all cells of a view, on the device of `like`."""
    axes = [
        (torch.arange(cells, device=like.device) + 0.5) * (voxels / cells) - 0.5
        for cells, voxels in zip(shape, patch_kji, strict=True)
    ]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y, z], dim=-1).reshape(-1, 3).to(like.dtype)
