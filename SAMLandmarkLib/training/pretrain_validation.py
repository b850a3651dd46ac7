"""How well the pretext tasks are solved on exams that were held out."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ..models.encoder import EmbeddingEncoder
from .pretrain_config import PretrainConfig
from .slice_samples import NO_AUGMENTATION, draw_sample
from .slices import SlicePool
from .tasks import SliceFeatures
from .tasks.lines import line_errors_mm


@torch.no_grad()
def validated(
    network: EmbeddingEncoder, heads: nn.ModuleDict, pool: SlicePool, config: PretrainConfig
) -> dict[str, float | int]:
    """Median line error in mm over slices and views, and mean error of the locations, on exams that were held out."""
    rng = np.random.default_rng(0)
    lines: list[float] = []
    locations: list[float] = []
    for part in pool.slices:
        sample = draw_sample(part, config.views, config.level, NO_AUGMENTATION, rng)
        scales = network(sample.image[None, None])
        features = SliceFeatures(scales, network.decoded(scales))
        if "lines" in heads:
            heat = heads["lines"].heat(heads["lines"](features), sample.sd_mm[None])
            errors = line_errors_mm(heat, sample.distance_mm[None], sample.defined[None])
            lines += errors[errors.isfinite()].tolist()
        if "location" in heads and part.location is not None:
            locations.append(abs(float(heads["location"](features)) - part.location))
    told: dict[str, float | int] = {"slices": len(pool.slices)}
    if lines:
        told |= {"lines": len(lines), "line_error_median_mm": round(float(np.median(lines)), 2)}
    if locations:
        told |= {"locations": len(locations), "location_error_mean": round(float(np.mean(locations)), 4)}
    return told
