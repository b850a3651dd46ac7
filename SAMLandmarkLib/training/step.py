"""The loss of one branch on a few pairs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..model.network import EmbeddingBranch
from .config import BranchTraining, TrainingConfig
from .losses import retrieval_accuracy, soft_info_nce
from .pairs import Pair


@dataclass(frozen=True)
class BranchOutcome:
    """Mean loss (with gradient) and retrieval accuracy of a branch."""

    loss: Tensor
    accuracy: Tensor


@dataclass(frozen=True)
class ViewSamples:
    """Unit vectors of one view at patch indices (x,y,z); the first `anchors` of them correspond to the other view's."""

    index: Tensor
    vectors: Tensor
    anchors: int


def branch_outcome(
    network: EmbeddingBranch,
    pairs: list[Pair],
    branch: BranchTraining,
    config: TrainingConfig,
    generator: torch.Generator,
) -> BranchOutcome:
    """Embed all views of the pairs in one batch and contrast each pair in both directions."""
    images = torch.stack([image for pair in pairs for image in (pair.image_a, pair.image_b)])[:, None]
    with torch.autocast(images.device.type, dtype=torch.bfloat16):
        features = network(images.contiguous(memory_format=torch.channels_last_3d))
    indices = [index for pair in pairs for index in (pair.index_a, pair.index_b)]
    views = [
        _sample_view(view, index, branch, config, generator)
        for view, index in zip(features.float().unbind(0), indices, strict=True)
    ]
    outcomes = [
        _contrast(anchor_view, other_view, branch, pair.slack_mm)
        for view_a, view_b, pair in zip(views[::2], views[1::2], pairs, strict=True)
        for anchor_view, other_view in ((view_a, view_b), (view_b, view_a))
    ]
    losses, accuracies = zip(*outcomes, strict=True)
    return BranchOutcome(torch.stack(losses).mean(), torch.stack(accuracies).mean())


def features_at(features: Tensor, index: Tensor, patch_kji: tuple[int, int, int]) -> Tensor:
    """Unit vectors `(n,c)` interpolated in `[c,d,h,w]`, which covers the patch, at patch indices `(n,3)` (x,y,z)."""
    where = (index + 0.5) / index.new_tensor(patch_kji[::-1]) * 2 - 1
    sampled = functional.grid_sample(
        features[None], where[None, :, None, None, :], align_corners=False, padding_mode="border"
    )
    return functional.normalize(sampled[0, :, :, 0, 0].T, dim=1)


def _sample_view(
    features: Tensor,
    anchor_index: Tensor,
    branch: BranchTraining,
    config: TrainingConfig,
    generator: torch.Generator,
) -> ViewSamples:
    """The anchors of a view, random voxels of it, and voxels near its anchors."""
    device = features.device
    limit = anchor_index.new_tensor(branch.patch_kji[::-1]) - 1
    random_index = torch.rand(config.random_negatives, 3, generator=generator, device=device) * limit
    chosen = torch.randint(len(anchor_index), (config.near_negatives,), generator=generator, device=device)
    offset = torch.randn(config.near_negatives, 3, generator=generator, device=device)
    near_index = anchor_index[chosen] + offset * (branch.near_spread_mm / branch.spacing_mm)
    index = torch.cat([anchor_index, random_index, near_index.clamp(min=0).minimum(limit)])
    return ViewSamples(index, features_at(features, index, branch.patch_kji), len(anchor_index))


def _contrast(
    anchor_view: ViewSamples, other_view: ViewSamples, branch: BranchTraining, slack_mm: float
) -> tuple[Tensor, Tensor]:
    """Loss and accuracy of finding each anchor of one view among all samples of the other."""
    anchors = anchor_view.vectors[: anchor_view.anchors]
    distance_mm = torch.cdist(other_view.index[: other_view.anchors], other_view.index) * branch.spacing_mm
    softness_mm = branch.softness_mm + slack_mm
    loss = soft_info_nce(anchors, other_view.vectors, distance_mm, softness_mm, branch.temperature)
    with torch.no_grad():
        accuracy = retrieval_accuracy(anchors, other_view.vectors, distance_mm, branch.hit_mm + slack_mm)
    return loss, accuracy
