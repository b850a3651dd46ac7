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

from ..core.geometry import CanonicalGrid
from ..core.matching_options import AlignmentOptions, RefinementOptions
from ..embedding.embedding import Image
from .patches import extract_patches, windowed

DEFAULTS = AlignmentOptions()
FLAT_VARIANCE = RefinementOptions().flat_variance


@dataclass(frozen=True)
class Aligned:
    """`positions_lps` `(n,3)` mm, and the NCC of the surroundings there and at the start, `(n,)` up to 1."""

    positions_lps: np.ndarray
    ncc: np.ndarray
    ncc_before: np.ndarray


def align(
    template: Image,
    points_lps: np.ndarray,
    target: Image,
    start_lps: np.ndarray,
    options: AlignmentOptions = DEFAULTS,
    flat_variance: float = FLAT_VARIANCE,
) -> Aligned:
    """Move matches `start_lps` `(n,3)` of template points `(n,3)` to where an affine map of their surroundings fits best.

    The positions are the best ones on the way, so the ncc never falls.
    """
    pattern = _Pattern.around(template, points_lps, options, flat_variance)
    moved = torch.zeros(len(points_lps), 3, device=target.values.device)
    linear = torch.eye(3, device=target.values.device).repeat(len(points_lps), 1, 1)

    def looked() -> tuple[Tensor, Tensor]:
        offsets = moved[:, None] + pattern.offsets @ linear.mT
        seen = pattern.centered(windowed(target.around(start_lps, offsets), target.modality))
        return seen, pattern.ncc(seen)

    seen, before = looked()
    best_moved, best = moved, before
    for _ in range(options.iterations):
        shift, strain = pattern.step(seen)
        linear = linear @ torch.linalg.inv(strain)
        moved = moved - (linear @ shift[:, :, None])[:, :, 0]
        seen, ncc = looked()
        best_moved = torch.where((ncc > best)[:, None], moved, best_moved)
        best = torch.maximum(best, ncc)
    positions_lps = start_lps + best_moved.double().cpu().numpy()
    return Aligned(positions_lps, best.double().cpu().numpy(), before.double().cpu().numpy())


@dataclass(frozen=True)
class _Pattern:
    """Surroundings of n template points, prepared for being found.

    `offsets` `(m,3)` mm and `weight` `(m,)` of the places compared; `values` `[n,c,m]`, of weighted mean 0, and
    their `energy` `(n,)`; `descent` `[n,c,m,12]`: their change with a shift by 1 mm along x, y, z, and with
    the nine parts of a linear map; `normal`
    `[n,12,12]`: the Gauss-Newton matrix.
    """

    offsets: Tensor
    weight: Tensor
    values: Tensor
    energy: Tensor
    descent: Tensor
    normal: Tensor
    options: AlignmentOptions
    flat_variance: float

    @classmethod
    def around(
        cls, image: Image, points_lps: np.ndarray, options: AlignmentOptions, flat_variance: float
    ) -> _Pattern:
        half, step_mm = options.half, options.step_mm
        values = extract_patches(image, points_lps, half, step_mm)
        slopes = _slopes(values, step_mm)
        offsets = _offsets_mm(image.grid, half, step_mm, values.device)
        # the corners of the cube would cost more than half of the time and hardly count
        ball = offsets.norm(dim=1) <= half * step_mm
        values, slopes, offsets = (
            values.flatten(2)[:, :, ball],
            slopes.flatten(2, 4)[:, :, ball],
            offsets[ball],
        )
        weight = torch.exp(-offsets.square().sum(dim=1) / (2 * options.width_mm**2))
        weight = weight / weight.sum()
        values = _centered(values, weight)
        stretched = (slopes[..., :, None] * offsets[:, None, :]).flatten(-2)
        descent = _centered(torch.cat([slopes, stretched], dim=-1).mT, weight).mT
        normal = torch.einsum("ncmi,ncmj->nij", descent * weight[:, None], descent)
        # shifts by 1 mm and strains that move the edge of the neighbourhood by as much are damped alike
        scale = normal.new_tensor([1.0] * 3 + [options.width_mm**2] * 9)
        steepness = normal.diagonal(dim1=1, dim2=2)[:, :3].mean(dim=1) + flat_variance / step_mm**2
        normal = normal + torch.diag_embed(options.damping * steepness[:, None] * scale)
        energy = _energy(values, weight)
        return cls(offsets, weight, values, energy, descent, normal, options, flat_variance)

    def centered(self, seen: Tensor) -> Tensor:
        return _centered(seen, self.weight)

    def ncc(self, seen: Tensor) -> Tensor:
        """Weighted normalised cross-correlation `(n,)` with centered values `[n,c,m]`."""
        flat = self.flat_variance
        product = (self.values * seen * self.weight).sum(dim=(1, 2))
        return product / ((self.energy + flat) * (_energy(seen, self.weight) + flat)).sqrt()

    def step(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """By which shift `(n,3)` mm and linear map `(n,3,3)` the pattern would come nearer to what is seen."""
        options, flat = self.options, self.flat_variance
        gain = ((self.energy + flat) / (_energy(seen, self.weight) + flat)).sqrt().clamp(*options.gains)
        difference = (gain[:, None, None] * seen - self.values) * self.weight
        change = torch.linalg.solve(self.normal, torch.einsum("ncmi,ncm->ni", self.descent, difference))
        shift = change[:, :3].clamp(-options.longest_step_mm, options.longest_step_mm)
        strain = change[:, 3:].unflatten(1, (3, 3)).clamp(-options.largest_strain, options.largest_strain)
        return shift, strain + torch.eye(3, device=strain.device)


def _slopes(values: Tensor, step_mm: float) -> Tensor:
    """Change per mm along x, y and z of patches `[n,c,s,s,s]`, `[n,c,s,s,s,3]`; zero along z where there is one slice."""
    searched = [axis for axis in (4, 3, 2) if values.shape[axis] > 1]
    slopes = list(torch.gradient(values, spacing=step_mm, dim=searched))
    return torch.stack(slopes + [torch.zeros_like(values)] * (3 - len(slopes)), dim=-1)


def _offsets_mm(grid: CanonicalGrid, half: int, step_mm: float, device: torch.device) -> Tensor:
    """Offsets `(m,3)` (x,y,z) in mm of the places in a patch from its middle."""
    z, y, x = (torch.arange(-reach, reach + 1, device=device) * step_mm for reach in grid.per_axis(half, 0))
    return torch.cartesian_prod(z, y, x).flip(1)


def _centered(values: Tensor, weight: Tensor) -> Tensor:
    """Values `[...,m]` less their weighted mean."""
    return values - (values * weight).sum(dim=-1, keepdim=True)


def _energy(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted sum of squares `(n,)` of values `[n,c,m]`."""
    return (values.square() * weight).sum(dim=(1, 2))
