"""Cuts of a scan along its own slices, fine enough to measure small lesions in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.crops import sample_linear
from ..core.volume import Volume

FINEST_MM, COARSEST_MM, PIXELS_ALONG = 0.25, 1.0, 40.0
"""Side of a pixel: a lesion is about 40 of them long, within bounds."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A square part of a slice: float32 `values [rows, columns]` (NaN outside the scan) with pixels of `pixel_mm`.

    Columns run along the unit step `along`, rows along `down`, and `origin_lps` is the centre of the first pixel.
    """

    values: np.ndarray
    origin_lps: np.ndarray
    along: np.ndarray
    down: np.ndarray
    pixel_mm: float

    def lps_of(self, places_mm: np.ndarray) -> np.ndarray:
        """Places `(n, 2)` (column, row) in mm from the centre of the first pixel as LPS mm `(n, 3)`."""
        points: np.ndarray = self.origin_lps + places_mm[:, :1] * self.along + places_mm[:, 1:] * self.down
        return points

    def places_mm(self, points_lps: np.ndarray) -> np.ndarray:
        """Points `(n, 3)` LPS mm as places `(n, 2)` (column, row) in mm, laid onto the slice."""
        steps = np.reshape(points_lps, (-1, 3)) - self.origin_lps
        return np.stack([steps @ self.along, steps @ self.down], axis=1)

    def offsets_mm(self, centre_mm: np.ndarray) -> np.ndarray:
        """Steps `[rows, columns, 2]` (column, row) in mm from a place to all pixels."""
        rows, columns = self.values.shape
        grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) * self.pixel_mm
        offsets: np.ndarray = grid - centre_mm
        return offsets


def pixel_for(length_mm: float) -> float:
    """Side of a pixel in mm in which a lesion of a length is measured."""
    return float(np.clip(length_mm / PIXELS_ALONG, FINEST_MM, COARSEST_MM))


def slice_cut(
    volume: Volume, centre_lps: np.ndarray, half_width_mm: float, pixel_mm: float, slices: int = 0
) -> Cut:
    """The part of the slice nearest to a point (LPS mm), or so many `slices` after it, around that point."""
    index = volume.index_from_lps(centre_lps)
    index[2] = np.clip(np.rint(index[2]), 0, volume.size_ijk[2] - 1) + slices
    middle = volume.lps_from_index(index)
    along, down = in_plane_axes(volume)
    count = int(np.ceil(half_width_mm / pixel_mm))
    steps = np.arange(-count, count + 1) * pixel_mm
    points = middle + steps[None, :, None] * along + steps[:, None, None] * down
    return Cut(sample_linear(volume, points), points[0, 0], along, down, pixel_mm)


def in_plane_axes(volume: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Two unit steps `(3,)` in the plane of the slices at a right angle, the first along the rows of the image."""
    directions = volume.ijk_to_lps[:3, :2] / volume.spacing_mm[:2]
    along = directions[:, 0]
    down = directions[:, 1] - (directions[:, 1] @ along) * along
    return along, down / np.linalg.norm(down)
