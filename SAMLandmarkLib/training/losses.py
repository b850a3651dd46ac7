"""The contrastive loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


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
