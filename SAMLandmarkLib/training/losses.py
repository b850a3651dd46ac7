"""The contrastive loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

IMPOSSIBLE = 1e4


def soft_info_nce(
    anchors: Tensor, candidates: Tensor, distance_mm: Tensor, softness_mm: float, temperature: float
) -> Tensor:
    """InfoNCE in which a negative counts the less the nearer it lies to the positive.

    `anchors` `(n,c)` and `candidates` `(m,c)` are unit vectors, candidate i < n being the positive of anchor i;
    `distance_mm` `(n,m)` from each positive to each candidate. A negative at distance d is weighted
    1 - exp(-d^2 / (2 softness^2)): unlike a hard ignore radius (SAM uses 20 mm) this keeps some pressure at every
    distance, which is what localises a point within its neighbourhood.
    """
    logits = anchors @ candidates.T / temperature
    weight = -torch.expm1(-distance_mm.square() / (2 * softness_mm**2))
    positive = torch.arange(len(anchors), device=anchors.device)
    log_weight = weight.clamp(min=1e-6).log()
    log_weight[positive, positive] = 0.0
    return functional.cross_entropy(logits + log_weight, positive)


def retrieval_accuracy(anchors: Tensor, candidates: Tensor, distance_mm: Tensor, hit_mm: float) -> Tensor:
    """Share of the anchors whose most similar candidate lies within `hit_mm` of the positive."""
    best = (anchors @ candidates.T).argmax(dim=1, keepdim=True)
    return (distance_mm.gather(1, best) <= hit_mm).float().mean()


def gaussian_cross_entropy(
    anchors: Tensor,
    candidates: Tensor,
    distance_mm: Tensor,
    sd_mm: float,
    temperature: float,
    within_mm: float | None = None,
) -> Tensor:
    """Cross-entropy of the similarities against a Gaussian around the true place.

    `anchors` `(n,c)` and `candidates` `(m,c)`, all cells of a view, are unit vectors; `distance_mm` `(n,m)` from each
    anchor's true place to each candidate. No cell is left out, so that every place of the view is a negative; or only
    those beyond `within_mm`.
    """
    target = functional.softmax(-distance_mm.square() / (2 * sd_mm**2), dim=1)
    logits = anchors @ candidates.T / temperature
    if within_mm is not None:
        logits = logits.masked_fill(distance_mm > within_mm, -IMPOSSIBLE)
    likelihood = functional.log_softmax(logits, dim=1)
    return -(target * likelihood).sum(dim=1).mean()


def features_at(features: Tensor, index: Tensor, patch_kji: tuple[int, int, int]) -> Tensor:
    """Unit vectors `(n,c)` interpolated in `[c,d,h,w]`, which covers the patch, at patch indices `(n,3)` (x,y,z)."""
    where = (index + 0.5) / index.new_tensor(patch_kji[::-1]) * 2 - 1
    sampled = functional.grid_sample(
        features[None], where[None, :, None, None, :], align_corners=False, padding_mode="border"
    )
    return functional.normalize(sampled[0, :, :, 0, 0].T, dim=1)
