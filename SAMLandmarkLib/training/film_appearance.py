"""Random changes of how a film looks: exposure, contrast, shading, sharpness, noise, hidden parts, field of view."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .config import LevelTraining

OUTSIDE_FILM = -1.0
"""Value outside a film: below every grey value, so that it can be told from black."""
SHADING_CONTROL = (4, 4)


def vary_film(image: Tensor, level: LevelTraining, rng: np.random.Generator) -> Tensor:
    """Change the looks of a film `[1,H,W]`; the geometry stays, and what lies outside the film stays outside."""
    outside = image <= OUTSIDE_FILM / 2
    image = image.clamp(0.0, 1.0) ** math.exp(rng.uniform(-0.5, 0.5))
    image = image * rng.uniform(0.7, 1.3) + rng.uniform(-0.15, 0.15) + _shading(image, rng)
    if rng.random() < 0.5:
        image = functional.avg_pool2d(image, 3, stride=1, padding=1, count_include_pad=False)
    image = image + _normal(image.shape, rng) * rng.uniform(0, 0.06)
    if rng.random() < 0.3:
        image = _hide(image, level.hidden_voxels, rng)
    image = image.masked_fill(outside, OUTSIDE_FILM)
    return _cut(image, rng) if rng.random() < level.cut_share else image


def _normal(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(int(rng.integers(2**31))))


def _shading(image: Tensor, rng: np.random.Generator) -> Tensor:
    control = _normal((1, 1, *SHADING_CONTROL), rng) * rng.uniform(0, 0.12)
    return functional.interpolate(control, size=image.shape[-2:], mode="bicubic", align_corners=False)[0]


def _hide(image: Tensor, sides: tuple[int, int], rng: np.random.Generator) -> Tensor:
    """Fill one to three boxes with one grey value each."""
    image = image.clone()
    for _ in range(int(rng.integers(1, 4))):
        box = image
        for axis in (1, 2):
            side = min(int(rng.integers(*sides)), image.shape[axis])
            box = box.narrow(axis, int(rng.integers(image.shape[axis] - side + 1)), side)
        box.fill_(rng.uniform(0.0, 1.0))
    return image


def _cut(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Cut the film off on one side by up to a third."""
    axis = int(rng.integers(1, 3))
    size = image.shape[axis]
    lost = int(rng.integers(1, max(2, size // 3)))
    image = image.clone()
    image.narrow(axis, 0 if rng.random() < 0.5 else size - lost, lost).fill_(OUTSIDE_FILM)
    return image
