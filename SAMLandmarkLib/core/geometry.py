"""Frames, affine maps and the canonical grid.

Everything in this library is in **LPS millimetres**: x grows towards the patient's Left, y towards Posterior,
z towards Superior, as in DICOM and ITK. 3D Slicer and NIfTI files count in RAS (Right, Anterior, Superior).
Names carry the frame (`points_lps`), affine maps are named `source_to_target` (`ijk_to_lps`).

An index is `(i, j, k)` = (column, row, slice) and may be fractional; whole numbers are voxel centres, so a
volume reaches from -0.5 to size - 0.5 along each axis. Arrays are `[k, j, i]`, that is `[z, y, x]`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
LPS_FROM_RAS.setflags(write=False)

# A grid may lose this fraction of its last voxel, so that rounding errors never add a whole voxel.
_SLACK_VOXELS = 1e-3


def swap_lps_ras(points: np.ndarray) -> np.ndarray:
    """Turn points `(..., 3)` mm from LPS into RAS, or from RAS into LPS: the same flip.

    >>> swap_lps_ras(np.array([1.0, 2.0, 3.0])).tolist()
    [-1.0, -2.0, 3.0]
    """
    return np.asarray(points, dtype=float) * (-1.0, -1.0, 1.0)


def transform_points(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points `(..., 3)` through a 4x4 affine; float64 `(..., 3)`, NaN stays NaN.

    >>> transform_points(LPS_FROM_RAS, [[1.0, 2.0, 3.0]]).tolist()
    [[-1.0, -2.0, 3.0]]
    """
    affine = np.asarray(affine, dtype=float)
    moved: np.ndarray = np.asarray(points, dtype=float) @ affine[:3, :3].T + affine[:3, 3]
    return moved


def affine_from_parts(origin: ArrayLike, spacing: ArrayLike, direction: ArrayLike) -> np.ndarray:
    """The 4x4 index-to-world map of an image as ITK describes it.

    `origin (3,)` mm is the centre of voxel (0, 0, 0), `spacing (3,)` mm, and the columns of `direction`
    (3x3, or its 9 numbers row by row) are the directions of the i, j and k axes.

    >>> affine_from_parts((5, 6, 7), (1, 2, 3), np.eye(3))[2].tolist()
    [0.0, 0.0, 3.0, 7.0]
    """
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(np.asarray(direction, dtype=float), (3, 3)) * np.asarray(spacing, dtype=float)
    affine[:3, 3] = origin
    return affine


def spacing_of(affine: np.ndarray) -> np.ndarray:
    """Length in mm of one index step along each axis of a 4x4 map, `(3,)`."""
    lengths: np.ndarray = np.linalg.norm(np.asarray(affine, dtype=float)[:3, :3], axis=0)
    return lengths


def voxel_edge_bounds(
    ijk_to_lps: np.ndarray, size_ijk: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner, `(3,)` LPS mm each, of the box around a volume's outermost voxel edges."""
    ends = [(-0.5, size - 0.5) for size in size_ijk]
    corners = transform_points(ijk_to_lps, np.array(list(itertools.product(*ends))))
    return corners.min(axis=0), corners.max(axis=0)


@dataclass(frozen=True, eq=False)
class FieldOfView:
    """The region a volume covers: `size_ijk` voxels placed by the 4x4 map `ijk_to_lps`, up to their outer edges.

    >>> FieldOfView(np.eye(4), (10, 20, 30)).distance_to_border_mm([[4.0, 4.0, -2.5]]).tolist()
    [-2.0]
    """

    ijk_to_lps: np.ndarray
    size_ijk: tuple[int, int, int]

    def distance_to_border_mm(self, points_lps: np.ndarray) -> np.ndarray:
        """Distance `(...)` in mm from points `(..., 3)` to the nearest end of the region, along its own axes.

        Positive inside, 0 on the border, negative outside, NaN for undefined points. Along the slice axis of an image of
        one slice there is no border: a point beside the plane shows what lies under it.
        """
        index = transform_points(np.linalg.inv(self.ijk_to_lps), points_lps)
        to_border = np.minimum(index + 0.5, np.array(self.size_ijk) - 0.5 - index)
        bounded = np.array(self.size_ijk) > 1
        nearest: np.ndarray = (to_border * spacing_of(self.ijk_to_lps))[..., bounded].min(axis=-1)
        return nearest


@dataclass(frozen=True, eq=False)
class CanonicalGrid:
    """An isotropic voxel grid whose i, j, k axes run along L, P, S.

    `origin_lps (3,)` mm is the centre of voxel (0, 0, 0). With 2 `spatial_axes` the grid has one slice, in whose plane
    it lies, and nothing is divided or searched along k.

    >>> grid = CanonicalGrid(np.array([10.0, 20.0, 30.0]), 2.0, (4, 5, 6))
    >>> grid.lps_from_index([1, 0, 0]).tolist(), grid.shape_kji
    ([12.0, 20.0, 30.0], (6, 5, 4))
    """

    origin_lps: np.ndarray
    spacing_mm: float
    size_ijk: tuple[int, int, int]
    spatial_axes: int = 3

    @classmethod
    def covering(
        cls,
        ijk_to_lps: np.ndarray,
        size_ijk: tuple[int, int, int],
        spacing_mm: float,
        spatial_axes: int = 3,
    ) -> CanonicalGrid:
        """The grid of `spacing_mm` that covers the box of `voxel_edge_bounds` from its lower corner on.

        With 2 `spatial_axes` it is one slice in the middle of the box.
        """
        lower, upper = voxel_edge_bounds(ijk_to_lps, size_ijk)
        counts = np.maximum(1, np.ceil((upper - lower) / spacing_mm - _SLACK_VOXELS)).astype(int)
        origin = lower + spacing_mm / 2
        if spatial_axes == 2:
            counts[2], origin[2] = 1, (lower[2] + upper[2]) / 2
        i, j, k = counts.tolist()
        return cls(origin, float(spacing_mm), (i, j, k), spatial_axes)

    def coarser(self, spacing_mm: float) -> CanonicalGrid:
        """The grid of a larger spacing whose first cell starts at the same corner, and which covers this one."""
        searched = np.array([1, 1, self.spatial_axes - 2])
        factor = spacing_mm / self.spacing_mm
        i, j, k = (int(np.ceil(n / factor)) for n in self.size_ijk)
        origin = self.origin_lps + searched * (spacing_mm - self.spacing_mm) / 2
        return CanonicalGrid(origin, spacing_mm, (i, j, k), self.spatial_axes)

    def per_axis(self, value: int, flat: int) -> tuple[int, int, int]:
        """A value for z, y and x, of which z takes `flat` where the grid has one slice.

        >>> CanonicalGrid(np.zeros(3), 1.0, (4, 5, 1), spatial_axes=2).per_axis(3, 0)
        (0, 3, 3)
        """
        return (value if self.spatial_axes == 3 else flat, value, value)

    @property
    def shape_kji(self) -> tuple[int, int, int]:
        """Shape of an array on this grid, `[z, y, x]`."""
        return self.size_ijk[::-1]

    @property
    def ijk_to_lps(self) -> np.ndarray:
        """The 4x4 map from index to LPS mm."""
        return affine_from_parts(self.origin_lps, (self.spacing_mm,) * 3, np.eye(3))

    def index_from_lps(self, points_lps: np.ndarray) -> np.ndarray:
        """Fractional index (i, j, k) of points `(..., 3)` in LPS mm."""
        index: np.ndarray = (np.asarray(points_lps, dtype=float) - self.origin_lps) / self.spacing_mm
        return index

    def lps_from_index(self, index_ijk: np.ndarray) -> np.ndarray:
        """LPS mm of fractional indices (i, j, k), `(..., 3)`."""
        places: np.ndarray = np.asarray(index_ijk, dtype=float) * self.spacing_mm + self.origin_lps
        return places
