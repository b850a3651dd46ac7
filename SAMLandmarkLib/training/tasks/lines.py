"""Tell where the other planes of the exam cut a slice (Zhang et al., Medical Image Analysis 94, 2024, section 3.1).

A map for each view: the heat of a Gaussian about the line, or the signed distance from it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..slice_samples import SliceSample
from . import Outcome, SliceFeatures

FARTHEST_MM = 40.0
"""Signed distances are learnt up to here; beyond it, that a line is far is all that a slice can tell."""
HIT_MM = 8.0
HEAT, DISTANCE = "heat", "distance"


class Head(nn.Module):
    """From the decoder's features `[n,c,1,h,w]` to a map for each view `[n,views,h,w]`; `target` is heat or distance."""

    def __init__(
        self, scale_channels: Sequence[int], decoded_channels: int, views: int, target: str = HEAT
    ) -> None:
        super().__init__()
        self.target = target
        self.maps = nn.Conv2d(decoded_channels, views, 1)

    def forward(self, features: SliceFeatures) -> Tensor:
        return self.maps(features.decoded[:, :, 0])

    def heat(self, maps: Tensor, sd_mm: Tensor) -> Tensor:
        """What the maps say as heat from 0 to 1, whichever of both is learnt."""
        if self.target == HEAT:
            return maps.clamp(0, 1)
        return _heat(maps * FARTHEST_MM, sd_mm)


def outcome(features: SliceFeatures, samples: Sequence[SliceSample], head: Head) -> Outcome:
    """Mean loss over all cells whose line is defined; the accuracy is the share of lines found within 8 mm."""
    maps = head(features)
    distance_mm, defined, sd_mm = (
        torch.stack([getattr(sample, name) for sample in samples]).to(maps.device)
        for name in ("distance_mm", "defined", "sd_mm")
    )
    if head.target == HEAT:
        wrong = (maps - _heat(distance_mm, sd_mm)).square()
    else:
        wrong = (maps - distance_mm.clamp(-FARTHEST_MM, FARTHEST_MM) / FARTHEST_MM).abs()
    loss = (wrong * defined).sum() / defined.sum().clamp(min=1)
    with torch.no_grad():
        errors = line_errors_mm(head.heat(maps, sd_mm), distance_mm, defined)
        found = (errors <= HIT_MM).sum() / errors.isfinite().sum().clamp(min=1)
    return Outcome(loss, found)


def line_errors_mm(heat: Tensor, distance_mm: Tensor, defined: Tensor) -> Tensor:
    """How far from the true line the hottest cells lie, as many as the line has, on average; `[n,views]`.

    All are `[n,views,h,w]`. NaN where a view's line runs through no cell that counts.
    """
    near = defined & (distance_mm.abs() <= _cell_mm(distance_mm)[..., None, None] / 2)
    ranked = (
        heat.masked_fill(~defined, -functional.relu(heat.max()) - 1).flatten(2).argsort(2, descending=True)
    )
    ordered = distance_mm.abs().flatten(2).gather(2, ranked)
    counts = near.flatten(2).sum(2)
    chosen = torch.arange(ordered.shape[2], device=heat.device) < counts[..., None]
    means = (ordered * chosen).sum(2) / counts.clamp(min=1)
    return means.masked_fill(counts == 0, torch.nan)


def sureness(heat: Tensor, distance_mm: Tensor, defined: Tensor) -> Tensor:
    """Mean heat of the hottest cells, as many as a line has, from 0 (no idea where) to 1 (sure); `[n,views]`."""
    near = defined & (distance_mm.abs() <= _cell_mm(distance_mm)[..., None, None] / 2)
    counts = near.flatten(2).sum(2).clamp(min=1)
    ordered = heat.masked_fill(~defined, 0).flatten(2).sort(2, descending=True).values
    chosen = torch.arange(ordered.shape[2], device=heat.device) < counts[..., None]
    return ((ordered * chosen).sum(2) / counts).clamp(0, 1)


def _cell_mm(distance_mm: Tensor) -> Tensor:
    """Side of a cell, `[n,views]`: how steeply the distance grows across the cells."""
    along = (distance_mm[..., 0, 1] - distance_mm[..., 0, 0]).square()
    down = (distance_mm[..., 1, 0] - distance_mm[..., 0, 0]).square()
    return (along + down).sqrt()


def _heat(distance_mm: Tensor, sd_mm: Tensor) -> Tensor:
    return torch.exp(-distance_mm.square() / (2 * sd_mm[..., None, None].square()))
