"""What surrounds a point in an image, in the form in which it is compared with what surrounds another."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..core.modality import Modality
from ..embedding.embedding import Image


def extract_patches(image: Image, centers_lps: np.ndarray, half: int, step_mm: float) -> Tensor:
    """Patches `[n,windows,s,s,s]` of the image around points `(n,3)`, one channel for each window, from -1 to 1.

    On a grid of one slice they are `[n,windows,1,s,s]`.
    """
    return windowed(image.cubes(centers_lps, half, step_mm), image.modality)


def self_similar_patches(image: Image, centers_lps: np.ndarray, half: int, step_mm: float) -> Tensor:
    """Patches `[n,12,s,s,s]` of how similar the neighbours of each place are to each other, which no contrast changes."""
    return image.self_similar_cubes(centers_lps, half, step_mm)


def windowed(values: Tensor, modality: Modality) -> Tensor:
    """Intensities `[n,...]` as one channel for each window of the modality, `[n,windows,...]`, from -1 to 1."""
    low, high = torch.tensor(modality.normalisation.windows, device=values.device).unbind(1)
    shape = (-1, *[1] * (values.ndim - 1))
    return ((values[:, None] - low.view(shape)) / (high - low).view(shape) * 2 - 1).clamp_(-1, 1)
