"""A robust affine map through correspondences, without any image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.geometry import transform_points
from ..utils.errors import RegistrationError

SHIFT_TOLERANCE_MM = 40.0
"""How far the shifts of correspondences of one body may differ, since bodies differ in size and posture."""
CUTOFFS_MM = (70.0, 55.0, 45.0, 40.0, 40.0)
"""Residual at which a correspondence stops counting, tightened from step to step …"""
HUBER_MM = 10.0
HUBER_STEPS = 8
"""… and the residual beyond which those that are left count less, as in iteratively reweighted least squares."""
FEWEST_CONSISTENT = 60
"""Fewer correspondences that agree on one affine map do not make a registration."""
LEAST_CONSISTENT_SHARE = 0.12
"""Of all points that were looked for; of two scans that share no anatomy, fewer agree by chance."""
LEAST_EXTENT_MM = 8.0
"""Standard deviation, along the narrowest direction, of points that can tell an affine map."""


@dataclass(frozen=True, eq=False)
class AffineFit:
    """`template_to_target` (4x4, LPS mm), and how much each correspondence counted under it, `(n,)` from 0 to 1."""

    template_to_target: np.ndarray
    inlier_weight: np.ndarray


def fit_affine(
    template_lps: np.ndarray, target_lps: np.ndarray, weight: np.ndarray, searched: int
) -> AffineFit:
    """The affine map through correspondences `(n, 3)` LPS mm with weights `(n,)`.

    `searched` is how many points were looked for. Wrong matches are not random: a region that the target lacks may be
    matched as a whole to another one. So the fit begins with the shift that most weight agrees on. Raises
    RegistrationError where too few agree.
    """
    _require_enough(len(template_lps), searched)
    fit = _annealed(template_lps, target_lps, weight)
    agreeing = int((fit.inlier_weight > 0).sum())
    _require_enough(agreeing, searched)
    _require_extent(template_lps[fit.inlier_weight > 0])
    return fit


def _annealed(template_lps: np.ndarray, target_lps: np.ndarray, weight: np.ndarray) -> AffineFit:
    affine = np.eye(4)
    affine[:3, 3] = _common_shift(target_lps - template_lps, weight)
    for cutoff in CUTOFFS_MM:
        robust = _tukey(_residual(affine, template_lps, target_lps), cutoff)
        affine = _least_squares(template_lps, target_lps, weight * robust)
    for _ in range(HUBER_STEPS):
        distance = _residual(affine, template_lps, target_lps)
        robust = _tukey(distance, CUTOFFS_MM[-1]) * np.minimum(1.0, HUBER_MM / np.maximum(distance, 1e-6))
        affine = _least_squares(template_lps, target_lps, weight * robust)
    return AffineFit(affine, _tukey(_residual(affine, template_lps, target_lps), CUTOFFS_MM[-1]))


def _residual(affine: np.ndarray, template_lps: np.ndarray, target_lps: np.ndarray) -> np.ndarray:
    return np.linalg.norm(transform_points(affine, template_lps) - target_lps, axis=1)


def _least_squares(template_lps: np.ndarray, target_lps: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The 4x4 map, drawn a little to a plain shift so that few points cannot make it wild."""
    center = np.average(template_lps, axis=0, weights=weight + 1e-9)
    design = np.column_stack([template_lps - center, np.ones(len(template_lps))])
    shift = np.average(target_lps - template_lps, axis=0, weights=weight + 1e-9)
    normal = design.T @ (weight[:, None] * design) + np.diag([1e3] * 3 + [1e-6])
    moments = design.T @ (weight[:, None] * (target_lps - template_lps - shift))
    solution = np.linalg.solve(normal, moments)
    affine = np.eye(4)
    affine[:3, :3] += solution[:3].T
    affine[:3, 3] = shift + solution[3] - solution[:3].T @ center
    return affine


def _common_shift(shifts: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean of the shifts `(n, 3)` around the one that has most weight of others near it."""
    near = np.linalg.norm(shifts[:, None] - shifts[None], axis=-1) <= SHIFT_TOLERANCE_MM
    chosen = near[(near @ weight).argmax()]
    return np.average(shifts[chosen], axis=0, weights=weight[chosen])


def _tukey(distance: np.ndarray, cutoff: float) -> np.ndarray:
    """Tukey's biweight."""
    relative = distance / cutoff
    return np.where(relative < 1, (1 - relative**2) ** 2, 0.0)


def _require_enough(consistent: int, searched: int) -> None:
    needed = max(FEWEST_CONSISTENT, LEAST_CONSISTENT_SHARE * searched)
    if consistent < needed:
        raise RegistrationError(
            f"only {consistent} of {searched} points of the template have a consistent correspondence in the target, "
            f"at least {needed:.0f} are needed; give two scans that show the same part of the body."
        )


def _require_extent(points_lps: np.ndarray) -> None:
    extent = float(np.sqrt(np.linalg.eigvalsh(np.cov(points_lps.T))[0]))
    if extent < LEAST_EXTENT_MM:
        raise RegistrationError(
            f"the region that both scans show is only about {3.5 * extent:.0f} mm thick; give scans that overlap more."
        )
