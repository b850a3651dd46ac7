"""SimpleITK: affine registration by mutual information."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...landmarks import LandmarkSet
from ...volume import CanonicalVolume, Volume
from .scans import body, centers_offset_lps, itk_image, mapped_points

if TYPE_CHECKING:
    import SimpleITK as sitk

BINS = 32
SAMPLED_SHARE = (0.4, 0.15, 0.05)
SHRINKING = (8, 4, 2)
SMOOTHING_MM = (8.0, 4.0, 2.0)
ITERATIONS = 200
TRIED_SHIFTS_MM = 24.0
"""Step of the shifts along the body that are tried at the beginning, three to each side."""


class SimpleItkAffine:
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
    method.SetMetricSamplingPercentagePerLevel(SAMPLED_SHARE, 1)
    method.SetShrinkFactorsPerLevel(SHRINKING)
    method.SetSmoothingSigmasPerLevel(SMOOTHING_MM)
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
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


def _first_shift(fixed: sitk.Image, moving: sitk.Image, offset_lps: np.ndarray) -> np.ndarray:
    """The best of some shifts along the body: scans of different patients begin and end at different heights."""
    import SimpleITK as sitk

    small = [sitk.Shrink(sitk.SmoothingRecursiveGaussian(image, 6.0), [4] * 3) for image in (fixed, moving)]
    tried = [offset_lps + [0.0, 0.0, step * TRIED_SHIFTS_MM] for step in range(-3, 4)]
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
