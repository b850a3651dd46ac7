"""A smooth random deformation with exactly known point correspondence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..core.geometry import spacing_of, transform_points
from ..utils.errors import UsageError

INVERSION_TOLERANCE_MM = 0.005
_INVERSION_STEPS = 200
# Standard deviation of a 3-D cubic B-spline field over that of its coefficients: the mean of the squared
# basis function along one axis is 151/315, whatever the spacing.
_FIELD_TO_COEFFICIENT_SD = (151 / 315) ** 1.5


@dataclass(frozen=True, eq=False)
class SmoothWarp:
    """The pull-back map of a deformed scan: where in the template the tissue of each target point comes from.

    template point = target point - shift + displacement(target point), in LPS mm. The displacement is a cubic
    B-spline with `coefficients (3, cz, cy, cx)` mm on a control grid that runs along the target's index axes,
    which makes evaluating it on all voxels a separable product.
    """

    coefficients: np.ndarray
    voxels_per_control: np.ndarray
    ijk_to_lps: np.ndarray
    size_ijk: tuple[int, int, int]
    shift_lps: np.ndarray

    @classmethod
    def random(
        cls,
        ijk_to_lps: np.ndarray,
        size_ijk: tuple[int, int, int],
        shift_lps: np.ndarray,
        displacement_sd_mm: float,
        control_spacing_mm: float,
        random: np.random.Generator,
    ) -> SmoothWarp:
        """A warp for a target grid: `displacement_sd_mm` per axis, controls `control_spacing_mm` apart."""
        voxels_per_control = control_spacing_mm / spacing_of(ijk_to_lps)
        # Three more than the intervals, so that each voxel has its four control points along each axis.
        counts = np.ceil(np.asarray(size_ijk) / voxels_per_control).astype(int) + 3
        sd = displacement_sd_mm / _FIELD_TO_COEFFICIENT_SD
        coefficients = random.normal(scale=sd, size=(3, *counts[::-1]))
        return cls(
            coefficients, voxels_per_control, ijk_to_lps, tuple(size_ijk), np.asarray(shift_lps, dtype=float)
        )

    def template_from_target(self, points_lps: np.ndarray) -> np.ndarray:
        """Template positions `(n, 3)` of target positions `(n, 3)`, LPS mm."""
        points = np.asarray(points_lps, dtype=float)
        indices = transform_points(np.linalg.inv(self.ijk_to_lps), points)
        along_i, along_j, along_k = (self._basis(indices[:, axis], axis) for axis in range(3))
        displacement = np.einsum(
            "nc,nb,na,dcba->nd", along_k, along_j, along_i, self.coefficients, optimize=True
        )
        return points - self.shift_lps + displacement

    def target_from_template(self, points_lps: np.ndarray) -> np.ndarray:
        """Target positions `(n, 3)` of template positions `(n, 3)`, LPS mm, to better than 0.01 mm.

        Raises UsageError where the deformation folds and has no inverse.
        """
        wanted = np.asarray(points_lps, dtype=float)
        found = wanted + self.shift_lps
        for _ in range(_INVERSION_STEPS):
            residual = wanted - self.template_from_target(found)
            if np.linalg.norm(residual, axis=-1).max(initial=0.0) < INVERSION_TOLERANCE_MM:
                return found
            found = found + residual
        raise UsageError(
            "the random deformation folds and can't be inverted; "
            "choose a smaller displacement_sd_mm or a larger control_spacing_mm."
        )

    def slabs(self, slices: int = 8) -> Iterator[tuple[slice, np.ndarray]]:
        """Template positions `(k, j, i, 3)` LPS mm of all target voxels, some slices at a time."""
        along_i, along_j, along_k = (
            self._basis(np.arange(size), axis) for axis, size in enumerate(self.size_ijk)
        )
        in_plane = np.einsum("jb,ia,dcba->dcji", along_j, along_i, self.coefficients, optimize=True)
        for start in range(0, self.size_ijk[2], slices):
            slab = slice(start, min(start + slices, self.size_ijk[2]))
            displacement = np.einsum("kc,dcji->kjid", along_k[slab], in_plane, optimize=True)
            yield slab, self._voxel_positions(slab) - self.shift_lps + displacement

    def _voxel_positions(self, slab: slice) -> np.ndarray:
        k, j, i = np.indices((slab.stop - slab.start, self.size_ijk[1], self.size_ijk[0]))
        return transform_points(self.ijk_to_lps, np.stack([i, j, k + slab.start], axis=-1))

    def _basis(self, index: np.ndarray, axis: int) -> np.ndarray:
        """Cubic B-spline weights `(n, controls)` at fractional voxel indices along an axis."""
        position = np.asarray(index, dtype=float) / self.voxels_per_control[axis] + 1.0
        distance = np.abs(position[:, None] - np.arange(self.coefficients.shape[3 - axis]))
        near = 2 / 3 - distance**2 + distance**3 / 2
        return np.where(distance < 1, near, np.clip(2 - distance, 0, None) ** 3 / 6)
