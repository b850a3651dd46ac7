"""Instance optimisation: the field that makes two scans' features most alike, found by gradient descent for this pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .convex import smoothed
from .fields import identity, jacobian, sample

LEAST_JACOBIAN = 0.3
LEAST_RATE = 0.05
"""Part of the rate that is left at the end."""


@dataclass(frozen=True)
class OptimisationSettings:
    """`steps` of Adam on cells twice as large and then on the grid's own, with a rate in cells.

    The field is averaged over neighbours `smoothings` times; `diffusion` and `folding` weigh the field's differences and
    its folds. On the grid's own cells one in `every` is compared in each step, in turn, and one step in `every` looks for
    folds.
    """

    steps: tuple[int, int] = (30, 30)
    rate: float = 0.7
    smoothings: int = 2
    diffusion: float = 1.25
    folding: float = 100.0
    every: int = 3


def optimised_field(
    fixed: Tensor,
    moving: Tensor,
    weight: Tensor,
    start: Tensor,
    settings: OptimisationSettings,
    tell: Callable[[float], None] = lambda share: None,
) -> Tensor:
    """Displacements `[3,D,H,W]` (z,y,x) in cells from features `[C,D,H,W]` of one scan to those of the other.

    The channels are scaled by how much they count; `weight` `[D,H,W]` tells which cells do. `start` is a field near
    the solution; what is regularised is the whole field. `tell` is called with the share of the steps that are done.
    """
    coarse = [halved(values) for values in (fixed, moving, weight[None])]
    begun = halved(start) / 2
    first, second = settings.steps
    found = _descended(
        coarse[0],
        coarse[1],
        coarse[2][0],
        begun,
        settings,
        first,
        1,
        lambda step: tell(step / (first + second)),
    )
    # what the coarse cells can't tell of the start is kept
    found = start + doubled(found - begun, tuple(start.shape[1:]))
    return _descended(
        fixed,
        moving,
        weight,
        found,
        settings,
        second,
        settings.every,
        lambda step: tell((first + step) / (first + second)),
    )


def halved(values: Tensor) -> Tensor:
    """Means `[C,d,h,w]` of `[C,D,H,W]` over cells twice as large."""
    return functional.avg_pool3d(values[None], 2, ceil_mode=True, count_include_pad=False)[0]


def doubled(field: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """A field in cells twice as large, on the grid of this shape that it was made from."""
    depth, height, width = shape
    upsampled = functional.interpolate(field[None], scale_factor=2.0, mode="trilinear")[0]
    return 2 * upsampled[:, :depth, :height, :width]


def _descended(
    fixed: Tensor,
    moving: Tensor,
    weight: Tensor,
    start: Tensor,
    settings: OptimisationSettings,
    steps: int,
    every: int,
    tell: Callable[[int], None],
) -> Tensor:
    cells = (weight.flatten() > 0).nonzero()[:, 0]
    places, features, weight = identity(tuple(start.shape[1:])).flatten(1), fixed.flatten(1), weight.flatten()
    control = torch.zeros_like(start).requires_grad_()
    optimiser = torch.optim.Adam([control], lr=settings.rate)
    for number in range(steps):
        # long steps first, short ones at last, or the field would go on swinging by a step's length
        optimiser.param_groups[0]["lr"] = settings.rate * max(1 - number / steps, LEAST_RATE)
        # in the order of the memory, which is twice as fast as cells chosen at random
        chosen = cells[number % every :: every]
        field = start + smoothed(control, settings.smoothings)
        seen = sample(moving, (places + field.flatten(1))[:, chosen])
        difference = (seen - features[:, chosen]).square().sum(dim=0)
        loss = (difference * weight[chosen]).mean() + settings.diffusion * _roughness(field)
        if number % every == 0:
            loss = loss + settings.folding * _folds(field)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        tell(number + 1)
    return start + smoothed(control.detach(), settings.smoothings)


def _roughness(field: Tensor) -> Tensor:
    """Mean squared differences between neighbours, summed over the axes."""
    return sum(field.diff(dim=axis).square().mean() for axis in (1, 2, 3))


def _folds(field: Tensor) -> Tensor:
    """How much the determinant lacks where cells nearly fold, squared."""
    return functional.relu(LEAST_JACOBIAN - jacobian(field)).square().mean()
