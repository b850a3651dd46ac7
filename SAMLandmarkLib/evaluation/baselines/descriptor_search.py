"""Descriptors of sparse intensities around points, and the search for the most similar ones in a scan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...core.volume import CanonicalVolume

SCALES_MM = (4.0, 8.0, 16.0, 32.0)
REACH = 2
"""Samples to each side of the point along each axis, so that the coarsest scale spans 128 mm."""
BORDER_COST = 0.15
"""Squared difference that counts for a sample that only one of the two scans shows."""
SEARCH_MM = 8.0
SEPARATION_MM = 16.0
PEAKS = 96
FINE_STEPS = ((4.0, 2), (2.0, 1), (1.0, 1))
QUICK_STEPS = ((4.0, 1),)
"""Refinements: step in mm, and how many steps to each side are looked at."""
POSITIONS_AT_ONCE = 16384
HU_KNOTS = ((-1024.0, -1.0), (-800.0, -0.8), (-150.0, -0.4), (150.0, 0.4), (400.0, 0.7), (1200.0, 1.0))
"""Intensities from -1 to 1, in which soft tissue takes as much room as lung and bone."""


@dataclass(frozen=True)
class Descriptors:
    """Samples `(n,d)` around n points at all scales, and which of them lie in the scan, 1 or 0."""

    values: Tensor
    inside: Tensor

    def scales(self, first: int) -> Descriptors:
        """Without the finest `first` scales."""
        start = first * (2 * REACH + 1) ** 3
        return Descriptors(self.values[:, start:], self.inside[:, start:])

    def rows(self, index: Tensor) -> Descriptors:
        return Descriptors(self.values[index], self.inside[index])


class DescriptorScan:
    """A scan to take descriptors from, and to search."""

    def __init__(self, scan: CanonicalVolume) -> None:
        self.grid = scan.grid
        values = torch.from_numpy(np.interp(scan.array, *zip(*HU_KNOTS, strict=True)).astype(np.float32))
        self._levels = [_reduced(values, scan.grid.spacing_mm, scale / 2) for scale in SCALES_MM]
        self._steps = _cube(REACH)
        low = torch.as_tensor(scan.grid.lps_from_index([-0.5] * 3), dtype=torch.float32)
        self._low = low
        self._extent = torch.as_tensor(scan.grid.size_ijk, dtype=torch.float32) * scan.grid.spacing_mm

    def describe(self, points_lps: np.ndarray | Tensor, first_scale: int = 0) -> Descriptors:
        """Descriptors of points `(n,3)`, LPS mm, at the scales from `first_scale` on."""
        points = torch.as_tensor(points_lps, dtype=torch.float32)
        parts = [
            self._samples(points, level, scale)
            for level, scale in list(zip(self._levels, SCALES_MM, strict=True))[first_scale:]
        ]
        values, inside = zip(*parts, strict=True)
        return Descriptors(torch.cat(values, dim=1), torch.cat(inside, dim=1))

    def _samples(self, points: Tensor, level: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        places = (points[:, None] + scale * self._steps - self._low) / self._extent * 2 - 1
        inside = (places.abs() <= 1).all(dim=2).float()
        sampled = functional.grid_sample(
            level, places[None, None], mode="bilinear", padding_mode="border", align_corners=False
        )
        return sampled[0, 0, 0] * inside, inside

    def search(
        self,
        queries: Descriptors,
        candidates: int,
        expected_lps: np.ndarray | None = None,
        finest: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The most similar places, `(n,candidates,3)` LPS mm, and their costs, mean squared differences `(n,candidates)`.

        Where a place is expected, `(n,3)`, it is the last candidate. `finest` refines to 1 mm instead of 4 mm.
        """
        peaks = self._coarse_peaks(queries.scales(1), candidates)
        if expected_lps is not None:
            expected = torch.as_tensor(expected_lps, dtype=torch.float32)
            peaks = torch.cat([peaks[:, : max(1, candidates - 1)], expected[:, None]], dim=1)
        number = peaks.shape[1]
        repeated = queries.rows(torch.arange(len(peaks)).repeat_interleave(number))
        places, cost = peaks.reshape(-1, 3), None
        for step, reach in FINE_STEPS if finest else QUICK_STEPS:
            places, cost = self._best_around(repeated, places, step * _cube(reach))
        return places.reshape(-1, number, 3).numpy().astype(float), cost.reshape(-1, number).numpy()

    def _coarse_peaks(self, queries: Descriptors, count: int) -> Tensor:
        """Separate places of least cost among all places SEARCH_MM apart, `(n,count,3)`."""
        places, described = self._everywhere
        cost = torch.cat([costs(queries, part) for part in described], dim=1)
        least = cost.topk(min(PEAKS, len(places)), dim=1, largest=False).indices
        return _separate(places[least], count)

    @cached_property
    def _everywhere(self) -> tuple[Tensor, list[Descriptors]]:
        """Places SEARCH_MM apart in the whole scan, and their descriptors without the finest scale, in parts."""
        axes = [torch.arange(SEARCH_MM / 2, float(size), SEARCH_MM) for size in self._extent]
        places = torch.cartesian_prod(*axes) + self._low
        return places, [self.describe(part, 1) for part in places.split(POSITIONS_AT_ONCE)]

    def _best_around(self, queries: Descriptors, places: Tensor, shifts: Tensor) -> tuple[Tensor, Tensor]:
        """The best of the places that lie so far from each place, for the query of the same row."""
        best, least = [], []
        for rows in torch.arange(len(places)).split(max(1, POSITIONS_AT_ONCE // len(shifts))):
            around = places[rows, None] + shifts
            found = self.describe(around.reshape(-1, 3))
            cost = row_costs(queries.rows(rows), found, len(shifts))
            choice = cost.argmin(dim=1)
            best.append(around[torch.arange(len(rows)), choice])
            least.append(cost.min(dim=1).values)
        return torch.cat(best), torch.cat(least)


def costs(queries: Descriptors, others: Descriptors) -> Tensor:
    """Mean squared differences `(n,m)` of all pairs, from matrix products."""
    q, u, x, v = queries.values, queries.inside, others.values, others.inside
    both = u @ v.T
    squares = (q * q) @ v.T - 2 * q @ x.T + u @ (x * x).T
    alone = u.sum(dim=1, keepdim=True) + v.sum(dim=1) - 2 * both
    return (squares + BORDER_COST * alone) / q.shape[1]


def row_costs(queries: Descriptors, others: Descriptors, each: int) -> Tensor:
    """Mean squared differences `(n,each)` of each query and its own `each` rows of the others."""
    x, v = (part.reshape(len(queries.values), each, -1) for part in (others.values, others.inside))
    q, u = queries.values[:, None], queries.inside[:, None]
    squares = (q * v - x * u).square().sum(dim=2)
    return (squares + BORDER_COST * (u - v).abs().sum(dim=2)) / q.shape[2]


def _separate(places: Tensor, count: int) -> Tensor:
    """The first `count` of places `(n,p,3)` that lie SEPARATION_MM apart; the first again where there are fewer."""
    chosen = []
    free = torch.ones(places.shape[:2], dtype=torch.bool)
    rows = torch.arange(len(places))
    for _ in range(count):
        # argmax gives the first that is free, or the very first
        place = places[rows, free.float().argmax(dim=1)]
        chosen.append(place)
        free &= (places - place[:, None]).norm(dim=2) > SEPARATION_MM
    return torch.stack(chosen, dim=1)


def _reduced(values: Tensor, spacing_mm: float, wanted_mm: float) -> Tensor:
    """The scan `[1,1,D,H,W]`, averaged down to cells of about `wanted_mm`, over the same region."""
    size = [max(1, round(length * spacing_mm / wanted_mm)) for length in values.shape]
    size = [min(wanted, length) for wanted, length in zip(size, values.shape, strict=True)]
    return functional.adaptive_avg_pool3d(values[None, None], size)


def _cube(reach: int) -> Tensor:
    """Whole steps `((2 reach + 1)^3, 3)` to each side along each axis."""
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    return torch.cartesian_prod(steps, steps, steps)
