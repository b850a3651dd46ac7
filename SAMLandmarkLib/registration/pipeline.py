"""From correspondences to the transforms between two scans, on plain inputs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core.geometry import CanonicalGrid, transform_points
from ..core.transforms import ZERO_CELLS, DisplacementField, PointTransform
from ..utils.errors import RegistrationError
from ..utils.progress import Progress
from .affine import CUTOFFS_MM, AffineFit, fit_affine
from .bspline import SplineSettings, fit_spline
from .correspondences import PointCorrespondences
from .dense import DenseSettings, dense_field
from .features import ScanFeatures, cells_lps
from .fields import composed, inverted, jacobian, unfolded
from .instance import OptimisationSettings

WHOLLY_COUNTED_DEPTH_MM = 80.0
"""Points nearer to the skin count less: they move with posture and fat, and nobody marks landmarks there."""
UNSURE_MM, CONTRADICTED = 4.0, 0.75
"""Median uncertainty and share of agreeing correspondences of scans that show different parts: 4.3 to 5.4 mm and 0.2 to
0.7, against 3.4 to 3.8 mm and 0.8 of two patients' same part."""
LEAST_TAPER_CELLS = 6
"""Least width of the border in which a field goes down to zero."""

ONE_PATIENT = DenseSettings(
    embedding_weight=1.0, image_weight=1.0, optimisation=OptimisationSettings(steps=(20, 40), diffusion=1.25)
)
TWO_PATIENTS = DenseSettings(
    embedding_weight=1.0,
    image_weight=0.3,
    optimisation=OptimisationSettings(steps=(40, 15), smoothings=3, diffusion=3.0),
)


@dataclass(frozen=True)
class RegistrationSettings:
    """`points` looked for over the body; the smooth part and the dense end stage, None where a profile has none.

    `dense` is for two scans of one patient, `dense_between` for those of two.
    """

    points: int = 1500
    spline: SplineSettings | None = field(default_factory=SplineSettings)
    dense: DenseSettings | None = ONE_PATIENT
    dense_between: DenseSettings | None = TWO_PATIENTS


PROFILES = {
    "affine": RegistrationSettings(spline=None, dense=None, dense_between=None),
    "fast": RegistrationSettings(
        dense=replace(ONE_PATIENT, optimise=False), dense_between=replace(TWO_PATIENTS, optimise=False)
    ),
    "accurate": RegistrationSettings(),
}
DEFAULT_PROFILE = "accurate"


@dataclass(frozen=True, eq=False)
class RegistrationMaps:
    """The transform from template to target, its inverse, and what is known about both."""

    transform: PointTransform
    inverse: PointTransform
    quality: dict[str, float]
    seconds: dict[str, float]


def register_features(
    template: ScanFeatures,
    target: ScanFeatures,
    consistent: PointCorrespondences,
    smooth: PointCorrespondences,
    grid: CanonicalGrid,
    settings: RegistrationSettings = RegistrationSettings(),
    progress: Progress | None = None,
) -> RegistrationMaps:
    """Register two scans; `grid` of the template carries the displacements.

    The affine map comes from `consistent` correspondences only, the smooth part from `smooth` ones. Raises
    RegistrationError where too few correspondences agree.
    """
    clock, progress = _Clock(), progress or _silent
    progress("affine map", 0.1)
    fit = _affine(consistent, template.depth_at(consistent.template_lps))
    _require_sure(consistent, fit)
    affine = fit.template_to_target
    quality = {
        "consistent_points": float((fit.inlier_weight > 0).sum()),
        "searched_points": float(consistent.searched),
    }
    clock.lap("affine")
    if settings.spline is None:
        return _affine_maps(affine, quality, clock.seconds)
    progress("smooth map", 0.2)
    start = _smooth_field(_agreeing(smooth, affine), affine, grid, settings.spline)
    clock.lap("spline")
    dense = settings.dense if consistent.of_one_patient else settings.dense_between
    if dense is not None:
        progress("dense map", 0.3)
        start_lps, tell = _mapped(affine, start, grid), partial(_tell_dense, progress)
        start = unfolded(composed(dense_field(template, target, start_lps, grid, dense, tell), start))
        clock.lap("dense")
    progress("inverse", 0.9)
    maps = _field_maps(affine, start, grid, template)
    clock.lap("inverse")
    return RegistrationMaps(maps.transform, maps.inverse, quality | maps.quality, clock.seconds)


def _affine(correspondences: PointCorrespondences, depth_mm: np.ndarray) -> AffineFit:
    """The affine map of the body as a whole: with their precisions the bones would decide it nearly alone."""
    weight = np.sqrt(correspondences.weight) * np.clip(depth_mm / WHOLLY_COUNTED_DEPTH_MM, 0.1, 1.0)
    return fit_affine(
        correspondences.template_lps, correspondences.target_lps, weight, correspondences.searched
    )


def _require_sure(consistent: PointCorrespondences, fit: AffineFit) -> None:
    """Other body parts have consistent matches too, but unsure ones, of which many contradict each other."""
    agreeing = float((fit.inlier_weight > 0).mean())
    sigma_mm = float(np.median(consistent.sigma_mm))
    if sigma_mm > UNSURE_MM and agreeing < CONTRADICTED:
        raise RegistrationError(
            f"the correspondences are unsure (by {sigma_mm:.1f} mm), and only {100 * agreeing:.0f} % of them agree on one "
            "map; give two scans that show the same part of the body."
        )


def _agreeing(correspondences: PointCorrespondences, affine: np.ndarray) -> PointCorrespondences:
    """Those that lie near where the affine map has them."""
    mapped = transform_points(affine, correspondences.template_lps)
    return correspondences.at_rows(
        np.linalg.norm(mapped - correspondences.target_lps, axis=1) < CUTOFFS_MM[-1]
    )


def _smooth_field(
    correspondences: PointCorrespondences, affine: np.ndarray, grid: CanonicalGrid, settings: SplineSettings
) -> Tensor:
    """The spline through what the affine map leaves, before that map, as a field in cells."""
    back_lps = transform_points(np.linalg.inv(affine), correspondences.target_lps)
    splines = fit_spline(
        correspondences.template_lps,
        back_lps - correspondences.template_lps,
        correspondences.weight,
        grid,
        settings,
    )
    displacement = sum(spline.on_grid(grid) for spline in splines)
    return unfolded(_to_cells(displacement, grid))


def _to_cells(displacement_lps: np.ndarray, grid: CanonicalGrid) -> Tensor:
    cells = displacement_lps[..., ::-1] / grid.spacing_mm
    return torch.from_numpy(np.ascontiguousarray(cells.transpose(3, 0, 1, 2))).float()


def _to_field(cells: Tensor, grid: CanonicalGrid) -> DisplacementField:
    displacement = cells.numpy().transpose(1, 2, 3, 0)[..., ::-1] * grid.spacing_mm
    return DisplacementField.through(displacement, grid)


def _mapped(affine: np.ndarray, cells: Tensor, grid: CanonicalGrid) -> Tensor:
    """Where a field and then the affine map take the cells of a grid, `[3,D,H,W]` (x,y,z) LPS mm, float64."""
    moved = cells_lps(grid) + cells.flip(0).double() * grid.spacing_mm
    linear = torch.from_numpy(affine[:3, :3])
    return torch.einsum("ab,bzyx->azyx", linear, moved) + torch.from_numpy(affine[:3, 3]).view(3, 1, 1, 1)


def _affine_maps(
    affine: np.ndarray, quality: dict[str, float], seconds: dict[str, float]
) -> RegistrationMaps:
    inverse = PointTransform((np.linalg.inv(affine),))
    return RegistrationMaps(PointTransform((affine,)), inverse, quality, seconds)


def _field_maps(
    affine: np.ndarray, cells: Tensor, grid: CanonicalGrid, template: ScanFeatures
) -> RegistrationMaps:
    """Transforms with the field extended to where it is zero, and their regularity in the body."""
    cells, grid = _extended(cells, grid)
    backward = inverted(cells)
    backward *= _inside(backward)
    transform = PointTransform((_to_field(cells, grid), affine))
    inverse = PointTransform((np.linalg.inv(affine), _to_field(backward, grid)))
    body_lps = template.points_in_body(20000)
    index = tuple(np.rint(grid.index_from_lps(body_lps)).astype(int)[:, ::-1].T)
    determinant = jacobian(cells).numpy()[index]
    error_mm = np.linalg.norm(inverse.apply(transform.apply(body_lps)) - body_lps, axis=1)
    quality = {
        "folded_percent": 100 * float((determinant <= 0).mean()),
        "sd_log_jacobian": float(np.log(np.maximum(determinant, 1e-3)).std()),
        "inverse_error_median_mm": float(np.median(error_mm)),
        "inverse_error_p95_mm": float(np.percentile(error_mm, 95)),
    }
    return RegistrationMaps(transform, inverse, quality, {})


def _inside(cells: Tensor) -> Tensor:
    """1 but for the outermost layers `[D,H,W]`, in which a field must be zero."""
    inside = torch.zeros(cells.shape[1:])
    inside[(slice(ZERO_CELLS, -ZERO_CELLS),) * 3] = 1
    return inside


def _extended(cells: Tensor, grid: CanonicalGrid) -> tuple[Tensor, CanonicalGrid]:
    """A field continued beyond its grid and brought down to zero there, slowly enough not to fold."""
    faces = [cells.select(axis, end).norm(dim=0).max() for axis in (1, 2, 3) for end in (0, -1)]
    largest = float(torch.stack(faces).max())
    margin = max(LEAST_TAPER_CELLS, int(np.ceil(2 * largest)) + 1) + ZERO_CELLS
    padded = functional.pad(cells[None], [margin] * 6, mode="replicate")[0]
    share: Tensor | float = 1.0
    for axis, size in enumerate(cells.shape[1:]):
        place = torch.arange(-margin, size + margin).float()
        beyond = torch.maximum(-place, place - (size - 1)).clamp(min=0) / (margin - ZERO_CELLS)
        shape = [-1 if other == axis else 1 for other in range(3)]
        share = share * (1 - beyond.clamp(max=1) ** 2 * (3 - 2 * beyond.clamp(max=1))).view(shape)
    size = tuple(length + 2 * margin for length in grid.size_ijk)
    return padded * share, CanonicalGrid(grid.origin_lps - margin * grid.spacing_mm, grid.spacing_mm, size)


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name], self._last = round(now - self._last, 3), now


def _tell_dense(progress: Progress, share: float) -> None:
    progress("dense map", 0.4 + 0.5 * share)


def _silent(step: str, fraction: float) -> None:
    """Progress that nobody listens to."""
