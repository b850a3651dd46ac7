"""How well the pretext tasks are solved on exams that were held out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ..core.slice_order import check_predicted_order
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
    """Median line error in mm over slices and views, and mean error of the locations, on exams that were held out.

    And how many stacks there are, and in how many the pictures run as the headers say: fewer than all may mean that not
    all stacks are stored the same way round.
    """
    rng = np.random.default_rng(0)
    lines: list[float] = []
    stacks: dict[tuple[str, str], list[tuple[float, float, str]]] = {}
    for part in pool.slices:
        sample = draw_sample(part, config.views, config.level, NO_AUGMENTATION, rng)
        scales = network(sample.image[None, None])
        features = SliceFeatures(scales, network.decoded(scales))
        if "lines" in heads:
            heat = heads["lines"].heat(heads["lines"](features), sample.sd_mm[None])
            errors = line_errors_mm(heat, sample.distance_mm[None], sample.defined[None])
            lines += errors[errors.isfinite()].tolist()
        if "location" in heads and part.location is not None:
            seen = float(heads["location"](features))
            stacks.setdefault((part.exam, part.view), []).append((part.location, seen, part.name))
    told: dict[str, float | int] = {"slices": len(pool.slices)}
    if lines:
        told |= {"lines": len(lines), "line_error_median_mm": round(float(np.median(lines)), 2)}
    return told | _locations(list(stacks.values()))


def _locations(stacks: Sequence[Sequence[tuple[float, float, str]]]) -> dict[str, float | int]:
    """What is told of stacks of slices with their location by the headers, by the network, and name."""
    if not stacks:
        return {}
    errors = [abs(seen - location) for stack in stacks for location, seen, _name in stack]
    doubted = [check_predicted_order(*zip(*stack, strict=True)).warnings for stack in stacks]
    return {
        "locations": len(errors),
        "location_error_mean": round(float(np.mean(errors)), 4),
        "stacks": len(stacks),
        "stacks_in_order": sum(not warnings for warnings in doubted),
    }
