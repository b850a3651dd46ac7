"""Semi-synthetic pairs: a real scan, and the same scan deformed, resampled and noisy, with exact answers.

Both scans hold the same anatomy, and even traces of the same noise, so such pairs are easier than real
follow-ups. They are good for what real pairs can't tell: errors below a reader's own, and points that are
certainly not there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
import torch

from ..core.geometry import spacing_of
from ..core.landmarks import LandmarkSet
from ..core.modality import Modality
from ..core.volume import Volume
from .warp import SmoothWarp


@dataclass(frozen=True)
class SyntheticSettings:
    """How a semi-synthetic follow-up differs from its template.

    Per axis: `displacement_sd_mm` of the smooth deformation with control points `control_spacing_mm` apart.
    The patient lies `shift_mm` away in a random direction; the scan is tilted by `tilt_degrees` about a
    random axis, its rows and slices run the other way, its spacing is the template's times `spacing_factor`,
    `noise`, in the unit of the modality, is added. An image of one slice is moved and deformed in its plane.
    """

    displacement_sd_mm: float = 4.0
    control_spacing_mm: float = 60.0
    shift_mm: float = 30.0
    tilt_degrees: float = 5.0
    spacing_factor: tuple[float, float, float] = (1.1, 1.1, 1.3)
    noise: float = 15.0

    @classmethod
    def of(cls, modality: Modality) -> SyntheticSettings:
        """Those for scans, or for radiographs, which are looked at more finely; noise is a part of grey values' range."""
        if modality.spatial_axes == 2:
            return cls(2.0, 40.0, 15.0, 5.0, (1.1, 1.1, 1.0), 0.02)
        return cls() if modality.stores_integers else cls(noise=0.02)


@dataclass(frozen=True)
class SyntheticTarget:
    """A target volume and the true position of each template landmark, `(n, 3)` LPS mm, in view or not."""

    volume: Volume
    positions_lps: np.ndarray

    @property
    def distances_to_border_mm(self) -> np.ndarray:
        """`(n,)` mm from the border of the field of view, negative outside."""
        return self.volume.distance_to_border_mm(self.positions_lps)


def synthetic_target(
    template: Volume,
    landmarks: LandmarkSet,
    random: np.random.Generator,
    settings: SyntheticSettings | None = None,
) -> SyntheticTarget:
    """A deformed, resampled, noisy copy of `template`, and where each landmark went."""
    modality = template.modality
    settings = settings or SyntheticSettings.of(modality)
    shift = _unit_vector(random, modality.spatial_axes) * settings.shift_mm
    ijk_to_lps, size_ijk = _target_grid(template, shift, random, settings)
    warp = SmoothWarp.random(
        ijk_to_lps, size_ijk, shift, settings.displacement_sd_mm, settings.control_spacing_mm, random
    )
    if modality.spatial_axes == 2:
        warp = replace(warp, coefficients=warp.coefficients * np.array([1.0, 1.0, 0.0])[:, None, None, None])
    array = _pull_back(template, warp)
    array += random.normal(scale=settings.noise, size=array.shape).astype(np.float32)
    values = np.clip(np.round(array) if modality.stores_integers else array, *modality.intensity_range)
    volume = Volume(
        array=values.astype(np.int16 if modality.stores_integers else np.float32),
        ijk_to_lps=ijk_to_lps,
        name=f"{template.name}-warped",
        modality=modality,
    )
    return SyntheticTarget(volume, warp.target_from_template(landmarks.positions_lps))


def _target_grid(
    template: Volume, shift: np.ndarray, random: np.random.Generator, settings: SyntheticSettings
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """A grid of the template's extent around its shifted centre, tilted, with rows and slices reversed."""
    axes_searched = template.modality.spatial_axes
    factor, least = np.asarray(settings.spacing_factor), np.array([4, 4, 4 if axes_searched == 3 else 1])
    size = np.maximum(least, np.ceil(np.asarray(template.size_ijk) / factor).astype(int))
    centre = template.lps_from_index((np.asarray(template.size_ijk) - 1) / 2) + shift
    axis = _unit_vector(random) if axes_searched == 3 else np.array([0.0, 0.0, 1.0])
    tilt = _rotation(axis, settings.tilt_degrees)
    axes = tilt @ template.ijk_to_lps[:3, :3]
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = axes * factor * (1, -1, -1 if axes_searched == 3 else 1)
    ijk_to_lps[:3, 3] = centre - ijk_to_lps[:3, :3] @ ((size - 1) / 2)
    return ijk_to_lps, tuple(size.tolist())


def _pull_back(template: Volume, warp: SmoothWarp) -> np.ndarray:
    """The template's values, float32, at the places that the warp gives for each target voxel; padding outside."""
    # Counted from the padding, because that is what grid_sample's zeros outside the template then stand for.
    outside = template.modality.padding_value
    source = torch.from_numpy(_blurred_for(template, warp) - np.float32(outside))[None, None]
    array = np.empty(warp.size_ijk[::-1], dtype=np.float32)
    for slab, template_lps in warp.slabs():
        index_ijk = template.index_from_lps(template_lps)
        grid = torch.from_numpy((2 * index_ijk + 1) / np.asarray(template.size_ijk) - 1).float()[None]
        sampled = torch.nn.functional.grid_sample(source, grid, align_corners=False)[0, 0].numpy()
        array[slab] = sampled + outside
    return array


def _blurred_for(template: Volume, warp: SmoothWarp) -> np.ndarray:
    """The template's values, float32, blurred along each axis as far as the target's voxels are larger."""
    larger = spacing_of(warp.ijk_to_lps) / template.spacing_mm
    variance_ijk = 0.25 * np.maximum(larger**2 - 1, 0)
    modality = template.modality
    values = np.clip(modality.normalised(template.array), *modality.intensity_range)
    image = sitk.GetImageFromArray(values.astype(np.float32))
    return sitk.GetArrayFromImage(sitk.DiscreteGaussian(image, variance_ijk.tolist()))


def cropped_target(
    target: SyntheticTarget, random: np.random.Generator, keep: float = 0.5
) -> SyntheticTarget:
    """The same target with only the lower or the upper part of its slices, of a radiograph of its rows."""
    volume = target.volume
    axis = volume.modality.spatial_axes - 1
    kept = max(4, round(volume.size_ijk[axis] * keep))
    start = int(random.integers(2)) * (volume.size_ijk[axis] - kept)
    first_ijk = np.where(np.arange(3) == axis, start, 0)
    ijk_to_lps = volume.ijk_to_lps.copy()
    ijk_to_lps[:3, 3] = volume.lps_from_index(first_ijk)
    part = replace(
        volume,
        array=volume.array.take(range(start, start + kept), axis=2 - axis),
        ijk_to_lps=ijk_to_lps,
        name=f"{volume.name}-cropped",
    )
    return SyntheticTarget(part, target.positions_lps)


def _unit_vector(random: np.random.Generator, spatial_axes: int = 3) -> np.ndarray:
    direction = random.normal(size=3) * (np.arange(3) < spatial_axes)
    return direction / np.linalg.norm(direction)


def _rotation(axis: np.ndarray, degrees: float) -> np.ndarray:
    """3x3 rotation about a unit axis (Rodrigues' formula)."""
    cross, angle = np.cross(np.eye(3), axis), np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
