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

from ..geometry import spacing_of
from ..landmarks import LandmarkSet
from ..volume import Volume
from .warp import SmoothWarp

AIR_HU = -1024
_SLICE_AXIS = 2


@dataclass(frozen=True)
class SyntheticSettings:
    """How a semi-synthetic follow-up differs from its template.

    Per axis: `displacement_sd_mm` of the smooth deformation with control points `control_spacing_mm` apart.
    The patient lies `shift_mm` away in a random direction; the scan is tilted by `tilt_degrees` about a
    random axis, its rows and slices run the other way, its spacing is the template's times `spacing_factor`,
    `noise_hu` is added.
    """

    displacement_sd_mm: float = 4.0
    control_spacing_mm: float = 60.0
    shift_mm: float = 30.0
    tilt_degrees: float = 5.0
    spacing_factor: tuple[float, float, float] = (1.1, 1.1, 1.3)
    noise_hu: float = 15.0


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
    settings: SyntheticSettings = SyntheticSettings(),
) -> SyntheticTarget:
    """A deformed, resampled, noisy copy of `template`, and where each landmark went."""
    shift = _unit_vector(random) * settings.shift_mm
    ijk_to_lps, size_ijk = _target_grid(template, shift, random, settings)
    warp = SmoothWarp.random(
        ijk_to_lps, size_ijk, shift, settings.displacement_sd_mm, settings.control_spacing_mm, random
    )
    array = _pull_back(template, warp)
    array += random.normal(scale=settings.noise_hu, size=array.shape).astype(np.float32)
    volume = Volume(
        array=np.clip(np.round(array), AIR_HU, 3071).astype(np.int16),
        ijk_to_lps=ijk_to_lps,
        name=f"{template.name}-warped",
        source=None,
        warnings=(),
    )
    return SyntheticTarget(volume, warp.target_from_template(landmarks.positions_lps))


def _target_grid(
    template: Volume, shift: np.ndarray, random: np.random.Generator, settings: SyntheticSettings
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """A grid of the template's extent around its shifted centre, tilted, with rows and slices reversed."""
    factor = np.asarray(settings.spacing_factor)
    size = np.maximum(4, np.ceil(np.asarray(template.size_ijk) / factor).astype(int))
    centre = template.lps_from_index((np.asarray(template.size_ijk) - 1) / 2) + shift
    tilt = _rotation(_unit_vector(random), settings.tilt_degrees)
    axes = tilt @ template.ijk_to_lps[:3, :3]
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = axes * factor * (1, -1, -1)
    ijk_to_lps[:3, 3] = centre - ijk_to_lps[:3, :3] @ ((size - 1) / 2)
    return ijk_to_lps, tuple(size.tolist())


def _pull_back(template: Volume, warp: SmoothWarp) -> np.ndarray:
    """The template's HU, float32, at the places that the warp gives for each target voxel; air outside."""
    # Counted from air, because that is what grid_sample's zeros outside the template then stand for.
    source = torch.from_numpy(_blurred_for(template, warp) - AIR_HU)[None, None]
    array = np.empty(warp.size_ijk[::-1], dtype=np.float32)
    for slab, template_lps in warp.slabs():
        index_ijk = template.index_from_lps(template_lps)
        grid = torch.from_numpy((2 * index_ijk + 1) / np.asarray(template.size_ijk) - 1).float()[None]
        array[slab] = (
            torch.nn.functional.grid_sample(source, grid, align_corners=False)[0, 0].numpy() + AIR_HU
        )
    return array


def _blurred_for(template: Volume, warp: SmoothWarp) -> np.ndarray:
    """The template's HU, float32, blurred along each axis as far as the target's voxels are larger."""
    larger = spacing_of(warp.ijk_to_lps) / template.spacing_mm
    variance_ijk = 0.25 * np.maximum(larger**2 - 1, 0)
    image = sitk.GetImageFromArray(np.clip(template.array, AIR_HU, 3071).astype(np.float32))
    return sitk.GetArrayFromImage(sitk.DiscreteGaussian(image, variance_ijk.tolist()))


def cropped_target(
    target: SyntheticTarget, random: np.random.Generator, keep: float = 0.5
) -> SyntheticTarget:
    """The same target with only the lower or the upper part of its slices."""
    volume = target.volume
    kept = max(4, round(volume.size_ijk[_SLICE_AXIS] * keep))
    start = int(random.integers(2)) * (volume.size_ijk[_SLICE_AXIS] - kept)
    ijk_to_lps = volume.ijk_to_lps.copy()
    ijk_to_lps[:3, 3] = volume.lps_from_index(np.array((0, 0, start)))
    part = replace(
        volume,
        array=volume.array[start : start + kept].copy(),
        ijk_to_lps=ijk_to_lps,
        name=f"{volume.name}-cropped",
    )
    return SyntheticTarget(part, target.positions_lps)


def _unit_vector(random: np.random.Generator) -> np.ndarray:
    direction = random.normal(size=3)
    return direction / np.linalg.norm(direction)


def _rotation(axis: np.ndarray, degrees: float) -> np.ndarray:
    """3x3 rotation about a unit axis (Rodrigues' formula)."""
    cross, angle = np.cross(np.eye(3), axis), np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
