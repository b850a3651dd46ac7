"""Coupled-convex registration: the best displacement of each cell, made smooth together with its neighbours.

After Siebert et al. (2021), ConvexAdam, and Li et al. (2023), SAMConvex. Displacements are counted in cells.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

COUPLINGS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Weights of the smooth field beside the costs, one round after the other."""


def convex_field(fixed: Tensor, moving: Tensor, fixed_weight: Tensor, radius: int) -> Tensor:
    """Displacements `[3,D,H,W]` (z,y,x) in cells from features `[C,D,H,W]` of one grid to those of the other.

    Every cell tries all whole displacements up to `radius`; `fixed_weight` `[D,H,W]` from 0 to 1 tells how much its
    costs count.
    """
    cost, steps = _cost_volume(fixed, moving, fixed_weight, radius)
    field = smoothed(steps[cost.argmin(dim=0)].permute(3, 0, 1, 2), 1)
    for coupling in COUPLINGS:
        distance = _square_distances(field, steps)
        field = smoothed(steps[distance.mul_(coupling).add_(cost).argmin(dim=0)].permute(3, 0, 1, 2), 1)
    return smoothed(field, 2)


def smoothed(field: Tensor, times: int) -> Tensor:
    """A field `[C,D,H,W]` averaged over 3 cells each way, `times` over; the border is repeated."""
    for axis in (1, 2, 3) * times:
        size = field.shape[axis]
        ends = field.narrow(axis, 0, 1), field.narrow(axis, size - 1, 1)
        padded = torch.cat([ends[0], field, ends[1]], dim=axis)
        # three sums of slices are several times as fast as pooling, forward and backward
        field = (padded.narrow(axis, 0, size) + field + padded.narrow(axis, 2, size)) / 3
    return field


def _cost_volume(fixed: Tensor, moving: Tensor, weight: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Summed squared differences `[n,D,H,W]` for the n whole steps `(n,3)`."""
    side = torch.arange(-radius, radius + 1)
    steps = torch.cartesian_prod(side, side, side)
    padded = functional.pad(moving[None], [radius] * 6, mode="replicate")[0]
    shape = fixed.shape[1:]
    cost = fixed.new_empty((len(steps), *shape))
    for number, (z, y, x) in enumerate((steps + radius).tolist()):
        seen = padded[:, z : z + shape[0], y : y + shape[1], x : x + shape[2]]
        torch.sum((fixed - seen).square_(), dim=0, out=cost[number])
    return cost.mul_(weight), steps.to(fixed)


def _square_distances(field: Tensor, steps: Tensor) -> Tensor:
    """`[n,D,H,W]` between a field `[3,D,H,W]` and each step `(n,3)`, from one product."""
    flat = field.flatten(1)
    distance = -2 * (steps @ flat) + steps.square().sum(dim=1, keepdim=True) + flat.square().sum(dim=0)
    return distance.unflatten(1, field.shape[1:])
