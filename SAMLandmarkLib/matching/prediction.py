"""Where a point should lie in the target, judged by the consistent matches around it.

A few hundred points of the template are matched to the target and back. Those that return are the pair's
*correspondences*. A point's place is predicted from the ones near it through a robust local affine map: structural
inference as in UAE (Bai et al. 2023), with correspondences that are computed once for all points of a pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

KERNEL_MM = (28.0, 40.0, 80.0, 160.0)
"""Widths of the neighbourhood; the narrowest with enough correspondences is taken."""
ENOUGH = 16.0
UNCERTAINTY_MM = 1.5
"""That every match has, however sure it seems."""
LOCAL_ITERATIONS = 6
SHIFT_TOLERANCE_MM = 40.0
"""How far the shifts of correspondences of one body may differ, since bodies differ in size and posture."""
GLOBAL_CUTOFFS_MM = (70.0, 55.0, 45.0, 40.0, 40.0)
"""Residual at which a correspondence stops counting, tightened from step to step."""
RIDGE = 4.0
RIDGE_SCALE_MM = 50.0
"""The ridge weighs as much as RIDGE correspondences this far from the middle."""
LEAST_SPREAD_MM = 3.0
EXTRAPOLATION = 0.1
"""Uncertainty per mm by which a point lies beside the centre of the correspondences that predict it."""


@dataclass(frozen=True)
class Prediction:
    """Predicted `positions_lps` `(n,3)` and their uncertainty `spread_mm` `(n,)`."""

    positions_lps: np.ndarray
    spread_mm: np.ndarray

    def at_rows(self, rows: np.ndarray) -> Prediction:
        return Prediction(self.positions_lps[rows], self.spread_mm[rows])

    def combined(self, other: Prediction, rows: np.ndarray) -> Prediction:
        """With the rows chosen by a mask `(n,)` averaged with another prediction of them, by their precisions."""
        positions, spread = self.positions_lps.copy(), self.spread_mm.copy()
        weight = other.spread_mm**-2 / (other.spread_mm**-2 + spread[rows] ** -2)
        positions[rows] += weight[:, None] * (other.positions_lps - positions[rows])
        # templates of one patient err together, so agreement between them does not narrow the uncertainty
        spread[rows] = np.minimum(spread[rows], other.spread_mm)
        return Prediction(positions, spread)


@dataclass(frozen=True)
class Correspondences:
    """Consistently matched points `(m,3)` of the template and the target, LPS mm.

    `weight` `(m,)`, of mean 1, tells how much each of them counts.
    """

    template_lps: np.ndarray
    target_lps: np.ndarray
    weight: np.ndarray

    @classmethod
    def weighted(
        cls, template_lps: np.ndarray, target_lps: np.ndarray, uncertainty_mm: np.ndarray
    ) -> Correspondences:
        """Weighted by their precision: a region that the target lacks may be matched consistently, but not surely."""
        precision = 1 / (UNCERTAINTY_MM**2 + uncertainty_mm**2)
        return cls(template_lps, target_lps, precision / precision.mean() if len(precision) else precision)

    def __len__(self) -> int:
        return len(self.template_lps)

    @property
    def support(self) -> float:
        """How many of them agree on one affine map of the body, by weight."""
        return float(self._agreement[1].sum())

    @cached_property
    def reversed(self) -> Correspondences:
        """The same, from the target to the template."""
        return Correspondences(self.target_lps, self.template_lps, self.weight)

    def predict(self, points_lps: np.ndarray) -> Prediction:
        """Predict where template points `(n,3)` lie in the target."""
        affine, agreement = self._agreement
        residuals = self.target_lps - _apply(affine, self.template_lps)
        kernel = _kernel(points_lps, self.template_lps, agreement)
        weight = kernel
        for _ in range(LOCAL_ITERATIONS):
            local = _weighted_affines(self.template_lps, residuals, weight, np.zeros((4, 3)))
            distance = np.linalg.norm(residuals - _apply(local, self.template_lps), axis=-1)
            cutoff = np.maximum(4.7 * 1.4826 * _weighted_median(distance, kernel), 6.0)
            weight = kernel * _tukey(distance, cutoff[:, None])
        share = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
        beyond_mm = np.linalg.norm(share @ self.template_lps - points_lps, axis=1)
        spread = np.sqrt((share * distance**2).sum(axis=1) + (EXTRAPOLATION * beyond_mm) ** 2)
        positions = _apply(affine, points_lps) + _apply(local, points_lps[:, None])[:, 0]
        return Prediction(positions, np.maximum(spread, LEAST_SPREAD_MM))

    @cached_property
    def _agreement(self) -> tuple[np.ndarray, np.ndarray]:
        """The body's affine map and the weight of each correspondence under it.

        Wrong matches are not random: a whole region that the target lacks may be matched consistently to another
        one. So the fit starts from the shift that most correspondences share, and outliers are cut off from there.
        """
        affine = np.vstack([np.eye(3), _common_shift(self.target_lps - self.template_lps, self.weight)])
        for cutoff in GLOBAL_CUTOFFS_MM:
            distance = np.linalg.norm(self.target_lps - _apply(affine, self.template_lps), axis=1)
            weight = self.weight * _tukey(distance, cutoff)
            affine = _weighted_affines(self.template_lps, self.target_lps, weight[None], np.eye(4, 3))[0]
        return affine, weight


def _apply(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points `(...,m,3)` by affine maps `(...,4,3)`: linear part above, translation below."""
    return points @ affine[..., :3, :] + affine[..., 3:, :]


def _weighted_affines(
    source: np.ndarray, target: np.ndarray, weight: np.ndarray, prior: np.ndarray
) -> np.ndarray:
    """Least-squares affine maps `(n,4,3)` for n weightings `(n,m)` of the same points `(m,3)`.

    Their linear parts are drawn to that of `prior`, the more the fewer points count.
    """
    center = source.mean(axis=0)
    design = np.column_stack([source - center, np.ones(len(source))])
    ridge = np.diag([RIDGE * RIDGE_SCALE_MM**2] * 3 + [1e-6])
    products = (design[:, :, None] * design[:, None, :]).reshape(len(source), 16)
    normal = (weight @ products).reshape(-1, 4, 4) + ridge
    moments = (design[:, :, None] * target[:, None, :]).reshape(len(source), 12)
    solution = np.linalg.solve(normal, (weight @ moments).reshape(-1, 4, 3) + ridge @ prior)
    solution[:, 3] -= center @ solution[:, :3]
    return solution


def _kernel(points: np.ndarray, sources: np.ndarray, agreement: np.ndarray) -> np.ndarray:
    """Weights `(n,m)` of the correspondences around each point, over the narrowest neighbourhood that has enough."""
    square = ((points[:, None] - sources[None]) ** 2).sum(axis=-1)
    kernel = agreement * np.exp(-square / (2 * KERNEL_MM[-1] ** 2))
    for width in KERNEL_MM[-2::-1]:
        narrower = agreement * np.exp(-square / (2 * width**2))
        kernel = np.where(narrower.sum(axis=1, keepdims=True) >= ENOUGH, narrower, kernel)
    return kernel


def _common_shift(shifts: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean of the shifts `(m,3)` around the one that has most weight of others within SHIFT_TOLERANCE_MM."""
    near = np.linalg.norm(shifts[:, None] - shifts[None], axis=-1) <= SHIFT_TOLERANCE_MM
    chosen = near[(near @ weight).argmax()]
    return np.average(shifts[chosen], axis=0, weights=weight[chosen])


def _tukey(distance: np.ndarray, cutoff: float | np.ndarray) -> np.ndarray:
    """Tukey's biweight."""
    relative = distance / cutoff
    return np.where(relative < 1, (1 - relative**2) ** 2, 0.0)


def _weighted_median(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted median of each row `(n,m)`, `(n,)`."""
    order = np.argsort(values, axis=1)
    cumulative = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    middle = (cumulative < cumulative[:, -1:] / 2).sum(axis=1, keepdims=True)
    chosen = np.take_along_axis(order, np.minimum(middle, values.shape[1] - 1), axis=1)
    return np.take_along_axis(values, chosen, axis=1)[:, 0]
