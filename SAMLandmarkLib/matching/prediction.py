"""Where a point should lie in the target, judged by the consistent matches around it.

A few hundred points of the template are matched to the target and back. Those that return are the pair's
*correspondences*. A point's place is predicted from the ones near it through a robust local affine map: structural
inference as in UAE (Bai et al. 2023), with correspondences that are computed once for all points of a pair.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..core.matching_options import PredictionOptions

DEFAULTS = PredictionOptions()

DEVIATION_PER_MEDIAN = 1.4826
"""Standard deviation of a normal distribution per median of its absolute deviations."""


@dataclass(frozen=True)
class Prediction:
    """Predicted `positions_lps` `(n,3)` and their uncertainty `prediction_sigma_mm` `(n,)`.

    `beside_end` `(n,)`: which of them an end of an organ predicts; None where no end does.
    """

    positions_lps: np.ndarray
    prediction_sigma_mm: np.ndarray
    beside_end: np.ndarray | None = None

    def at_rows(self, rows: np.ndarray) -> Prediction:
        """The predictions of some of the points."""
        beside_end = None if self.beside_end is None else self.beside_end[rows]
        return Prediction(self.positions_lps[rows], self.prediction_sigma_mm[rows], beside_end)


@dataclass(frozen=True)
class Correspondences:
    """Consistently matched points `(m,3)` of the template and the target, LPS mm.

    `weight` `(m,)`, of mean 1, tells how much each of them counts.
    """

    template_lps: np.ndarray
    target_lps: np.ndarray
    weight: np.ndarray
    options: PredictionOptions = DEFAULTS

    @classmethod
    def weighted(
        cls,
        template_lps: np.ndarray,
        target_lps: np.ndarray,
        uncertainty_mm: np.ndarray,
        options: PredictionOptions = DEFAULTS,
    ) -> Correspondences:
        """Weighted by their precision: a region that the target lacks may be matched consistently, but not surely."""
        precision = 1 / (options.uncertainty_mm**2 + uncertainty_mm**2)
        weight = precision / precision.mean() if len(precision) else precision
        return cls(template_lps, target_lps, weight, options)

    def __len__(self) -> int:
        return len(self.template_lps)

    @property
    def support(self) -> float:
        """How many of them agree on one affine map of the body, by weight."""
        return float(self._agreement[1].sum())

    @cached_property
    def reversed(self) -> Correspondences:
        """The same, from the target to the template."""
        return replace(self, template_lps=self.target_lps, target_lps=self.template_lps)

    @property
    def are_enough(self) -> bool:
        """Whether so many agree that a prediction is worth anything."""
        return len(self) > 0 and self.support >= self.options.least_support

    def predict(self, points_lps: np.ndarray) -> Prediction:
        """Predict where template points `(n,3)` lie in the target."""
        options = self.options
        local, weight, distance = self._around(points_lps)
        share = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
        beyond_mm = np.linalg.norm(share @ self.template_lps - points_lps, axis=1)
        sigma = np.sqrt((share * distance**2).sum(axis=1) + (options.extrapolation * beyond_mm) ** 2)
        positions = _apply(self._agreement[0], points_lps) + _apply(local, points_lps[:, None])[:, 0]
        return Prediction(positions, np.maximum(sigma, options.least_sigma_mm))

    def linear_maps(self, points_lps: np.ndarray) -> np.ndarray:
        """How the surroundings of template points `(n,3)` are turned and stretched: steps from them to steps in the target.

        Maps `(n,3,3)` of the same local affine maps that predict the points.
        """
        linear = self._agreement[0][:3] + self._around(points_lps)[0][:, :3]
        maps: np.ndarray = linear.transpose(0, 2, 1)
        return maps

    def _around(self, points_lps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each point the local affine map `(n,4,3)` beside the body's; of all correspondences weight and misfit `(n,m)`."""
        options = self.options
        affine, agreement = self._agreement
        residuals = self.target_lps - _apply(affine, self.template_lps)
        kernel = _kernel(points_lps, self.template_lps, agreement, options)
        weight = kernel
        for _ in range(options.local_iterations):
            local = _weighted_affines(self.template_lps, residuals, weight, np.zeros((4, 3)), options)
            distance = np.linalg.norm(residuals - _apply(local, self.template_lps), axis=-1)
            deviations = options.cutoff_deviations * DEVIATION_PER_MEDIAN * _weighted_median(distance, kernel)
            cutoff = np.maximum(deviations, options.least_cutoff_mm)
            weight = kernel * _tukey(distance, cutoff[:, None])
        return local, weight, distance

    @cached_property
    def _agreement(self) -> tuple[np.ndarray, np.ndarray]:
        """The body's affine map and the weight of each correspondence under it.

        Wrong matches are not random: a whole region that the target lacks may be matched consistently to another
        one. So the fit starts from the shift that most correspondences share, and outliers are cut off from there.
        """
        shifts = self.target_lps - self.template_lps
        affine = np.vstack([np.eye(3), _common_shift(shifts, self.weight, self.options.shift_tolerance_mm)])
        for cutoff in self.options.global_cutoffs_mm:
            distance = np.linalg.norm(self.target_lps - _apply(affine, self.template_lps), axis=1)
            weight = self.weight * _tukey(distance, cutoff)
            affine = _weighted_affines(
                self.template_lps, self.target_lps, weight[None], np.eye(4, 3), self.options
            )[0]
        return affine, weight


def _apply(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points `(...,m,3)` by affine maps `(...,4,3)`: linear part above, translation below."""
    mapped: np.ndarray = points @ affine[..., :3, :] + affine[..., 3:, :]
    return mapped


def _weighted_affines(
    source: np.ndarray, target: np.ndarray, weight: np.ndarray, prior: np.ndarray, options: PredictionOptions
) -> np.ndarray:
    """Least-squares affine maps `(n,4,3)` for n weightings `(n,m)` of the same points `(m,3)`.

    Their linear parts are shrunk towards that of `prior`, the more the fewer points count.
    """
    center = source.mean(axis=0)
    design = np.column_stack([source - center, np.ones(len(source))])
    ridge = np.diag([options.ridge * options.ridge_scale_mm**2] * 3 + [1e-6])
    products = (design[:, :, None] * design[:, None, :]).reshape(len(source), 16)
    normal = (weight @ products).reshape(-1, 4, 4) + ridge
    moments = (design[:, :, None] * target[:, None, :]).reshape(len(source), 12)
    solution = np.linalg.solve(normal, (weight @ moments).reshape(-1, 4, 3) + ridge @ prior)
    solution[:, 3] -= center @ solution[:, :3]
    affines: np.ndarray = solution
    return affines


def _kernel(
    points: np.ndarray, sources: np.ndarray, agreement: np.ndarray, options: PredictionOptions
) -> np.ndarray:
    """Weights `(n,m)` of the correspondences around each point, over the narrowest neighbourhood that has enough."""
    square = ((points[:, None] - sources[None]) ** 2).sum(axis=-1)
    kernel: np.ndarray = agreement * np.exp(-square / (2 * options.kernel_mm[-1] ** 2))
    for width in options.kernel_mm[-2::-1]:
        narrower = agreement * np.exp(-square / (2 * width**2))
        kernel = np.where(narrower.sum(axis=1, keepdims=True) >= options.enough, narrower, kernel)
    return kernel


def _common_shift(shifts: np.ndarray, weight: np.ndarray, tolerance_mm: float) -> np.ndarray:
    """Mean of the shifts `(m,3)` around the one that has most weight of others within the tolerance."""
    near = np.linalg.norm(shifts[:, None] - shifts[None], axis=-1) <= tolerance_mm
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
