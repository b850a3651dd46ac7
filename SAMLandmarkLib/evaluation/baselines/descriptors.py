"""A training-free baseline: descriptors of sparse intensities at several scales, searched from coarse to fine.

After Yerebakan et al. (2023), "A hierarchical descriptor framework for on-the-fly anatomical location matching between
longitudinal studies", and their consistency heuristic (2025, "Consistent point matching"). An own implementation that
follows the idea, not the letter: the whole target is searched at 8 mm; points spread over the body are matched there
and back, and those that return say where a landmark should lie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...core.landmarks import LandmarkSet
from ...core.volume import CanonicalVolume, Volume
from ...embedding.prepared import body_points_lps
from ...matching.prediction import Correspondences
from .baseline import Baseline
from .scans import body

if TYPE_CHECKING:
    from .descriptor_search import DescriptorScan

SUPPORT_POINTS = 400
CONSISTENT_MM = 8.0
LEAST_SUPPORT = 10.0
PREDICTION_WEIGHT = 0.004
"""Cost of one sigma from the prediction, in units of the descriptors' squared differences."""
CANDIDATES = 6
RETURN_WEIGHT = 0.01
RETURN_MM = 10.0
"""A candidate that leads back this far from the landmark costs RETURN_WEIGHT more."""


class DescriptorSearch(Baseline):
    """The descriptor search with the consistency of its neighborhood."""

    modules = ("torch",)

    def transfer(self, template: Volume, landmarks: LandmarkSet, target: Volume) -> np.ndarray:
        from .descriptor_search import DescriptorScan

        scans = body(template), body(target)
        pair = _Pair(*map(DescriptorScan, scans), _support_points_lps(scans[0]))
        positions = landmarks.positions_lps
        found = np.full_like(positions, np.nan)
        known = np.isfinite(positions).all(axis=1)
        if known.any():
            found[known] = pair.find(positions[known])
        return found


class _Pair:
    """Matching between two scans, with the correspondences that their anchors make."""

    def __init__(
        self, template: DescriptorScan, target: DescriptorScan, support_points_lps: np.ndarray
    ) -> None:
        self.template, self.target = template, target
        there = _matched(template, target, support_points_lps)
        consistent = (
            np.linalg.norm(_matched(target, template, there) - support_points_lps, axis=1) <= CONSISTENT_MM
        )
        self.correspondences = Correspondences.weighted(
            support_points_lps[consistent], there[consistent], np.zeros(int(consistent.sum()))
        )

    def find(self, points_lps: np.ndarray) -> np.ndarray:
        """Where points `(n,3)` of the template lie in the target."""
        expected, spread = _expected(self.correspondences, points_lps)
        queries = self.template.describe(points_lps)
        candidates, cost = self.target.search(queries, CANDIDATES, expected, finest=True)
        returned = np.minimum(self._returned_mm(candidates, points_lps) / RETURN_MM, 1.0)
        return _cheapest(candidates, cost + _leaving(candidates, expected, spread) + RETURN_WEIGHT * returned)

    def _returned_mm(self, candidates: np.ndarray, points_lps: np.ndarray) -> np.ndarray:
        """How far from the points the search leads back from each candidate, `(n,k)`."""
        flat = candidates.reshape(-1, 3)
        expected, _ = _expected(self.correspondences.reversed, flat)
        back, _ = self.template.search(self.target.describe(flat), 1, expected)
        gap = np.linalg.norm(back - np.repeat(points_lps, candidates.shape[1], axis=0)[:, None], axis=2)
        return gap.min(axis=1).reshape(candidates.shape[:2])


def _matched(source: DescriptorScan, other: DescriptorScan, points_lps: np.ndarray) -> np.ndarray:
    """The most similar place in the other scan for each point `(n,3)` of the first one."""
    return other.search(source.describe(points_lps), 1)[0][:, 0]


def _cheapest(candidates: np.ndarray, cost: np.ndarray) -> np.ndarray:
    return candidates[np.arange(len(cost)), cost.argmin(axis=1)]


def _expected(
    correspondences: Correspondences, points_lps: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Where points `(n,3)` should lie and how uncertain that is, mm; None where too few correspondences agree."""
    if len(correspondences) == 0 or correspondences.support < LEAST_SUPPORT:
        return None, None
    prediction = correspondences.predict(points_lps)
    return prediction.positions_lps, prediction.prediction_sigma_mm


def _leaving(
    candidates: np.ndarray, expected: np.ndarray | None, prediction_sigma_mm: np.ndarray | None
) -> np.ndarray | float:
    """What candidates `(n,k,3)` cost for not lying where they are expected, `(n,k)`."""
    if expected is None:
        return 0.0
    distance = np.linalg.norm(candidates - expected[:, None], axis=2) / prediction_sigma_mm[:, None]
    return PREDICTION_WEIGHT * distance**2


def _support_points_lps(scan: CanonicalVolume) -> np.ndarray:
    """Random points `(m,3)` in tissue, the same for the same scan."""
    return body_points_lps(scan, scan.modality, SUPPORT_POINTS)
