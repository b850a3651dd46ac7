"""SimpleITK: affine, then B-spline registration by mutual information."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...core.landmarks import LandmarkSet
from ...core.volume import CanonicalVolume, Volume
from .affine import affine_registration, mutual_information, set_levels
from .baseline import Baseline
from .scans import body, itk_image, mapped_points

if TYPE_CHECKING:
    import SimpleITK as sitk

CONTROL_MM = 80.0
"""Distance of the control points at the coarsest level; it is halved twice."""
LEVELS = ((4, 4.0), (2, 2.0), (1, 0.0))
SAMPLES = 50000
ITERATIONS = 30
LINE_SEARCH = 8


class SimpleItkBspline(Baseline):
    """An affine map, then a B-spline of 80, 40 and 20 mm, both by Mattes mutual information."""

    modules = ("SimpleITK",)

    def transfer(self, template: Volume, landmarks: LandmarkSet, target: Volume) -> np.ndarray:
        scans = body(template), body(target)
        transform = bspline_registration(*scans, affine_registration(*scans))
        return mapped_points(transform, landmarks.positions_lps)


def bspline_registration(
    template: CanonicalVolume, target: CanonicalVolume, affine: sitk.Transform
) -> sitk.Transform:
    """The affine map after a B-spline that bends the template's space, from template to target, LPS mm."""
    import SimpleITK as sitk

    fixed, moving = itk_image(template), itk_image(target)
    extent_mm = np.array(fixed.GetSize()) * template.grid.spacing_mm
    mesh = np.maximum(1, np.rint(extent_mm / CONTROL_MM)).astype(int)
    bspline = sitk.BSplineTransformInitializer(fixed, mesh.tolist())
    method = mutual_information()
    levels = set_levels(method, fixed, LEVELS, SAMPLES)
    method.SetOptimizerAsLBFGS2(
        numberOfIterations=ITERATIONS,
        lineSearchMaximumEvaluations=LINE_SEARCH,
        deltaConvergenceTolerance=1e-4,
    )
    # the moving image itself is sampled through the affine map: what lies outside it is left out, not air
    method.SetMovingInitialTransform(affine)
    method.SetInitialTransformAsBSpline(
        bspline, inPlace=True, scaleFactors=[2**level for level in range(levels)]
    )
    found = method.Execute(fixed, moving)
    return sitk.CompositeTransform([affine, found])
