"""Affine alignment of what surrounds two points, for scans that show the same tissue.

Cross-correlation compares neighbourhoods as they are. Where breathing or posture has stretched or turned one of them
its peak is off by a millimetre or two; an affine map of the neighbourhood, found by a few Gauss-Newton steps of the
inverse compositional kind (Baker and Matthews, IJCV 2004, section 3.2), is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..embedding.embedding import Image
from .surroundings import FLAT, boxes, windowed

HALF, STEP_MM, WIDTH_MM = 7, 2.0, 7.0
STEPS = 6
DAMPING = 0.01
LONGEST_STEP_MM = 2.0
LARGEST_STRAIN = 0.3
"""Of one step."""
GAINS = (0.5, 2.0)
"""Between which the contrast of the two scans may differ."""


@dataclass(frozen=True)
class Aligned:
    """`positions_lps` `(n,3)` mm, and how alike the surroundings are there and were at the start, `(n,)` up to 1."""

    positions_lps: np.ndarray
    likeness: np.ndarray
    likeness_before: np.ndarray


def align(template: Image, points_lps: np.ndarray, target: Image, start_lps: np.ndarray) -> Aligned:
    """Move matches `start_lps` `(n,3)` of template points `(n,3)` to where an affine map of their surroundings fits best.

    The positions are the best ones on the way, so the likeness never falls.
    """
    pattern = _Pattern.around(template, points_lps)
    moved = torch.zeros(len(points_lps), 3, device=target.hu.device)
    linear = torch.eye(3, device=target.hu.device).repeat(len(points_lps), 1, 1)
    best_moved, best = moved, None
    for step in range(STEPS + 1):
        offsets = moved[:, None] + pattern.offsets @ linear.mT
        seen = pattern.centered(windowed(target.around(start_lps, offsets)))
        likeness = pattern.likeness(seen)
        if best is None:
            before = best = likeness
        best_moved = torch.where((likeness > best)[:, None], moved, best_moved)
        best = torch.maximum(best, likeness)
        if step < STEPS:
            shift, strain = pattern.step(seen)
            linear = linear @ torch.linalg.inv(strain)
            moved = moved - (linear @ shift[:, :, None])[:, :, 0]
    positions_lps = start_lps + best_moved.double().cpu().numpy()
    return Aligned(positions_lps, best.double().cpu().numpy(), before.double().cpu().numpy())


@dataclass(frozen=True)
class _Pattern:
    """Surroundings of n template points, prepared for being found.

    `offsets` `(m,3)` mm and `weight` `(m,)` of the places compared; `values` `[n,c,m]`, of weighted mean 0, and
    their `energy` `(n,)`; `descent` `[n,c,m,12]`: their change with a shift by 1 mm along x, y, z, and with the nine parts of a linear map; `normal`
    `[n,12,12]`: the Gauss-Newton matrix.
    """

    offsets: Tensor
    weight: Tensor
    values: Tensor
    energy: Tensor
    descent: Tensor
    normal: Tensor

    @classmethod
    def around(cls, image: Image, points_lps: np.ndarray) -> _Pattern:
        values = boxes(image, points_lps, HALF, STEP_MM)
        slopes = torch.stack(torch.gradient(values, spacing=STEP_MM, dim=(4, 3, 2)), dim=-1)
        steps = torch.arange(-HALF, HALF + 1, device=values.device) * STEP_MM
        offsets = torch.cartesian_prod(steps, steps, steps).flip(1)
        # the corners of the cube would cost more than half of the time and hardly count
        ball = offsets.norm(dim=1) <= HALF * STEP_MM
        values, slopes, offsets = (
            values.flatten(2)[:, :, ball],
            slopes.flatten(2, 4)[:, :, ball],
            offsets[ball],
        )
        weight = torch.exp(-offsets.square().sum(dim=1) / (2 * WIDTH_MM**2))
        weight = weight / weight.sum()
        values = _centered(values, weight)
        stretched = (slopes[..., :, None] * offsets[:, None, :]).flatten(-2)
        descent = _centered(torch.cat([slopes, stretched], dim=-1).mT, weight).mT
        normal = torch.einsum("ncmi,ncmj->nij", descent * weight[:, None], descent)
        # shifts by 1 mm and strains that move the edge of the neighbourhood by as much are damped alike
        scale = normal.new_tensor([1.0] * 3 + [WIDTH_MM**2] * 9)
        steepness = normal.diagonal(dim1=1, dim2=2)[:, :3].mean(dim=1) + FLAT / STEP_MM**2
        normal = normal + torch.diag_embed(DAMPING * steepness[:, None] * scale)
        return cls(offsets, weight, values, _energy(values, weight), descent, normal)

    def centered(self, seen: Tensor) -> Tensor:
        return _centered(seen, self.weight)

    def likeness(self, seen: Tensor) -> Tensor:
        """Weighted normalised cross-correlation `(n,)` with centered values `[n,c,m]`."""
        product = (self.values * seen * self.weight).sum(dim=(1, 2))
        return product / ((self.energy + FLAT) * (_energy(seen, self.weight) + FLAT)).sqrt()

    def step(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """By which shift `(n,3)` mm and linear map `(n,3,3)` the pattern would come nearer to what is seen."""
        gain = ((self.energy + FLAT) / (_energy(seen, self.weight) + FLAT)).sqrt().clamp(*GAINS)
        difference = (gain[:, None, None] * seen - self.values) * self.weight
        change = torch.linalg.solve(self.normal, torch.einsum("ncmi,ncm->ni", self.descent, difference))
        shift = change[:, :3].clamp(-LONGEST_STEP_MM, LONGEST_STEP_MM)
        strain = change[:, 3:].unflatten(1, (3, 3)).clamp(-LARGEST_STRAIN, LARGEST_STRAIN)
        return shift, strain + torch.eye(3, device=strain.device)


def _centered(values: Tensor, weight: Tensor) -> Tensor:
    """Values `[...,m]` less their weighted mean."""
    return values - (values * weight).sum(dim=-1, keepdim=True)


def _energy(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted sum of squares `(n,)` of values `[n,c,m]`."""
    return (values.square() * weight).sum(dim=(1, 2))
