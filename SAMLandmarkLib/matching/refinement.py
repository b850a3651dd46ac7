"""Refinement of matches by the images themselves: what surrounds the point must look alike in both scans.

Embeddings lie on a 4 mm grid and are made to ignore looks. Once they have found the place to within a few millimetres,
normalised cross-correlation of the neighbourhoods, wide first and narrower after, finds it more exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..embedding.embedding import Image
from ..threads import side_by_side
from .alignment import align
from .surroundings import FLAT, boxes

CHUNK_POINTS = 64
WORTH_ALIGNING = 0.7
"""Likeness below which two scans do not show the same tissue."""
SAME_TISSUE = 0.9
UNEXPLAINED = 0.7
"""Share of what the images did not agree in that alignment may leave."""
GREATEST_MOVE_MM = 6.0


@dataclass(frozen=True)
class Stage:
    """One search: `reach` steps of `step_mm` each way, comparing `half` steps each way, weighted by a Gaussian."""

    half: int
    reach: int
    step_mm: float
    width_mm: float


STAGES = (Stage(6, 3, 3.0, 12.0), Stage(6, 2, 2.0, 8.0), Stage(5, 2, 2.0, 5.0))


@dataclass(frozen=True)
class Refined:
    """`positions_lps` `(n,3)` mm, and how alike the surroundings are there, `(n,)` from -1 to 1."""

    positions_lps: np.ndarray
    likeness: np.ndarray

    def better(self, other: Refined, rows: np.ndarray) -> Refined:
        """With those of the rows chosen by a mask `(n,)` replaced that another refinement finds more alike."""
        positions, likeness = self.positions_lps.copy(), self.likeness.copy()
        chosen = other.likeness > likeness[rows]
        better = np.flatnonzero(rows)[chosen]
        positions[better], likeness[better] = other.positions_lps[chosen], other.likeness[chosen]
        return Refined(positions, likeness)


def refine(template: Image, points_lps: np.ndarray, target: Image, start_lps: np.ndarray) -> Refined:
    """Move matches `start_lps` `(n,3)` of template points `(n,3)` to where their surroundings look most alike.

    The likeness is that of the last stage but one, whose neighbourhood is the size of an organ's detail.
    """
    parts = side_by_side(
        lambda part: _refine_chunk(template, points_lps[part], target, start_lps[part]),
        _chunks(len(points_lps)),
        target.hu.device,
    )
    return Refined(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _refine_chunk(
    template: Image, points_lps: np.ndarray, target: Image, positions_lps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    likeness = []
    for stage in STAGES:
        pattern = boxes(template, points_lps, stage.half, stage.step_mm)
        searched = boxes(target, positions_lps, stage.half + stage.reach, stage.step_mm)
        correlation = _correlation(pattern, searched, stage)
        offset_steps, best = _peak(correlation)
        positions_lps = positions_lps + (offset_steps - stage.reach) * stage.step_mm
        likeness.append(best)
    return _aligned(template, points_lps, target, positions_lps, likeness[-2])


def _aligned(
    template: Image, points_lps: np.ndarray, target: Image, positions_lps: np.ndarray, likeness: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """With those matches aligned whose surroundings then look like the same tissue, and clearly more so than before."""
    rows = np.flatnonzero(likeness > WORTH_ALIGNING)
    if len(rows) == 0:
        return positions_lps, likeness
    found = align(template, points_lps[rows], target, positions_lps[rows])
    moved_mm = np.linalg.norm(found.positions_lps - positions_lps[rows], axis=1)
    better = (
        (found.likeness >= SAME_TISSUE)
        & (1 - found.likeness <= UNEXPLAINED * (1 - found.likeness_before))
        & (moved_mm <= GREATEST_MOVE_MM)
    )
    positions_lps, likeness = positions_lps.copy(), likeness.copy()
    positions_lps[rows[better]] = found.positions_lps[better]
    likeness[rows[better]] = np.maximum(likeness[rows], found.likeness)[better]
    return positions_lps, likeness


def _chunks(count: int) -> list[slice]:
    return [slice(first, first + CHUNK_POINTS) for first in range(0, max(count, 1), CHUNK_POINTS)]


def _correlation(pattern: Tensor, searched: Tensor, stage: Stage) -> Tensor:
    """Weighted normalised cross-correlation `[n,r,r,r]` of each pattern with its searched box, over all channels."""
    line = _gaussian(stage).to(pattern.device)
    weight = line[:, None, None] * line[:, None] * line
    centered = pattern - (pattern * weight).sum(dim=(2, 3, 4), keepdim=True)
    energy = (centered.square() * weight).sum(dim=(1, 2, 3, 4))
    band = _band(stage).to(pattern.device)
    mean = _smoothed(searched, band)
    variance = _smoothed(searched.square().sum(dim=1, keepdim=True), band)[:, 0] - mean.square().sum(dim=1)
    scale = (energy + FLAT)[:, None, None, None] * (variance.clamp(min=0) + FLAT)
    return _product(centered * weight, searched) / scale.sqrt()


@cache
def _gaussian(stage: Stage) -> Tensor:
    steps = torch.arange(-stage.half, stage.half + 1) * stage.step_mm
    line = torch.exp(-steps.square() / (2 * stage.width_mm**2))
    return line / line.sum()


@cache
def _band(stage: Stage) -> Tensor:
    """The Gaussian at each of the places searched along a line, `[2 reach + 1, s]`."""
    line, last = _gaussian(stage), 2 * stage.reach
    return torch.stack([functional.pad(line, (start, last - start)) for start in range(last + 1)])


def _smoothed(boxes: Tensor, band: Tensor) -> Tensor:
    """Means of `[n,c,s,s,s]`, weighted by a line in each direction, wherever all of it fits, `[n,c,r,r,r]`."""
    planes = band @ (boxes @ band.T)
    return (band @ planes.flatten(3)).unflatten(3, planes.shape[3:])


def _product(pattern: Tensor, searched: Tensor) -> Tensor:
    """Sum of products `[n,r,r,r]` of `[n,c,p,p,p]` with every part of its size of `[n,c,s,s,s]`."""
    size, places = searched.shape[2:], searched.shape[-1] - pattern.shape[-1] + 1
    # by Fourier transform: convolution with a kernel for each point is slow on CPUs
    spectrum = (
        torch.fft.rfftn(searched, dim=(2, 3, 4)) * torch.fft.rfftn(pattern, s=size, dim=(2, 3, 4)).conj()
    )
    product = torch.fft.irfftn(spectrum.sum(dim=1), s=size, dim=(1, 2, 3))
    return product[:, :places, :places, :places]


def _peak(score: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Index `(n,3)` (x,y,z) of the highest cell of `[n,r,r,r]`, moved to the vertex of a parabola, and its value."""
    side = score.shape[1]
    best, where = score.flatten(1).max(dim=1)
    cell = torch.stack([where // side**2, where // side % side, where % side], dim=-1)
    rows = torch.arange(len(score), device=score.device)
    index = cell.double()
    for axis in range(3):
        step = torch.zeros(3, dtype=torch.long, device=score.device)
        step[axis] = 1
        below, above = (
            score[(rows, *(cell + shift * step).clamp(0, side - 1).unbind(1))].double() for shift in (-1, 1)
        )
        curvature = below - 2 * best.double() + above
        usable = (curvature < 0) & (cell[:, axis] > 0) & (cell[:, axis] < side - 1)
        offset = torch.where(usable, 0.5 * (below - above) / curvature, torch.zeros_like(curvature))
        index[:, axis] += offset.clamp(-0.5, 0.5)
    return index.flip(1).cpu().numpy(), best.double().cpu().numpy()
