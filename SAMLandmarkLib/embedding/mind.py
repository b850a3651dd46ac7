"""MIND-SSC: what an image looks like around each voxel, whatever its grey levels, to compare images of any contrast.

After Heinrich et al. (2013), "Towards realtime multimodal fusion for image-guided interventions using
self-similarities".
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..models.self_similarity import SIMILARITIES, neighbour_differences

CHANNELS = SIMILARITIES
NARROWEST, WIDEST = 0.001, 1000.0
"""Bounds of a voxel's mean difference, as parts of the mean over the image."""


def mind(image: Tensor, radius: int = 1, distance: int = 2) -> Tensor:
    """The 12 similarities `[12,D,H,W]`, from 0 to 1, of an image `[D,H,W]` between the neighbours of each voxel.

    `distance` in voxels is how far the neighbours lie, patches reach `radius` voxels to each side.
    """
    means = [_box_mean(difference[0], radius) for difference in neighbour_differences(image[None], distance)]
    differences = torch.stack(means)
    differences -= differences.amin(dim=0)
    variance = differences.mean(dim=0)
    mean = variance.mean().clamp(min=1e-6)
    return differences.div_(variance.clamp(NARROWEST * mean, WIDEST * mean)).neg_().exp_()


def _box_mean(values: Tensor, radius: int) -> Tensor:
    """Means over cubes of `[D,H,W]`, its border repeated; axis by axis, many times as fast as pooling."""
    size = 2 * radius + 1
    sums = functional.pad(values[None, None], [radius] * 6, mode="replicate")[0, 0]
    for axis, length in enumerate(values.shape):
        total = sums.narrow(axis, 0, length).clone()
        for start in range(1, size):
            total += sums.narrow(axis, start, length)
        sums = total
    return sums.div_(size**3)
