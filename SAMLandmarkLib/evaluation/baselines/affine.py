"""SimpleITK: affine registration by mutual information."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...core.landmarks import LandmarkSet
from ...core.volume import CanonicalVolume, Volume
from .baseline import Baseline
from .scans import body, centers_offset_lps, itk_image, mapped_points

if TYPE_CHECKING:
    import SimpleITK as sitk

BINS = 32
LEVELS = ((8, 8.0), (4, 4.0), (2, 2.0))
"""Of each level, coarse to fine: by how much the images are shrunk, and smoothed in mm."""
SAMPLES = 30000
FEWEST_SAMPLES = 3000
"""A level that has fewer voxels than this is left out."""
ITERATIONS = 200
TRIED_SHIFTS_MM = 24.0
TRIED_SHIFTS = 3
LARGEST_SHIFT = 0.3
"""Shifts along the body that are tried at the beginning: their step, how many to each side, and their largest part of
the shorter scan, since mutual information prefers small overlaps."""


class SimpleItkAffine(Baseline):
    """Mattes mutual information, affine, coarse to fine, from the best of some shifts along the body."""

    modules = ("SimpleITK",)

    def transfer(self, template: Volume, landmarks: LandmarkSet, target: Volume) -> np.ndarray:
        return mapped_points(affine_registration(body(template), body(target)), landmarks.positions_lps)


def affine_registration(template: CanonicalVolume, target: CanonicalVolume) -> sitk.Transform:
    """The affine map from points of the template to points of the target, LPS mm."""
    import SimpleITK as sitk

    fixed, moving = itk_image(template), itk_image(target)
    start = sitk.AffineTransform(3)
    start.SetCenter((template.grid.lps_from_index(np.array(template.grid.size_ijk) / 2)).tolist())
    start.SetTranslation(_first_shift(fixed, moving, centers_offset_lps(template, target)).tolist())
    method = mutual_information()
    set_levels(method, fixed, LEVELS, SAMPLES)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=4.0, minStep=0.02, numberOfIterations=ITERATIONS, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(fixed, moving)
    return start


def mutual_information() -> sitk.ImageRegistrationMethod:
    """A registration by Mattes mutual information, which leaves out what falls outside the moving image."""
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def set_levels(
    method: sitk.ImageRegistrationMethod,
    fixed: sitk.Image,
    levels: Sequence[tuple[int, float]],
    samples: int,
) -> int:
    """Have a registration go through the levels that have enough voxels, about so many `samples` in each; their number."""
    voxels = [fixed.GetNumberOfPixels() / shrink**3 for shrink, _ in levels]
    used = [number for number, count in enumerate(voxels) if count >= FEWEST_SAMPLES] or [len(levels) - 1]
    method.SetShrinkFactorsPerLevel([levels[number][0] for number in used])
    method.SetSmoothingSigmasPerLevel([levels[number][1] for number in used])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetMetricSamplingPercentagePerLevel([min(1.0, samples / voxels[number]) for number in used], 1)
    return len(used)


def _first_shift(fixed: sitk.Image, moving: sitk.Image, offset_lps: np.ndarray) -> np.ndarray:
    """The best of some shifts along the body: scans of different patients begin and end at different heights."""
    import SimpleITK as sitk

    length_mm = min(image.GetSize()[2] * image.GetSpacing()[2] for image in (fixed, moving))
    steps = min(TRIED_SHIFTS, int(LARGEST_SHIFT * length_mm / TRIED_SHIFTS_MM))
    small = [sitk.Shrink(sitk.SmoothingRecursiveGaussian(image, 6.0), [4] * 3) for image in (fixed, moving)]
    tried = [offset_lps + [0.0, 0.0, step * TRIED_SHIFTS_MM] for step in range(-steps, steps + 1)]
    values = []
    for shift in tried:
        method = mutual_information()
        method.SetMetricSamplingStrategy(method.NONE)
        method.SetInitialTransform(sitk.TranslationTransform(3, shift.tolist()))
        try:
            values.append(method.MetricEvaluate(*small))
        except RuntimeError:
            # too little of the images overlaps
            values.append(np.inf)
    return tried[int(np.argmin(values))] if np.isfinite(values).any() else offset_lps
