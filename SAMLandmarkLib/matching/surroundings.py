"""What surrounds a point in an image, in the form in which it is compared with what surrounds another."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..embedding.embedding import Image
from ..model.network import HU_WINDOWS

FLAT = 1e-3
"""Variance, in squared window widths, below which a neighbourhood has no structure to compare."""


def boxes(image: Image, centers_lps: np.ndarray, half: int, step_mm: float) -> Tensor:
    """Cubes `[n,windows,s,s,s]` of the image around points `(n,3)`, one channel for each HU window, from -1 to 1."""
    return windowed(image.cubes(centers_lps, half, step_mm))


def windowed(hu: Tensor) -> Tensor:
    """HU `[n,...]` as one channel for each HU window, `[n,windows,...]`, from -1 to 1."""
    low, high = torch.tensor(HU_WINDOWS, device=hu.device).unbind(1)
    shape = (-1, *[1] * (hu.ndim - 1))
    return ((hu[:, None] - low.view(shape)) / (high - low).view(shape) * 2 - 1).clamp_(-1, 1)
