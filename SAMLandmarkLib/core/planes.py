"""Where the slices of an exam cut each other: finite planes, their lines, and the distance of every pixel from a line.

The closed form for the targets of Zhang et al. (Medical Image Analysis 94, 2024, section 3.1). For a pixel x of the host slice
and a guide plane through q with the unit normal n, s = n·(x - q) is the distance from the plane, and the line lies |s| / g
away within the host, g being the sine of the angle between both planes. All positions are LPS mm; a flip of axes, pixels
that are not square and a sheared affine are all in the steps of the planes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..utils.errors import VolumeError
from .geometry import swap_lps_ras

FloatArray = NDArray[np.float64]

NEAR_PARALLEL_DEGREES = 5.0
"""Planes that meet at a smaller angle have a line that a hair's turn of the patient moves by centimetres."""
_LEAST_STEP_MM = 1e-6
_LEAST_ANGLE_OF_STEPS = 0.1


@dataclass(frozen=True, eq=False)
class SlicePlane:
    """One slice in the patient.

    `origin_lps (3,)` mm is the centre of pixel (0, 0); `column_step_lps` and `row_step_lps (3,)` mm lead from a pixel to the
    next one in its row and in its column; `rows` and `columns` count them. Raises VolumeError where these are no plane.
    """

    origin_lps: FloatArray
    column_step_lps: FloatArray
    row_step_lps: FloatArray
    rows: int
    columns: int

    def __post_init__(self) -> None:
        for name in ("origin_lps", "column_step_lps", "row_step_lps"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64).reshape(3))
        lengths = self.pixel_spacing_mm
        area = np.linalg.norm(np.cross(self.column_step_lps, self.row_step_lps))
        finite = np.isfinite(self.origin_lps).all() and np.isfinite(lengths).all()
        if not finite or lengths.min() < _LEAST_STEP_MM or area < _LEAST_ANGLE_OF_STEPS * lengths.prod():
            raise VolumeError(
                f"The slice at {np.round(self.origin_lps, 1).tolist()} mm with steps of "
                f"{np.round(lengths, 4).tolist()} mm lies in no plane; export the series again."
            )
        if min(self.rows, self.columns) < 1:
            raise VolumeError(f"A slice of {self.columns}x{self.rows} pixels shows nothing; export it again.")

    @classmethod
    def from_dicom(
        cls,
        position: tuple[float, ...],
        orientation: tuple[float, ...],
        pixel_spacing: tuple[float, ...],
        rows: int,
        columns: int,
    ) -> SlicePlane:
        """From Image Position, Image Orientation and Pixel Spacing, whose first number is the distance between rows.

        Raises VolumeError where they are incomplete or no plane (DICOM PS3.3, C.7.6.2.1.1).
        """
        if (len(position), len(orientation), len(pixel_spacing)) != (3, 6, 2):
            raise VolumeError(
                "The header does not say where the slice lies (tags 0020,0032, 0020,0037 and 0028,0030); export the "
                "original series from the scanner or the archive."
            )
        directions = np.array(orientation, dtype=float).reshape(2, 3)
        between_rows, between_columns = pixel_spacing
        return cls(
            np.array(position), directions[0] * between_columns, directions[1] * between_rows, rows, columns
        )

    @classmethod
    def of_stack(cls, ijk_to_lps: FloatArray, size_ijk: tuple[int, int, int]) -> list[SlicePlane]:
        """The slices of a volume along its k axis, from its 4x4 `ijk_to_lps`."""
        affine = np.asarray(ijk_to_lps, dtype=float)
        columns, rows, slices = size_ijk
        return [
            cls(affine[:3, 3] + k * affine[:3, 2], affine[:3, 0], affine[:3, 1], rows, columns)
            for k in range(slices)
        ]

    @property
    def pixel_spacing_mm(self) -> FloatArray:
        """Length of a step along a row and along a column, `(2,)` mm: columns first, unlike DICOM's tag."""
        lengths: FloatArray = np.linalg.norm([self.column_step_lps, self.row_step_lps], axis=1)
        return lengths

    @property
    def normal_lps(self) -> FloatArray:
        """The unit vector `(3,)` across the plane, right-handed with the steps along rows and columns."""
        normal = np.cross(self.column_step_lps, self.row_step_lps)
        unit: FloatArray = normal / np.linalg.norm(normal)
        return unit

    @property
    def center_lps(self) -> FloatArray:
        """The middle of the slice, `(3,)` LPS mm."""
        return self.lps_of(np.array([(self.columns - 1) / 2, (self.rows - 1) / 2]))

    def lps_of(self, pixels: FloatArray) -> FloatArray:
        """LPS mm `(..., 3)` of fractional pixels `(..., 2)` (column, row)."""
        steps = np.stack([self.column_step_lps, self.row_step_lps])
        places: FloatArray = np.asarray(pixels, dtype=float) @ steps + self.origin_lps
        return places

    def pixels_of(self, points_lps: FloatArray) -> FloatArray:
        """Fractional pixels `(..., 2)` (column, row) of the feet of points `(..., 3)` LPS mm on the plane."""
        steps = np.stack([self.column_step_lps, self.row_step_lps], axis=1)
        pixels: FloatArray = (np.asarray(points_lps, dtype=float) - self.origin_lps) @ np.linalg.pinv(steps).T
        return pixels

    def grid_lps(self) -> FloatArray:
        """The centres of all pixels, `[rows, columns, 3]` LPS mm."""
        column, row = np.meshgrid(np.arange(self.columns), np.arange(self.rows))
        return self.lps_of(np.stack([column, row], axis=-1))

    def contains_pixels(self, pixels: FloatArray) -> NDArray[np.bool_]:
        """Whether fractional pixels `(..., 2)` lie within the outer edges of the slice."""
        limit = np.array([self.columns, self.rows]) - 0.5
        return np.asarray(((pixels >= -0.5) & (pixels <= limit)).all(axis=-1), dtype=np.bool_)

    def in_ras(self) -> SlicePlane:
        """The same slice with its position and steps in RAS mm, as NIfTI and Slicer write them."""
        origin, column_step, row_step = (
            swap_lps_ras(part) for part in (self.origin_lps, self.column_step_lps, self.row_step_lps)
        )
        return SlicePlane(origin, column_step, row_step, self.rows, self.columns)


def angle_degrees(first: SlicePlane, second: SlicePlane) -> float:
    """The angle between two planes, 0 to 90°."""
    sine = np.linalg.norm(np.cross(first.normal_lps, second.normal_lps))
    return float(np.degrees(np.arctan2(sine, abs(first.normal_lps @ second.normal_lps))))


def are_near_parallel(
    first: SlicePlane, second: SlicePlane, least_degrees: float = NEAR_PARALLEL_DEGREES
) -> bool:
    """Whether two planes meet at so small an angle that their line says nothing."""
    return angle_degrees(first, second) < least_degrees


def line_of(host: SlicePlane, guide: SlicePlane) -> tuple[FloatArray, FloatArray]:
    """A point of the line that both planes, taken as endless, share, and its unit direction; `(3,)` LPS mm each.

    The point is the nearest to the middle of the host. Raises VolumeError where the planes are near-parallel.
    """
    if are_near_parallel(host, guide):
        raise VolumeError(
            f"The planes meet at {angle_degrees(host, guide):.1f}°; under {NEAR_PARALLEL_DEGREES:g}° they have no line."
        )
    direction = np.cross(host.normal_lps, guide.normal_lps)
    direction /= np.linalg.norm(direction)
    across = np.cross(direction, host.normal_lps)
    distance = guide.normal_lps @ (guide.origin_lps - host.center_lps)
    point: FloatArray = host.center_lps + across * (distance / (across @ guide.normal_lps))
    return point, direction


def signed_distance_mm(host: SlicePlane, guide: SlicePlane) -> FloatArray:
    """Distance `[rows, columns]` in mm, within the host, of each of its pixels from the line of the guide.

    Positive on the side that the guide's normal points to. Raises VolumeError where the planes are near-parallel.
    """
    point, direction = line_of(host, guide)
    across = np.cross(direction, host.normal_lps)
    across *= np.sign(across @ guide.normal_lps)
    # the pixels are a plane's: three numbers say the distance of all of them
    start = across @ (host.origin_lps - point)
    columns = np.arange(host.columns) * (across @ host.column_step_lps)
    rows = np.arange(host.rows) * (across @ host.row_step_lps)
    distance: FloatArray = start + rows[:, None] + columns[None, :]
    return distance


def seen_by_guide(host: SlicePlane, guide: SlicePlane) -> NDArray[np.bool_]:
    """For each pixel `[rows, columns]` of the host, whether the nearest point of the line lies within the guide's edges.

    Raises VolumeError where the planes are near-parallel.
    """
    point, direction = line_of(host, guide)
    along = (host.grid_lps() - point) @ direction
    nearest = point + along[..., None] * direction
    return guide.contains_pixels(guide.pixels_of(nearest))


def trace_of(host: SlicePlane, guide: SlicePlane) -> FloatArray | None:
    """The ends `(2, 2)` (column, row) of the line within the edges of both slices; None where they do not cut each other.

    None also where the planes are near-parallel.
    """
    if are_near_parallel(host, guide):
        return None
    point, direction = line_of(host, guide)
    low, high = -np.inf, np.inf
    for plane in (host, guide):
        start = plane.pixels_of(point)
        slope = plane.pixels_of(point + direction) - start
        bounds = (-0.5, np.array([plane.columns, plane.rows]) - 0.5)
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.sort([(bound - start) / slope for bound in bounds], axis=0)
        outside = (start < bounds[0]) | (start > bounds[1])
        still = np.abs(slope) < 1e-12
        if (still & outside).any():
            return None
        low = max(low, *np.where(still, -np.inf, ends[0]))
        high = min(high, *np.where(still, np.inf, ends[1]))
    if not low < high:
        return None
    return host.pixels_of(point + np.array([[low], [high]]) * direction)


def line_width_mm(thickness_mm: float | None, least_mm: float = 6.0) -> float:
    """The standard deviation of a heat map about the line of a slice: half its thickness, at least `least_mm`.

    The width is the guide's thickness in CMR_plan (Wei et al., MICCAI 2021); a floor keeps thin slices learnable.

    >>> line_width_mm(16.0), line_width_mm(None)
    (8.0, 6.0)
    """
    return max(least_mm, 0.5 * (thickness_mm or 0.0))


def heat_map(distance_mm: FloatArray, sd_mm: float) -> FloatArray:
    """1 on a line, falling off as a Gaussian of the standard deviation `sd_mm` with the distance from it.

    >>> heat_map(np.array([0.0, 6.0]), 6.0).round(3).tolist()
    [1.0, 0.607]
    """
    heat: FloatArray = np.exp(-np.square(distance_mm) / (2 * sd_mm**2))
    return heat
