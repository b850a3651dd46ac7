"""Random changes of how a head looks in MR: contrast, coil sensitivity, slice thickness, noise, hidden parts, field of view."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .config import LevelTraining
from .label_rendering import OUTSIDE_HEAD, smooth_noise

AIR = 0.06
"""Darker than this is taken for air, which stays dark whatever the sequence."""
THICKEST_SLICE_MM = 7.0
GREATEST_NOISE = 0.04
"""Standard deviation of the noise in voxels of 2 mm."""
CURVE_KNOTS = 7
CONVOLUTION_CHANNELS = 4


def vary_head(image: Tensor, level: LevelTraining, rng: np.random.Generator) -> Tensor:
    """Change the looks of a patch `[D,H,W]`; the geometry stays, and what lies outside the image stays outside."""
    outside = image <= OUTSIDE_HEAD / 2
    image = image.clamp(0.0, 1.0)
    kind = rng.random()
    if kind < 0.15:
        image = _convolved(image, rng)
    if kind > 0.1:
        image = _through_curve(image, rng, monotone=kind > 0.35)
    if rng.random() < 0.6:
        image = image * torch.exp(
            smooth_noise(image.shape, image.shape[0] / 2, rng, image.device) * rng.uniform(0, 0.35)
        )
    image = image * rng.uniform(0.7, 1.3)
    if rng.random() < 0.3:
        image = _thick_slices(image, level.spacing_mm, rng)
    if rng.random() < 0.7:
        image = _noisy(image, level.spacing_mm, rng)
    if rng.random() < 0.15:
        image = _hide(image, level.hidden_voxels, rng)
    image = image.masked_fill(outside, OUTSIDE_HEAD)
    return _cut(image, rng) if rng.random() < level.cut_share else image


def _convolved(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Two random convolutions of 3x3x3 voxels with a bend between them, scaled to where the image lay before.

    After CAMLD (2411.17845), where such contrasts beat curves alone.
    """
    generator = torch.Generator(image.device).manual_seed(int(rng.integers(2**31)))
    features = image[None, None] - image.mean()
    for channels in (CONVOLUTION_CHANNELS, 1):
        weights = torch.randn(
            (channels, features.shape[1], 3, 3, 3), generator=generator, device=image.device
        )
        weights[:, :, 1, 1, 1] *= 4.0
        features = functional.leaky_relu(functional.conv3d(features, weights, padding=1), 0.2)
    return _stretched(features[0, 0], image)


def _stretched(values: Tensor, image: Tensor) -> Tensor:
    """Values with their 2nd and 98th percentile within the head at 0.02 and 0.95; air as dark as it was."""
    head = values[image > AIR][:: max(1, values.numel() // 20_000)].cpu().numpy()
    if head.size == 0:
        return image
    low, high = np.percentile(head, (2.0, 98.0))
    return _dark_air(((values - float(low)) / max(float(high - low), 1e-3) * 0.93 + 0.02).clamp(0, 1), image)


def _through_curve(image: Tensor, rng: np.random.Generator, monotone: bool) -> Tensor:
    """Grey values through a random curve of straight pieces, which rises, or also falls in every third case."""
    knots = rng.uniform(0.0, 1.0, CURVE_KNOTS)
    if monotone:
        knots = np.cumsum(rng.uniform(0.05, 1.0, CURVE_KNOTS) ** 2)
        knots = (knots - knots[0]) / (knots[-1] - knots[0])
        if rng.random() < 0.33:
            knots = knots[::-1].copy()
    curve = torch.as_tensor(np.append(knots, knots[-1]), dtype=image.dtype, device=image.device)
    place = image * (CURVE_KNOTS - 1)
    piece = place.floor().long()
    return _dark_air(torch.lerp(curve[piece], curve[piece + 1], place - piece), image)


def _dark_air(values: Tensor, image: Tensor) -> Tensor:
    return values * (image / AIR).clamp(max=1.0)


def _thick_slices(image: Tensor, spacing_mm: float, rng: np.random.Generator) -> Tensor:
    """Average along a random axis to slices of up to 7 mm and interpolate back; every fourth time along all axes."""
    thickest = max(2, int(THICKEST_SLICE_MM / spacing_mm))
    isotropic = rng.random() < 0.25
    chosen = rng.integers(3)
    window = [
        int(rng.integers(2, (2 if isotropic else thickest) + 1)) if isotropic or axis == chosen else 1
        for axis in range(3)
    ]
    thick = functional.avg_pool3d(image[None, None], window, ceil_mode=True, count_include_pad=False)
    return functional.interpolate(thick, size=image.shape, mode="trilinear", align_corners=False)[0, 0]


def _noisy(image: Tensor, spacing_mm: float, rng: np.random.Generator) -> Tensor:
    """The length of a signal with noise in its real and its imaginary part (Rice's distribution), less in large voxels."""
    generator = torch.Generator(image.device).manual_seed(int(rng.integers(2**31)))
    deviation = rng.uniform(0.0, GREATEST_NOISE) * 2.0 / spacing_mm
    real, imaginary = torch.randn((2, *image.shape), generator=generator, device=image.device) * deviation
    return torch.hypot(image + real, imaginary)


def _hide(image: Tensor, sides: tuple[int, int], rng: np.random.Generator) -> Tensor:
    """Fill one to three boxes with one grey value each."""
    image = image.clone()
    for _ in range(int(rng.integers(1, 4))):
        box = image
        for axis in range(3):
            side = min(int(rng.integers(*sides)), image.shape[axis])
            box = box.narrow(axis, int(rng.integers(image.shape[axis] - side + 1)), side)
        box.fill_(rng.uniform(0.0, 1.0))
    return image


def _cut(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Cut the field of view off on one side by up to a half."""
    axis = int(rng.integers(3))
    size = image.shape[axis]
    lost = int(rng.integers(1, max(2, size // 2)))
    image = image.clone()
    image.narrow(axis, 0 if rng.random() < 0.5 else size - lost, lost).fill_(OUTSIDE_HEAD)
    return image
