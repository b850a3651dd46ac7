"""Images of any contrast made of one label map of a head, so that every voxel of two of them corresponds exactly.

After SynthSeg (Billot et al., Medical Image Analysis 2023, section 3): each label gets a random mean and spread of grey
values. Here the labels of one tissue lie about a common mean, and a label has texture of several grain sizes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

OUTSIDE_HEAD = -1.0
"""Value outside an image: below every grey value, so that it can be told from black."""
FIRST_LABEL_OF_THE_HEAD = 500
"""Labels from here on are skull, skin, muscles and whatever else surrounds the brain."""
GREATEST_LABEL = 1024
FLUID = (4, 5, 14, 15, 24, 43, 44, 72)
CORTEX = (3, 42, 17, 18, 53, 54, 8, 47)
DEEP_GREY = (10, 11, 12, 13, 26, 49, 50, 51, 52, 58, 136, 137, 163, 164)
WHITE = (2, 41, 7, 46, 16, 28, 60, 85)
TISSUES = (FLUID, CORTEX, DEEP_GREY, WHITE)
SIDES = {
    2: 41,
    3: 42,
    4: 43,
    5: 44,
    7: 46,
    8: 47,
    10: 49,
    11: 50,
    12: 51,
    13: 52,
    17: 53,
    18: 54,
    26: 58,
    28: 60,
}
"""Labels of the left side, and those of the same structures on the right."""
STRIPPED_SHARE = 0.35
PERCENTILES = (1.0, 99.0)
_SAMPLES = 20_000


def render_labels(
    labels: Tensor, rng: np.random.Generator, box: tuple[slice, ...] = (slice(None),) * 3
) -> Tensor:
    """An image `[z,y,x]` of random contrast of a label map, normalised as real ones; black air, no noise.

    In a third of the cases the skull is stripped off, to OUTSIDE_HEAD. Only what lies in the `box` is made; the rest is
    OUTSIDE_HEAD.
    """
    means, spreads = (
        torch.as_tensor(v, dtype=torch.float32, device=labels.device) for v in random_contrast(rng)
    )
    stripped = rng.random() < STRIPPED_SHARE
    last = FIRST_LABEL_OF_THE_HEAD if stripped else GREATEST_LABEL
    low, high = _percentiles(labels, means, spreads, last, rng)
    result = torch.full(labels.shape, OUTSIDE_HEAD, device=labels.device)
    here = labels[box].long()
    if here.numel():
        image = _smoothed(means[here] + spreads[here] * _texture(here.shape, rng, labels.device), rng)
        image = ((image - low) / max(high - low, 1e-3)).clamp_(0.0, 1.0).masked_fill_(here == 0, 0.0)
        result[box] = image.masked_fill_((here == 0) | (here >= last), OUTSIDE_HEAD) if stripped else image
    return result


def random_contrast(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A mean and a spread of grey values for every possible label, the same on both sides of the body."""
    means = rng.uniform(0.05, 1.0, GREATEST_LABEL)
    for tissue in TISSUES:
        labels = list(tissue)
        means[labels] = rng.uniform(0.0, 1.0) + rng.normal(0.0, rng.uniform(0.0, 0.12), len(labels))
    spreads = rng.uniform(0.0, 0.12, GREATEST_LABEL)
    spreads[FIRST_LABEL_OF_THE_HEAD:] *= 2
    for left, right in SIDES.items():
        means[right], spreads[right] = means[left], spreads[left]
    means[0] = spreads[0] = 0.0
    return np.clip(means, 0.0, 1.2), spreads


def smooth_noise(
    shape: tuple[int, ...], grain_voxels: float, rng: np.random.Generator, device: torch.device
) -> Tensor:
    """A random field `[z,y,x]` of about unit variance that varies over `grain_voxels`."""
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**31)))
    control = [max(2, round(size / grain_voxels) + 1) for size in shape]
    noise = torch.randn((1, 1, *control), generator=generator, device=device)
    return functional.interpolate(noise, size=tuple(shape), mode="trilinear", align_corners=True)[0, 0]


def _texture(shape: tuple[int, ...], rng: np.random.Generator, device: torch.device) -> Tensor:
    grains = (rng.uniform(1.0, 2.0), rng.uniform(2.5, 6.0), rng.uniform(8.0, 20.0))
    weights = rng.dirichlet(np.ones(len(grains))) ** 0.5
    fields = [float(w) * smooth_noise(shape, grain, rng, device) for w, grain in zip(weights, grains)]
    return torch.stack(fields).sum(dim=0)


def _smoothed(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Voxels at a border of two labels show some of both."""
    means = functional.avg_pool3d(image[None, None], 3, stride=1, padding=1, count_include_pad=False)[0, 0]
    return torch.lerp(image, means, rng.uniform(0.3, 1.0))


def _percentiles(
    labels: Tensor, means: Tensor, spreads: Tensor, last: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Of the grey values of the labels from 1 to below `last`, as their contrast has them."""
    chosen = labels.flatten()[torch.as_tensor(rng.integers(0, labels.numel(), _SAMPLES))].long()
    chosen = chosen[(chosen > 0) & (chosen < last)].cpu()
    values = means.cpu()[chosen].numpy() + spreads.cpu()[chosen].numpy() * rng.standard_normal(len(chosen))
    low, high = np.percentile(values, PERCENTILES) if len(values) else (0.0, 1.0)
    return float(low), float(high)
