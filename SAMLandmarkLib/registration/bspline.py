"""A smooth map through scattered correspondences: a cubic B-spline with a roughness penalty, solved sparsely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg

from ..core.geometry import CanonicalGrid
from ..core.transforms import cubic_bspline

FIRST_DIFFERENCES = 0.02
"""Weight of first differences beside second ones: where nothing is known the spline goes back to zero."""
BORDER_CONTROLS = 2
"""Control points beyond the region on each side, so that every point in it has its four along each axis."""


@dataclass(frozen=True)
class SplineSettings:
    """Control spacings, coarse to fine, mm; weight of the roughness; Huber's residual, mm; reweightings."""

    control_spacings_mm: tuple[float, ...] = (40.0, 20.0)
    roughness: float = 0.1
    huber_mm: float = 3.0
    reweightings: int = 3


@dataclass(frozen=True, eq=False)
class Spline:
    """A cubic B-spline of displacements: `coefficients [z, y, x, 3]` mm at the centres of a grid of control points."""

    coefficients: np.ndarray
    controls: CanonicalGrid

    def at(self, points_lps: np.ndarray) -> np.ndarray:
        """Displacements `(n, 3)` mm at points `(n, 3)` LPS mm."""
        return _design(points_lps, self.controls) @ self.coefficients.reshape(-1, 3)

    def on_grid(self, grid: CanonicalGrid) -> np.ndarray:
        """Displacements `[z, y, x, 3]` mm at all cells of a grid, as a product along each axis."""
        along_x, along_y, along_z = (self._basis(grid, axis) for axis in range(3))
        values = np.einsum("zc,cbad->zbad", along_z, self.coefficients, optimize=True)
        values = np.einsum("yb,zbad->zyad", along_y, values, optimize=True)
        return np.einsum("xa,zyad->zyxd", along_x, values, optimize=True)

    def _basis(self, grid: CanonicalGrid, axis: int) -> np.ndarray:
        places = grid.origin_lps[axis] + grid.spacing_mm * np.arange(grid.size_ijk[axis])
        position = (places - self.controls.origin_lps[axis]) / self.controls.spacing_mm
        return cubic_bspline(position[:, None] - np.arange(self.controls.size_ijk[axis]))


def fit_spline(
    points_lps: np.ndarray,
    displacements: np.ndarray,
    weight: np.ndarray,
    region: CanonicalGrid,
    settings: SplineSettings = SplineSettings(),
) -> list[Spline]:
    """Splines whose sum comes near displacements `(n, 3)` mm at points `(n, 3)` LPS mm with weights `(n,)`, mean 1.

    Each is finer than the one before and takes what that has left. `region` is where they will be evaluated.
    """
    splines: list[Spline] = []
    left = displacements
    for spacing_mm in settings.control_spacings_mm:
        spline = _fit_level(points_lps, left, weight, _controls(region, spacing_mm), settings)
        left = left - spline.at(points_lps)
        splines.append(spline)
    return splines


def _fit_level(
    points_lps: np.ndarray,
    displacements: np.ndarray,
    weight: np.ndarray,
    controls: CanonicalGrid,
    settings: SplineSettings,
) -> Spline:
    """Huber's loss by iteratively reweighted least squares, each solved by conjugate gradients."""
    design = _design(points_lps, controls)
    smoothness = settings.roughness * _roughness(controls.size_ijk)
    coefficients = np.zeros((design.shape[1], 3))
    robust = np.ones(len(points_lps))
    for _ in range(settings.reweightings):
        weighted = design.T @ sparse.diags_array(weight * robust)
        normal = (weighted @ design + smoothness).tocsr()
        coefficients = _solved(normal, weighted @ displacements, coefficients)
        distance = np.linalg.norm(design @ coefficients - displacements, axis=1)
        robust = np.minimum(1.0, settings.huber_mm / np.maximum(distance, 1e-6))
    return Spline(coefficients.reshape(*controls.shape_kji, 3), controls)


def _solved(normal: sparse.csr_array, moments: np.ndarray, start: np.ndarray) -> np.ndarray:
    diagonal = sparse.diags_array(1.0 / normal.diagonal())
    columns = [
        cg(normal, moments[:, axis], x0=start[:, axis], rtol=1e-3, maxiter=100, M=diagonal)[0]
        for axis in range(3)
    ]
    return np.stack(columns, axis=1)


def _controls(region: CanonicalGrid, spacing_mm: float) -> CanonicalGrid:
    length_mm = np.array(region.size_ijk) * region.spacing_mm
    counts = np.ceil(length_mm / spacing_mm).astype(int) + 1 + 2 * BORDER_CONTROLS
    origin = region.origin_lps - region.spacing_mm / 2 - BORDER_CONTROLS * spacing_mm
    return CanonicalGrid(origin, spacing_mm, tuple(counts.tolist()))


def _design(points_lps: np.ndarray, controls: CanonicalGrid) -> sparse.csr_array:
    """Weights `(n, controls)` of the control points at points `(n, 3)`; points beyond take the border's."""
    size = np.array(controls.size_ijk)
    position = np.clip(controls.index_from_lps(points_lps), 1.0, size - 2.0 - 1e-9)
    first = position.astype(int) - 1
    basis = cubic_bspline(position[:, :, None] - (first[:, :, None] + np.arange(4)))
    values = np.einsum("nc,nb,na->ncba", basis[:, 2], basis[:, 1], basis[:, 0])
    i, j, k = (first[:, axis, None] + np.arange(4) for axis in range(3))
    columns = (k[:, :, None, None] * size[1] + j[:, None, :, None]) * size[0] + i[:, None, None, :]
    rows = np.repeat(np.arange(len(position)), 64)
    return sparse.csr_array(
        (values.ravel(), (rows, columns.ravel())), shape=(len(position), int(size.prod()))
    )


def _roughness(size_ijk: tuple[int, int, int]) -> sparse.csr_array:
    """Matrix of the squared second differences of coefficients along each axis, and a little of the first ones."""
    total = sparse.csr_array((int(np.prod(size_ijk)),) * 2)
    for axis in range(3):
        line = [sparse.eye_array(size) for size in size_ijk[::-1]]
        line[axis] = _differences(size_ijk[2 - axis])
        total = total + sparse.kron(line[0], sparse.kron(line[1], line[2]))
    return total.tocsr()


def _differences(size: int) -> sparse.csr_array:
    """`D'D` of second and, lightly, first differences along a line of at least 3 control points."""
    identity = sparse.eye_array(size, format="csr")
    first = identity[1:] - identity[:-1]
    second = identity[2:] - 2 * identity[1:-1] + identity[:-2]
    return (second.T @ second + FIRST_DIFFERENCES * (first.T @ first)).tocsr()
