"""The scans as the baselines get them: the body on an isotropic LPS grid of 2 mm, or coarser where the scan is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...core.modality import CT
from ...core.volume import CanonicalVolume, Volume
from ...embedding.prepared import PreparedVolume, body_mask

if TYPE_CHECKING:
    import SimpleITK as sitk

FINEST_MM = 2.0
AIR_HU = -1000.0


def body(volume: Volume) -> CanonicalVolume:
    """The part of a scan that holds the body, at the scan's finest spacing, but not finer than FINEST_MM."""
    return body_at(volume, max(FINEST_MM, float(volume.spacing_mm.min())))


def body_at(volume: Volume, spacing_mm: float) -> CanonicalVolume:
    """The part of a scan that holds the body, at any spacing."""
    return PreparedVolume.of(volume, spacing_mm).canonical


def air_of(scan: CanonicalVolume) -> float:
    """The value of what surrounds the body, in CT and in other modalities."""
    return AIR_HU if scan.modality.unit == CT.unit else scan.modality.padding_value


def center_of_mass_lps(scan: CanonicalVolume) -> np.ndarray:
    """Middle `(3,)` LPS mm of everything that is denser than the threshold of tissue."""
    tissue = body_mask(scan.array, scan.modality)
    if not tissue.any():
        return scan.grid.lps_from_index((np.array(scan.grid.size_ijk) - 1) / 2)
    counts = [tissue.sum(axis=axes) for axes in ((0, 1), (0, 2), (1, 2))]
    return scan.grid.lps_from_index([np.average(np.arange(len(count)), weights=count) for count in counts])


def centers_offset_lps(template: CanonicalVolume, target: CanonicalVolume) -> np.ndarray:
    """The shift `(3,)` mm that brings the middle of the template's body to that of the target's."""
    return center_of_mass_lps(target) - center_of_mass_lps(template)


def itk_image(scan: CanonicalVolume) -> sitk.Image:
    """The scan as an image of SimpleITK, which counts in LPS mm too."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(scan.array)
    image.SetSpacing([scan.grid.spacing_mm] * 3)
    image.SetOrigin(scan.grid.origin_lps.tolist())
    return image


def mapped_points(transform: sitk.Transform, points_lps: np.ndarray) -> np.ndarray:
    """Points `(n,3)` of the fixed image in the moving one; NaN stays NaN."""
    points = np.asarray(points_lps, dtype=float)
    moved = np.full_like(points, np.nan)
    for row in np.flatnonzero(np.isfinite(points).all(axis=1)):
        moved[row] = transform.TransformPoint(points[row].tolist())
    return moved
