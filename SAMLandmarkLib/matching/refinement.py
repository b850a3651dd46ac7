"""Refinement of matches by the images themselves: what surrounds the point must look alike in both scans.

Embeddings lie on a grid of millimetres and are trained to ignore contrast. Once they have found the place to within a
few millimetres, normalised cross-correlation of the neighbourhoods, wide first and narrower after, finds it more exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core.geometry import CanonicalGrid
from ..core.matching_options import CorrelationStep, MatchingOptions
from ..embedding.embedding import Image
from ..utils.threads import side_by_side
from .alignment import align
from .boxes import cell_of
from .patches import extract_patches, self_similar_patches

CHUNK_POINTS = 64
DEFAULTS = MatchingOptions()
_COMPARED = {"intensities": extract_patches, "self_similarity": self_similar_patches}


@dataclass(frozen=True)
class Refined:
    """`positions_lps` `(n,3)` mm, and the NCC of the surroundings there, `(n,)` from -1 to 1."""

    positions_lps: np.ndarray
    ncc: np.ndarray


def refine(
    template: Image,
    points_lps: np.ndarray,
    target: Image,
    start_lps: np.ndarray,
    options: MatchingOptions = DEFAULTS,
) -> Refined:
    """Move matches `start_lps` `(n,3)` of template points `(n,3)` to where their surroundings look most alike.

    The NCC is that of the options' evidence step, whose neighbourhood in CT is the size of an organ's detail.
    """
    parts = side_by_side(
        lambda part: _refine_chunk(template, points_lps[part], target, start_lps[part], options),
        _chunks(len(points_lps)),
        target.values.device,
    )
    return Refined(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _refine_chunk(
    template: Image,
    points_lps: np.ndarray,
    target: Image,
    positions_lps: np.ndarray,
    options: MatchingOptions,
) -> tuple[np.ndarray, np.ndarray]:
    ncc, grid = [], target.grid
    seen = _COMPARED[options.refinement.compared]
    for step in options.refinement.steps:
        pattern = seen(template, points_lps, step.half, step.step_mm)
        searched = seen(target, positions_lps, step.half + step.reach, step.step_mm)
        correlation = _correlation(pattern, searched, step, grid, options.refinement.flat_variance)
        offset_steps, best = _peak(correlation)
        middle = np.array(grid.per_axis(step.reach, 0)[::-1])
        positions_lps = positions_lps + (offset_steps - middle) * step.step_mm
        ncc.append(best)
    evidence = ncc[options.refinement.evidence_step]
    if not options.alignment.enabled:
        return positions_lps, evidence
    return _aligned(template, points_lps, target, positions_lps, evidence, options)


def _aligned(
    template: Image,
    points_lps: np.ndarray,
    target: Image,
    positions_lps: np.ndarray,
    ncc: np.ndarray,
    options: MatchingOptions,
) -> tuple[np.ndarray, np.ndarray]:
    """With those matches aligned whose surroundings then look like the same tissue, and clearly more so than before."""
    limits, flat_variance = options.alignment, options.refinement.flat_variance
    rows = np.flatnonzero(ncc > limits.worth_aligning)
    if len(rows) == 0:
        return positions_lps, ncc
    found = align(template, points_lps[rows], target, positions_lps[rows], limits, flat_variance)
    moved_mm = np.linalg.norm(found.positions_lps - positions_lps[rows], axis=1)
    better = (
        (found.ncc >= limits.same_tissue)
        & (1 - found.ncc <= limits.unexplained * (1 - found.ncc_before))
        & (moved_mm <= limits.greatest_move_mm)
    )
    positions_lps, ncc = positions_lps.copy(), ncc.copy()
    positions_lps[rows[better]] = found.positions_lps[better]
    ncc[rows[better]] = np.maximum(ncc[rows], found.ncc)[better]
    return positions_lps, ncc


def _chunks(count: int) -> list[slice]:
    return [slice(first, first + CHUNK_POINTS) for first in range(0, max(count, 1), CHUNK_POINTS)]


def _correlation(
    pattern: Tensor, searched: Tensor, step: CorrelationStep, grid: CanonicalGrid, flat_variance: float
) -> Tensor:
    """Weighted normalised cross-correlation `[n,r,r,r]` of each pattern with its searched box, over all channels."""
    flat = grid.spatial_axes == 2
    line, band = (part.to(pattern.device) for part in (_gaussian(step), _band(step)))
    line_z, band_z = (
        (torch.ones(1, device=pattern.device), torch.ones(1, 1, device=pattern.device))
        if flat
        else (line, band)
    )
    weight = line_z[:, None, None] * line[:, None] * line
    centered = pattern - (pattern * weight).sum(dim=(2, 3, 4), keepdim=True)
    energy = (centered.square() * weight).sum(dim=(1, 2, 3, 4))
    mean = _smoothed(searched, band, band_z)
    square = _smoothed(searched.square().sum(dim=1, keepdim=True), band, band_z)[:, 0]
    variance = square - mean.square().sum(dim=1)
    scale = (energy + flat_variance)[:, None, None, None] * (variance.clamp(min=0) + flat_variance)
    return _product(centered * weight, searched) / scale.sqrt()


@cache
def _gaussian(step: CorrelationStep) -> Tensor:
    steps = torch.arange(-step.half, step.half + 1) * step.step_mm
    line = torch.exp(-steps.square() / (2 * step.width_mm**2))
    return line / line.sum()


@cache
def _band(step: CorrelationStep) -> Tensor:
    """The Gaussian at each of the places searched along a line, `[2 reach + 1, s]`."""
    line, last = _gaussian(step), 2 * step.reach
    return torch.stack([functional.pad(line, (start, last - start)) for start in range(last + 1)])


def _smoothed(boxes: Tensor, band: Tensor, band_z: Tensor) -> Tensor:
    """Means of `[n,c,s,s,s]`, weighted by a line in each direction, wherever all of it fits, `[n,c,r,r,r]`."""
    planes = band @ (boxes @ band.T)
    smooth: Tensor = band_z @ planes.flatten(3)
    return smooth.view(*planes.shape[:2], -1, *planes.shape[3:])


def _product(pattern: Tensor, searched: Tensor) -> Tensor:
    """Sum of products `[n,r,r,r]` of `[n,c,p,p,p]` with every part of its size of `[n,c,s,s,s]`."""
    size = searched.shape[2:]
    z, y, x = (all_ - own + 1 for all_, own in zip(size, pattern.shape[2:], strict=True))
    # by Fourier transform: convolution with a kernel for each point is slow on CPUs
    spectrum = (
        torch.fft.rfftn(searched, dim=(2, 3, 4)) * torch.fft.rfftn(pattern, s=size, dim=(2, 3, 4)).conj()
    )
    product = torch.fft.irfftn(spectrum.sum(dim=1), s=size, dim=(1, 2, 3))
    valid: Tensor = product[:, :z, :y, :x]
    return valid


def _peak(score: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Index `(n,3)` (x,y,z) of the highest cell of `[n,r,r,r]`, moved to the vertex of a parabola, and its value."""
    sides = score.shape[1:]
    best, where = score.flatten(1).max(dim=1)
    cell = cell_of(where, sides)
    rows = torch.arange(len(score), device=score.device)
    last = torch.tensor(sides, device=score.device) - 1
    index = cell.double()
    for axis in range(3):
        step = torch.zeros(3, dtype=torch.long, device=score.device)
        step[axis] = 1
        beside = [torch.minimum((cell + shift * step).clamp(min=0), last) for shift in (-1, 1)]
        below, above = (score[rows, z, y, x].double() for z, y, x in (place.unbind(1) for place in beside))
        curvature = below - 2 * best.double() + above
        usable = (curvature < 0) & (cell[:, axis] > 0) & (cell[:, axis] < last[axis])
        offset = torch.where(usable, 0.5 * (below - above) / curvature, torch.zeros_like(curvature))
        index[:, axis] += offset.clamp(-0.5, 0.5)
    return index.flip(1).cpu().numpy(), best.double().cpu().numpy()
