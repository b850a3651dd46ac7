"""Random changes of how a CT patch looks: noise, sharpness, slice thickness, contrast phase, hidden parts, field of view."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core.modality import CT
from .config import LevelTraining

SOFT_TISSUE_FROM_HU = -150.0
HIDDEN_BOXES = 6
HIDDEN_VOXELS = (8, 25)
"""Sides of the hidden boxes: from, and less than."""
HIDDEN_HU = (-1000.0, 300.0)


def vary_scan(hu: Tensor, level: LevelTraining, rng: np.random.Generator) -> Tensor:
    """Change the looks of a patch `[D,H,W]` as a level is to see it; the geometry stays as it is."""
    hu = vary_appearance(hu, rng, level.hidden_voxels)
    return _shorten(hu, rng) if rng.random() < level.cut_share else hu


def vary_appearance(
    hu: Tensor, rng: np.random.Generator, hidden_voxels: tuple[int, int] = HIDDEN_VOXELS
) -> Tensor:
    """Apply each change to a patch `[D,H,W]` with its own probability; the geometry stays as it is."""
    hide = partial(_hide, sides=hidden_voxels)
    for probability, change in (
        (0.5, _contrast),
        (0.3, _blur),
        (0.3, _thick_slices),
        (0.5, _noise),
        (0.3, hide),
        (0.25, _crop),
    ):
        if rng.random() < probability:
            hu = change(hu, rng)
    return hu


def _contrast(hu: Tensor, rng: np.random.Generator) -> Tensor:
    """Stretch what is brighter than fat, as contrast agent and tube voltage do, and shift the whole scale a little."""
    stretched = torch.where(hu > 20.0, 20.0 + (hu - 20.0) * rng.uniform(0.5, 1.7), hu)
    return torch.where(hu > SOFT_TISSUE_FROM_HU, stretched + rng.uniform(-25, 25), hu)


def _blur(hu: Tensor, rng: np.random.Generator) -> Tensor:
    smooth = functional.avg_pool3d(hu[None, None], 3, stride=1, padding=1, count_include_pad=False)[0, 0]
    return torch.lerp(hu, smooth, rng.uniform(0.3, 1.0))


def _thick_slices(hu: Tensor, rng: np.random.Generator) -> Tensor:
    """Average along z to two or three voxels and interpolate back, with a random phase."""
    thickness = int(rng.integers(2, 4))
    thick = functional.avg_pool3d(hu[None, None], (thickness, 1, 1), ceil_mode=True, count_include_pad=False)
    return functional.interpolate(thick, size=hu.shape, mode="trilinear", align_corners=False)[0, 0]


def _noise(hu: Tensor, rng: np.random.Generator) -> Tensor:
    generator = torch.Generator(hu.device).manual_seed(int(rng.integers(2**31)))
    noise = torch.randn(hu.shape, generator=generator, device=hu.device)
    return hu + noise * rng.uniform(0, 45)


def _hide(hu: Tensor, rng: np.random.Generator, sides: tuple[int, int] = HIDDEN_VOXELS) -> Tensor:
    """Fill up to six boxes with one value, so that what lies there must be told from its surroundings."""
    hu = hu.clone()
    for _ in range(int(rng.integers(1, HIDDEN_BOXES + 1))):
        box = hu
        for axis, size in enumerate(hu.shape):
            side = min(int(rng.integers(*sides)), size)
            box = box.narrow(axis, int(rng.integers(size - side + 1)), side)
        box.fill_(rng.uniform(*HIDDEN_HU))
    return hu


def _crop(hu: Tensor, rng: np.random.Generator) -> Tensor:
    """Cut the field of view off on one side by up to a third of the patch."""
    axis = int(rng.integers(3))
    size = hu.shape[axis]
    cut = int(rng.integers(1, max(2, size // 3)))
    hu = hu.clone()
    hu.narrow(axis, 0 if rng.random() < 0.5 else size - cut, cut).fill_(CT.padding_value)
    return hu


def _shorten(hu: Tensor, rng: np.random.Generator) -> Tensor:
    """Leave a random range of at least a third of the slices: scans begin and end anywhere in the body."""
    size = hu.shape[0]
    kept = int(rng.integers(size // 3, size))
    start = int(rng.integers(size - kept + 1))
    hu = hu.clone()
    hu[:start] = CT.padding_value
    hu[start + kept :] = CT.padding_value
    return hu
