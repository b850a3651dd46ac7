"""ConvexAdam with MIND features, after an affine registration."""

from __future__ import annotations

import numpy as np

from ...core.landmarks import LandmarkSet
from ...core.volume import CanonicalVolume, Volume
from .affine import affine_registration
from .baseline import Baseline
from .scans import air_of, body_at, itk_image, mapped_points

DIVISOR = 6
"""The sides are filled up to multiples of its coarse grid, which it does not round itself."""


class ConvexAdam(Baseline):
    """`convex_adam_pt` as it comes, on the template's body at `spacing_mm`, with the target brought there by an affine map."""

    modules = ("convexAdam", "SimpleITK")

    def __init__(self, spacing_mm: float) -> None:
        self.spacing_mm = spacing_mm

    def transfer(self, template: Volume, landmarks: LandmarkSet, target: Volume) -> np.ndarray:
        import torch
        from convexAdam.convex_adam_MIND import convex_adam_pt

        fixed, moving = body_at(template, self.spacing_mm), body_at(target, self.spacing_mm)
        affine = affine_registration(fixed, moving)
        arrays = [_padded(array, air_of(fixed)) for array in (fixed.array, _resampled(moving, fixed, affine))]
        displacement = convex_adam_pt(*arrays, dtype=torch.float32, device=torch.device("cpu"))
        return mapped_points(affine, _displaced(landmarks.positions_lps, displacement, fixed))


def _padded(array: np.ndarray, air: float) -> np.ndarray:
    return np.pad(array, [(0, -size % DIVISOR) for size in array.shape], constant_values=air)


def _resampled(moving: CanonicalVolume, fixed: CanonicalVolume, affine: object) -> np.ndarray:
    import SimpleITK as sitk

    image = sitk.Resample(itk_image(moving), itk_image(fixed), affine, sitk.sitkLinear, air_of(moving))
    return sitk.GetArrayFromImage(image)


def _displaced(points_lps: np.ndarray, displacement: np.ndarray, fixed: CanonicalVolume) -> np.ndarray:
    """Points `(n,3)` moved by displacements `[z,y,x,3]` in voxels along z, y, x, interpolated trilinearly."""
    from scipy.ndimage import map_coordinates

    kji = fixed.grid.index_from_lps(points_lps)[:, ::-1]
    step = [
        map_coordinates(displacement[..., axis], kji.T, order=1, mode="nearest", cval=np.nan)
        for axis in range(3)
    ]
    return fixed.grid.lps_from_index((kji + np.stack(step, axis=1))[:, ::-1])
