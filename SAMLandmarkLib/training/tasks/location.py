"""Tell where in its stack a slice lies, from 0 to 1 (Zhang et al., Medical Image Analysis 94, 2024, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..slice_samples import SliceSample
from . import Outcome, SliceFeatures

HIT = 0.1


class Head(nn.Module):
    """From the deepest features, each at its greatest and on average over the slice, to one number `[n]`."""

    def __init__(
        self, scale_channels: Sequence[int], decoded_channels: int, views: int, hidden: int = 64
    ) -> None:
        super().__init__()
        layers = (nn.Linear(2 * scale_channels[-1], hidden), nn.ReLU(), nn.Dropout(0.2), nn.Linear(hidden, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: SliceFeatures) -> Tensor:
        # the middle of the stack is where a network without an idea begins
        deepest, axes = features.scales[-1], (2, 3, 4)
        pooled = torch.cat([deepest.amax(dim=axes), deepest.mean(dim=axes)], dim=1)
        return self.layers(pooled)[:, 0] + 0.5


def outcome(features: SliceFeatures, samples: Sequence[SliceSample], head: Head) -> Outcome:
    """Mean squared error over the slices that have a location; the accuracy is the share within 0.1."""
    told = head(features)
    location = torch.tensor([sample.location for sample in samples], device=told.device)
    known = location.isfinite()
    wrong = torch.where(known, told - location.nan_to_num(), torch.zeros_like(told))
    count = known.sum().clamp(min=1)
    return Outcome(wrong.square().sum() / count, ((wrong.abs() <= HIT) & known).sum() / count)
