"""Landmarks of a CT that thresholds find by themselves: they validate a training without anybody's points.

Lung apices, diaphragm domes, the carina, and the tops of the iliac crests, from masks of the lungs,
the airway and the bones. Each is searched for where the scan shows it and left out where the masks are not plausible.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..core.airway import carina
from ..core.lungs import BODY_FROM_HU, largest_part, lung_apices, lung_masks, slices_of

BONE_FROM_HU = 180
LEAST_HIP_ML = 60.0
MIDLINE_MM = 35.0
EDGE_MM = 12.0
"""What lies this near to the first or last slice may be cut off by the field of view."""
HIP_HEIGHT_MM = (90.0, 330.0)


def pseudo_landmarks(hu: np.ndarray, spacing_mm: float) -> dict[str, np.ndarray]:
    """Names and positions `(3,)` (x,y,z), in voxels, of what is found in HU `[z,y,x]` on an LPS grid."""
    body = largest_part(hu > BODY_FROM_HU)
    if body is None:
        return {}
    lungs = lung_masks(hu, spacing_mm)
    found = lung_apices(hu, lungs, 1, spacing_mm) | carina(hu, lungs, 1, spacing_mm)
    bases = {side: int(slices_of(mask)[0]) for side, mask in lungs.items()}
    for side, mask in lungs.items():
        if bases[side] > EDGE_MM / spacing_mm:
            found[f"diaphragm_{side}"] = _dome(mask)
    return found | _iliac_crests(hu, body, min(bases.values(), default=None), spacing_mm)


def _top_of(mask: np.ndarray, level: int) -> np.ndarray:
    """The middle (x,y,z) of what lies at a slice and above it."""
    return (np.argwhere(mask[level:]).mean(axis=0) + [level, 0, 0])[::-1]


def _dome(mask: np.ndarray) -> np.ndarray:
    """The highest place of the lung's lower surface, under its inner two thirds."""
    lower = np.where(mask.any(axis=0), mask.argmax(axis=0), -1)
    inner = ndimage.binary_erosion(lower >= 0, iterations=8)
    heights = np.where(inner, ndimage.gaussian_filter(lower.astype(float), 2.0), -1)
    slices = slices_of(mask)
    heights[heights > (slices[0] + slices[-1]) / 2] = -1  # under the hilum or the apex alone
    y, x = np.unravel_index(heights.argmax(), heights.shape)
    return np.array([x, y, heights[y, x]])


def _iliac_crests(
    hu: np.ndarray, body: np.ndarray, lung_base: int | None, spacing_mm: float
) -> dict[str, np.ndarray]:
    """The uppermost place of the largest bone beside the midline on each side, where it looks like a hip bone."""
    x_mid = ndimage.center_of_mass(body)[2]
    bone = body & (hu > BONE_FROM_HU)
    if lung_base is not None:
        bone[lung_base:] = False
    offset = (np.arange(hu.shape[2]) - x_mid) * spacing_mm
    found = {}
    for side, columns in (("right", offset < -MIDLINE_MM), ("left", offset > MIDLINE_MM)):
        hip = largest_part(bone & columns)
        if hip is None or hip.sum() * spacing_mm**3 / 1000 < LEAST_HIP_ML:
            continue
        slices = slices_of(hip)
        height = (slices[-1] - slices[0]) * spacing_mm
        if HIP_HEIGHT_MM[0] < height < HIP_HEIGHT_MM[1] and slices[-1] < len(hu) - EDGE_MM / spacing_mm:
            found[f"iliac_crest_{side}"] = _top_of(hip, slices[-1] - 1)
    return found
