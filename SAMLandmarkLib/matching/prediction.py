"""Where a point should lie in the target, judged by the consistent matches around it.

A few hundred points of the template are matched to the target and back. Those that return are the pair's
*correspondences*. A point's place is predicted from the ones near it through a robust local affine map: structural
inference as in UAE (Bai et al. 2023), with correspondences that are computed once for all points of a pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

KERNEL_MM = (40.0, 80.0, 160.0)
"""Widths of the neighbourhood; the narrowest with enough correspondences is taken."""
ENOUGH = 16.0
LOCAL_ITERATIONS = 6
SHIFT_TOLERANCE_MM = 40.0
"""How far the shifts of correspondences of one body may differ, since bodies differ in size and posture."""
GLOBAL_CUTOFFS_MM = (70.0, 55.0, 45.0, 40.0, 40.0)
"""Residual at which a correspondence stops counting, tightened from step to step."""
RIDGE = 4.0
LEAST_SPREAD_MM = 3.0
EXTRAPOLATION = 0.1
"""Uncertainty per mm by which a point lies beside the centre of the correspondences that predict it."""


@dataclass(frozen=True)
class Prediction:
    """Predicted `positions_lps` `(n,3)` and their uncertainty `spread_mm` `(n,)`."""

    positions_lps: np.ndarray
    spread_mm: np.ndarray

    def part(self, start: int, stop: int) -> Prediction:
        return Prediction(self.positions_lps[start:stop], self.spread_mm[start:stop])


@dataclass(frozen=True)
class Correspondences:
    """Consistently matched points `(m,3)` of the template and the target, LPS mm."""

    template_lps: np.ndarray
    target_lps: np.ndarray

    def __len__(self) -> int:
        return len(self.template_lps)

    @property
    def support(self) -> float:
        """How many of them agree on one affine map of the body."""
        return float(self._agreement[1].sum())

    def predict(self, points_lps: np.ndarray) -> Prediction:
        """Predict where template points `(n,3)` lie in the target."""
        affine, weight = self._agreement
        residuals = self.target_lps - _apply(affine, self.template_lps)
        predicted = [self._predict_one(point, affine, residuals, weight) for point in points_lps]
        positions, spreads = zip(*predicted, strict=True)
        return Prediction(np.array(positions), np.array(spreads))

    @cached_property
    def _agreement(self) -> tuple[np.ndarray, np.ndarray]:
        """The body's affine map and the weight of each correspondence under it.

        Wrong matches are not random: a whole region that the target lacks may be matched consistently to another
        one. So the fit starts from the shift that most correspondences share, and outliers are cut off from there.
        """
        affine = np.vstack([np.eye(3), _common_shift(self.target_lps - self.template_lps)])
        for cutoff in GLOBAL_CUTOFFS_MM:
            distance = np.linalg.norm(self.target_lps - _apply(affine, self.template_lps), axis=1)
            weight = _tukey(distance, cutoff)
            affine = _weighted_affine(self.template_lps, self.target_lps, weight, np.eye(4, 3))
        return affine, weight

    def _predict_one(
        self, point: np.ndarray, affine: np.ndarray, residuals: np.ndarray, agreement: np.ndarray
    ) -> tuple[np.ndarray, float]:
        square = ((self.template_lps - point) ** 2).sum(axis=1)
        for width in KERNEL_MM:
            kernel = agreement * np.exp(-square / (2 * width**2))
            if kernel.sum() >= ENOUGH:
                break
        weight = kernel
        flat = np.zeros((4, 3))
        for _ in range(LOCAL_ITERATIONS):
            local = _weighted_affine(self.template_lps - point, residuals, weight, flat)
            distance = np.linalg.norm(residuals - _apply(local, self.template_lps - point), axis=1)
            weight = kernel * _tukey(distance, max(4.7 * 1.4826 * _weighted_median(distance, kernel), 6.0))
        weight = weight / max(weight.sum(), 1e-9)
        beyond_mm = np.linalg.norm(weight @ self.template_lps - point)
        spread = np.sqrt(weight @ distance**2 + (EXTRAPOLATION * beyond_mm) ** 2)
        return _apply(affine, point[None])[0] + local[3], max(float(spread), LEAST_SPREAD_MM)


def _apply(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points `(n,3)` by `(4,3)`: linear part above, translation below."""
    return points @ affine[:3] + affine[3]


def _weighted_affine(
    source: np.ndarray, target: np.ndarray, weight: np.ndarray, prior: np.ndarray
) -> np.ndarray:
    """Weighted least-squares affine `(4,3)`, its linear part drawn to that of `prior`, the more the fewer points."""
    scale = 50.0  # mm; makes the ridge on the dimensionless linear part comparable with residuals in mm
    design = np.column_stack([source, np.ones(len(source))])
    normal = (design * weight[:, None]).T @ design
    normal[:3, :3] += np.eye(3) * RIDGE * scale**2
    right = (design * weight[:, None]).T @ target
    right[:3] += RIDGE * scale**2 * prior[:3]
    return np.linalg.solve(normal + 1e-6 * np.eye(4), right)


def _common_shift(shifts: np.ndarray) -> np.ndarray:
    """Mean of the shifts `(m,3)` around the one that has most others within SHIFT_TOLERANCE_MM."""
    near = np.linalg.norm(shifts[:, None] - shifts[None], axis=-1) <= SHIFT_TOLERANCE_MM
    return shifts[near[near.sum(axis=1).argmax()]].mean(axis=0)


def _tukey(distance: np.ndarray, cutoff: float) -> np.ndarray:
    """Tukey's biweight."""
    relative = distance / cutoff
    return np.where(relative < 1, (1 - relative**2) ** 2, 0.0)


def _weighted_median(values: np.ndarray, weight: np.ndarray) -> float:
    order = np.argsort(values)
    cumulative = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(cumulative, cumulative[-1] / 2)])
