"""Lesions put into real scans: their places, shapes, contrasts and diameters are known exactly.

Semi-synthetic: the anatomy is real, the lesions are not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from ..core.feret import longest_diameter, perpendicular_diameter
from ..core.volume import Volume
from ..tracking.slices import in_plane_axes

SAMPLES_ALONG = 3
"""Samples along each axis of a voxel, for the part of it that a lesion fills."""
BLUR_VOXELS = 0.4
"""Standard deviation of a scanner's blur."""
AERATED_HU = -500.0
"""Where the surroundings are darker, a lesion replaces them instead of being added."""
SOLID_HU, SOLID_NOISE_HU = 30.0, 15.0
TRUTH_PIXEL_MM = 0.15
SPICULES = 14
SPICULE_LENGTH, SPICULE_SHARPNESS = 0.35, 120.0


@dataclass(frozen=True, eq=False)
class Shape:
    """A lesion's shape: half axes `(3,)` mm along the columns of `turned` `(3, 3)`, and the directions of its spicules."""

    half_axes_mm: np.ndarray
    turned: np.ndarray
    spicules: np.ndarray

    @classmethod
    def random(cls, kind: str, diameter_mm: float, random: np.random.Generator) -> Shape:
        """A sphere, ellipsoid or spiculated sphere whose longest diameter without spicules is `diameter_mm`."""
        turned = np.linalg.qr(random.normal(size=(3, 3)))[0]
        ratios = np.array([1.0, random.uniform(0.6, 0.9), random.uniform(0.6, 0.9)])
        half = diameter_mm / 2 * (ratios if kind == "ellipsoid" else np.ones(3))
        directions = random.normal(size=(SPICULES if kind == "spiculated" else 0, 3))
        return cls(half, turned, directions / np.linalg.norm(directions, axis=1, keepdims=True))

    def grown(self, times: float) -> Shape:
        """The same shape, so many times as large."""
        return replace(self, half_axes_mm=self.half_axes_mm * times)

    @property
    def reach_mm(self) -> float:
        """No part of it is farther from its centre."""
        return float(self.half_axes_mm.max()) * (1 + SPICULE_LENGTH * bool(len(self.spicules)))

    def contains(self, steps_mm: np.ndarray) -> np.ndarray:
        """Whether steps `(..., 3)` mm from its centre end in it."""
        radius = np.linalg.norm(steps_mm @ (self.turned / self.half_axes_mm), axis=-1)
        if not len(self.spicules):
            return radius <= 1
        direction = steps_mm / np.maximum(np.linalg.norm(steps_mm, axis=-1, keepdims=True), 1e-9)
        cosine = np.clip(direction @ self.spicules.T, -1, 1).max(axis=-1)
        return radius <= 1 + SPICULE_LENGTH * np.exp(SPICULE_SHARPNESS * (cosine - 1))

    def diameters(self, volume: Volume, centre_lps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ends `(2, 3)` LPS mm of the longest diameter and of the one across it, in the slice where it is largest.

        Spicules do not count, as radiologists leave them out.
        """
        body = replace(self, spicules=np.zeros((0, 3)))
        along, down = in_plane_axes(volume)
        index = volume.index_from_lps(centre_lps)
        # the cuts of an ellipsoid are the larger the nearer to its centre they lie
        shift = (np.clip(np.rint(index[2]), 0, volume.size_ijk[2] - 1) - index[2]) * volume.ijk_to_lps[:3, 2]
        reach = np.arange(-self.reach_mm, self.reach_mm + TRUTH_PIXEL_MM, TRUTH_PIXEL_MM)
        plane = reach[None, :, None] * along + reach[:, None, None] * down
        mask = body.contains(shift + plane)
        if not mask.any():
            # smaller than the slices are apart, or beyond the last one
            shift, mask = np.zeros(3), body.contains(plane)
        long = longest_diameter(mask, TRUTH_PIXEL_MM)
        short = perpendicular_diameter(mask, TRUTH_PIXEL_MM, long)
        places = [
            (part - self.reach_mm) @ np.stack([along, down]) + shift + centre_lps for part in (long, short)
        ]
        return places[0], places[1]


def inserted(
    volume: Volume, shape: Shape, centre_lps: np.ndarray, contrast_hu: float, random: np.random.Generator
) -> Volume:
    """A scan with a lesion in it: `contrast_hu` on top of soft tissue, solid where the surroundings are aerated."""
    box, index = _box(volume, centre_lps, shape.reach_mm + 3 * float(volume.spacing_mm.max()))
    if box is None:
        return volume
    part = _filled_part(volume, shape, centre_lps, index)
    array = volume.array.copy()
    values = array[box].astype(np.float32)
    if np.median(values) < AERATED_HU:
        texture = gaussian_filter(random.normal(size=values.shape), 0.7) * SOLID_NOISE_HU * 3
        values = values * (1 - part) + (SOLID_HU + texture) * part
    else:
        values = values + contrast_hu * part
    array[box] = np.clip(np.rint(values), *volume.modality.intensity_range).astype(array.dtype)
    return replace(volume, array=array)


def _box(
    volume: Volume, centre_lps: np.ndarray, reach_mm: float
) -> tuple[tuple[slice, ...] | None, tuple[np.ndarray, ...]]:
    """The voxels around a place as slices `[z, y, x]`, and their indices along i, j, k; None outside the scan."""
    index = volume.index_from_lps(centre_lps)
    reach = reach_mm / volume.spacing_mm
    low = np.maximum(np.floor(index - reach), 0).astype(int)
    high = np.minimum(np.ceil(index + reach) + 1, volume.size_ijk).astype(int)
    if (low >= high).any():
        return None, ()
    ranges = tuple(np.arange(a, b) for a, b in zip(low, high, strict=True))
    return tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True)), ranges


def _filled_part(
    volume: Volume, shape: Shape, centre_lps: np.ndarray, index: tuple[np.ndarray, ...]
) -> np.ndarray:
    """Which part of each voxel a lesion fills, blurred as a scanner does, `[z, y, x]`."""
    offsets = (np.arange(SAMPLES_ALONG) + 0.5) / SAMPLES_ALONG - 0.5
    i, j, k = index
    filled = np.zeros((len(k), len(j), len(i)), dtype=np.float32)
    for dk in offsets:
        for dj in offsets:
            for di in offsets:
                grid = np.stack(np.meshgrid(k + dk, j + dj, i + di, indexing="ij")[::-1], axis=-1)
                filled += shape.contains(volume.lps_from_index(grid) - centre_lps)
    return gaussian_filter(filled / SAMPLES_ALONG**3, BLUR_VOXELS)


def background(volume: Volume, centre_lps: np.ndarray, radius_mm: float) -> tuple[float, float]:
    """Median and robust standard deviation (HU) of a scan around a place."""
    box, _index = _box(volume, centre_lps, radius_mm)
    values = volume.array[box] if box is not None else np.zeros(1)
    median = float(np.median(values))
    return median, float(1.4826 * np.median(np.abs(values - median)))
