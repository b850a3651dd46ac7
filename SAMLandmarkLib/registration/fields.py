"""Displacement fields as tensors `[3,D,H,W]` (z,y,x, counted in cells): sampling, composition, Jacobian, inverse."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .convex import smoothed

LEAST_JACOBIAN = 0.1
UNFOLDING_ROUNDS = 60
INVERSION_STEPS = 20
INVERSION_SHARE = 0.8
INVERSION_CELLS = 0.003
"""Mean error of an inverse, in cells, that ends the iteration."""


def identity(shape: tuple[int, int, int]) -> Tensor:
    """The index (z,y,x) of each cell, `[3,D,H,W]`."""
    return torch.stack(torch.meshgrid(*(torch.arange(size).float() for size in shape), indexing="ij"))


def sample(values: Tensor, index: Tensor) -> Tensor:
    """Values `[C,D,H,W]` interpolated trilinearly at indices `[3,...]` (z,y,x), `[C,...]`; the border is repeated.

    The places are divided between the threads, which torch does not do for a single volume.
    """
    size = index.new_tensor([max(length - 1, 1) for length in values.shape[1:]])
    normalised = (2 * index.flatten(1).T / size - 1).flip(1)
    parts = max(1, min(torch.get_num_threads(), len(normalised) // 4096))
    padded = functional.pad(normalised, (0, 0, 0, -len(normalised) % parts))
    grid = padded.view(parts, 1, 1, -1, 3)
    found = functional.grid_sample(
        values[None].expand(parts, *values.shape), grid, align_corners=True, padding_mode="border"
    )
    flat = found[:, :, 0, 0].transpose(0, 1).flatten(1)[:, : len(normalised)]
    return flat.unflatten(1, index.shape[1:])


def composed(first: Tensor, second: Tensor) -> Tensor:
    """The field that moves a cell by `first` and then by `second`, taken where it has come to."""
    return first + sample(second, identity(first.shape[1:]) + first)


def jacobian(field: Tensor) -> Tensor:
    """Determinant `[D-1,H-1,W-1]` of the map's derivative in each cell's upper corner; negative where it folds."""
    z = field[:, 1:, :-1, :-1] - field[:, :-1, :-1, :-1]
    y = field[:, :-1, 1:, :-1] - field[:, :-1, :-1, :-1]
    x = field[:, :-1, :-1, 1:] - field[:, :-1, :-1, :-1]
    a, b, c = z[0] + 1, z[1], z[2]
    d, e, f = y[0], y[1] + 1, y[2]
    g, h, i = x[0], x[1], x[2] + 1
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def unfolded(field: Tensor, least: float = LEAST_JACOBIAN) -> Tensor:
    """The field smoothed around cells whose determinant is below `least`, until there are none.

    Only their surroundings change; what is left after some rounds is smoothed as a whole, a little more each time.
    """
    for number in range(UNFOLDING_ROUNDS):
        folded = jacobian(field) < least
        if not folded.any():
            return field
        reach = 2 * (1 + number // 10) + 1
        cells = functional.pad(folded[None].float(), (0, 1) * 3)
        near = functional.max_pool3d(cells, reach, stride=1, padding=reach // 2)
        share = smoothed(near, 1)
        field = field + share * (smoothed(field, 1) - field)
    return field


def inverted(field: Tensor) -> Tensor:
    """The field that leads back, by fixed-point iteration: v(y) = -u(y + v(y))."""
    places = identity(tuple(field.shape[1:]))
    inverse = -field
    for _ in range(INVERSION_STEPS):
        step = -sample(field, places + inverse) - inverse
        # a little less than the whole step converges where that would swing to and fro
        inverse = inverse + INVERSION_SHARE * step
        if step.abs().mean() < INVERSION_CELLS:
            break
    return inverse
