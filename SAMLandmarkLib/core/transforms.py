"""Transforms of points: affine maps and displacement fields, one after the other, and their files.

A registration's transform takes points of the template to points of the target, in LPS mm. That is ITK's resampling
direction (fixed to moving), and in 3D Slicer a transform node's *FromParent*.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..utils.errors import OutputError
from ..utils.files import atomic_path
from .geometry import CanonicalGrid, FieldOfView, transform_points

if TYPE_CHECKING:
    import SimpleITK as sitk

    from .volume import Volume

TRANSFORM_SUFFIXES = (".h5", ".tfm")
OUTER_ZEROS = 3
"""Layers of coefficients at the border of a field that are zero."""
ZERO_CELLS = 6
"""Layers of cells at its border whose displacements must be."""


@dataclass(frozen=True, eq=False)
class DisplacementField:
    """Displacements in LPS mm as a cubic B-spline with `coefficients_lps [z, y, x, 3]` on a canonical grid, zero beyond.

    ITK and 3D Slicer evaluate a B-spline alike; a sampled field is interpolated linearly by the one and with cubic
    polynomials by the other, which differ by tenths of a millimetre.
    """

    coefficients_lps: np.ndarray
    grid: CanonicalGrid

    @classmethod
    def through(cls, displacement_lps: np.ndarray, grid: CanonicalGrid) -> DisplacementField:
        """The spline through displacements `[z, y, x, 3]` mm at a grid's cells; those of ZERO_CELLS layers must be zero."""
        from scipy.ndimage import spline_filter

        values = np.moveaxis(np.asarray(displacement_lps, dtype=float), 3, 0)
        coefficients = np.stack([spline_filter(part, order=3, mode="mirror") for part in values], axis=3)
        # where ITK has no spline any more there must be none, or other programs would go on with it
        inner = (slice(OUTER_ZEROS, -OUTER_ZEROS),) * 3
        kept = np.zeros_like(coefficients)
        kept[inner] = coefficients[inner]
        return cls(kept, grid)

    def at(self, points_lps: np.ndarray) -> np.ndarray:
        """Displacements `(n, 3)` mm at points `(n, 3)` LPS mm; NaN stays NaN."""
        points = np.asarray(points_lps, dtype=float)
        index = self.grid.index_from_lps(points)
        # as in ITK: nothing where a point has not all of its 4 x 4 x 4 coefficients
        inside = ((index >= 1) & (index < np.array(self.grid.size_ijk) - 2)).all(axis=1)
        low = index[inside].astype(int) - 1
        along_i, along_j, along_k = (
            cubic_bspline(index[inside, axis, None] - (low[:, axis, None] + np.arange(4)))
            for axis in range(3)
        )
        values = np.where(np.isfinite(points), 0.0, np.nan)
        for k, j, i in np.ndindex(4, 4, 4):
            share = along_k[:, k] * along_j[:, j] * along_i[:, i]
            place = low[:, 2] + k, low[:, 1] + j, low[:, 0] + i
            values[inside] += share[:, None] * self.coefficients_lps[place]
        return values

    def moved(self, points_lps: np.ndarray) -> np.ndarray:
        """Points `(n, 3)` LPS mm with their displacements added."""
        moved: np.ndarray = np.asarray(points_lps, dtype=float) + self.at(points_lps)
        return moved

    def to_itk(self) -> sitk.Transform:
        """The same as a transform of SimpleITK."""
        import SimpleITK as sitk

        images = [
            itk_image(np.ascontiguousarray(part), self.grid.ijk_to_lps)
            for part in np.moveaxis(self.coefficients_lps, 3, 0)
        ]
        return sitk.BSplineTransform(images, 3)


def cubic_bspline(distance: np.ndarray) -> np.ndarray:
    """The cubic B-spline at distances counted in control spacings.

    >>> cubic_bspline(np.array([0.0, 2.0])).round(3).tolist()
    [0.667, 0.0]
    """
    distance = np.abs(distance)
    near = 2 / 3 - distance**2 + distance**3 / 2
    return np.where(distance < 1, near, np.clip(2 - distance, 0, None) ** 3 / 6)


@dataclass(frozen=True, eq=False)
class PointTransform:
    """Takes points from one scan to another, LPS mm: its `steps`, 4x4 maps and fields, in the order of their use.

    >>> shift = np.eye(4); shift[:3, 3] = (1, 2, 3)
    >>> PointTransform((shift,)).apply([[0.0, 0.0, 0.0]]).tolist()
    [[1.0, 2.0, 3.0]]
    """

    steps: tuple[np.ndarray | DisplacementField, ...]

    def apply(self, points_lps: np.ndarray) -> np.ndarray:
        """Where points `(n, 3)` LPS mm come to lie, `(n, 3)`; NaN stays NaN."""
        points = np.asarray(points_lps, dtype=float).reshape(-1, 3)
        for step in self.steps:
            points = (
                step.moved(points) if isinstance(step, DisplacementField) else transform_points(step, points)
            )
        return points

    def to_itk(self) -> sitk.CompositeTransform:
        """The same as a composite transform of SimpleITK, which uses the transform that was added last first."""
        import SimpleITK as sitk

        composite = sitk.CompositeTransform(3)
        for step in reversed(self.steps):
            composite.AddTransform(
                step.to_itk() if isinstance(step, DisplacementField) else _itk_affine(step)
            )
        return composite

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write an ITK transform file, `.h5` or `.tfm`; OutputError where that fails."""
        import SimpleITK as sitk

        if not str(path).endswith(TRANSFORM_SUFFIXES):
            raise OutputError(f"{path}: a transform is written as {' or '.join(TRANSFORM_SUFFIXES)}.")
        with atomic_path(path) as temporary:
            try:
                sitk.WriteTransform(self.to_itk(), str(temporary))
            except RuntimeError as error:
                raise OutputError(
                    f"{path} can't be written; check the folder, its permissions and the space on its disk."
                ) from error


def resample_through(
    volume: Volume, transform: PointTransform, reference: FieldOfView, nearest: bool = False
) -> np.ndarray:
    """The voxels of `volume` at the places where a transform takes those of `reference`, `[z, y, x]`.

    The type of the voxels stays; beyond the volume stands its smallest value, or 0 for labels, which `nearest` keeps
    whole.
    """
    import SimpleITK as sitk

    interpolator = sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear
    outside = 0.0 if nearest else float(volume.array.min())
    image = itk_image(volume.array, volume.ijk_to_lps)
    geometry = itk_geometry(reference.ijk_to_lps)
    size = [int(length) for length in reference.size_ijk]
    resampled = sitk.Resample(
        image, size, transform.to_itk(), interpolator, *geometry, outside, image.GetPixelID()
    )
    return sitk.GetArrayFromImage(resampled)


def itk_image(array: np.ndarray, ijk_to_lps: np.ndarray) -> sitk.Image:
    """Voxels `[z, y, x]` as an image of SimpleITK at their place."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    origin, spacing, direction = itk_geometry(ijk_to_lps)
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    image.SetDirection(direction)
    return image


def itk_geometry(ijk_to_lps: np.ndarray) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
    """Origin, spacing and the nine numbers of the direction that ITK describes a 4x4 map by."""
    spacing = np.linalg.norm(ijk_to_lps[:3, :3], axis=0)
    direction = ijk_to_lps[:3, :3] / spacing
    return ijk_to_lps[:3, 3].tolist(), spacing.tolist(), direction.ravel().tolist()


def _itk_affine(affine: np.ndarray) -> sitk.AffineTransform:
    import SimpleITK as sitk

    return sitk.AffineTransform(affine[:3, :3].ravel().tolist(), affine[:3, 3].tolist())
