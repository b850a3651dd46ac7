"""Points for semi-synthetic pairs: random places on edges between tissues inside a body."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..core.landmarks import LandmarkSet
from ..core.modality import Modality
from ..core.volume import Volume
from ..utils.errors import UsageError

_SPACING_MM = 3.0
_FLAT_SPACING_MM = 1.2
_SKIN_VOXELS = 3
_OPENING_VOXELS = 2
_EDGE_PERCENTILE = 85
_DRAWS = 200_000
_EDGE_HU = (-1000, 500)
"""What is denser is bone or metal, whose edges would outdo all others."""


def edge_points(
    volume: Volume, count: int, random: np.random.Generator, apart_mm: float = 12.0
) -> LandmarkSet:
    """Up to `count` random points on edges inside the body, at least `apart_mm` from each other.

    Raises UsageError where the scan shows no body with edges in it.
    """
    flat = volume.modality.spatial_axes == 2
    canonical = volume.canonical(_FLAT_SPACING_MM if flat else _SPACING_MM)
    edges = edges_in_plane(canonical.array) if flat else inner_edges(canonical.array, volume.modality)
    # Drawn over the whole grid, so that a voxel more or less in the mask doesn't change all the other points.
    drawn = random.uniform(-0.5, np.array(canonical.grid.size_ijk) - 0.5, size=(_DRAWS, 3))
    i, j, k = np.round(drawn).astype(int).T
    if flat:
        drawn[:, 2] = 0
    points = canonical.grid.lps_from_index(drawn[edges[k, j, i]])
    chosen = _apart(points[volume.distance_to_border_mm(points) > _SPACING_MM], count, apart_mm)
    if not chosen:
        raise UsageError(
            f"{volume.name}: no edges found inside a body, so no semi-synthetic pair can be made from it; "
            "leave it out."
        )
    return LandmarkSet.from_points([f"e{index:03d}" for index in range(1, len(chosen) + 1)], np.array(chosen))


def edges_in_plane(array: np.ndarray) -> np.ndarray:
    """Mask of the steepest pixels of an image `[1, y, x]`, away from its border."""
    steepness = sitk.GetArrayFromImage(
        sitk.GradientMagnitudeRecursiveGaussian(sitk.GetImageFromArray(array[0].astype(np.float32)), 1.0)
    )
    inside = np.zeros(steepness.shape, dtype=bool)
    inside[_SKIN_VOXELS:-_SKIN_VOXELS, _SKIN_VOXELS:-_SKIN_VOXELS] = True
    return (inside & (steepness >= np.percentile(steepness, _EDGE_PERCENTILE)))[None]


def inner_edges(array: np.ndarray, modality: Modality) -> np.ndarray:
    """Mask of the steepest voxels inside the body, away from its skin, of an array `[z, y, x]`."""
    inside = sitk.GetArrayFromImage(sitk.BinaryErode(_body(array, modality), [_SKIN_VOXELS] * 3)) > 0
    if not inside.any():
        return inside
    tissue = sitk.GetImageFromArray(np.clip(array, *_EDGE_HU).astype(np.float32))
    steepness = sitk.GetArrayFromImage(sitk.GradientMagnitudeRecursiveGaussian(tissue, 1.0))
    return inside & (steepness >= np.percentile(steepness[inside], _EDGE_PERCENTILE))


def _body(array: np.ndarray, modality: Modality) -> sitk.Image:
    """The largest solid thing in the scan, which isn't the table; lungs and bowel filled slice by slice."""
    threshold = -np.inf if modality.body.threshold is None else modality.body.threshold
    solid = sitk.GetImageFromArray((array > threshold).astype(np.uint8))
    opened = sitk.BinaryMorphologicalOpening(solid, [_OPENING_VOXELS] * 3)
    largest = sitk.RelabelComponent(sitk.ConnectedComponent(opened), sortByObjectSize=True) == 1
    return sitk.JoinSeries([sitk.BinaryFillhole(largest[:, :, k]) for k in range(largest.GetSize()[2])])


def _apart(points: np.ndarray, count: int, apart_mm: float) -> list[np.ndarray]:
    chosen: list[np.ndarray] = []
    for point in points:
        if len(chosen) == count:
            break
        if all(np.linalg.norm(point - other) >= apart_mm for other in chosen):
            chosen.append(point)
    return chosen
