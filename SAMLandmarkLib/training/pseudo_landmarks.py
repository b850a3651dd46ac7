"""Landmarks of a CT that thresholds find by themselves: they validate a training without anybody's points.

Lung apices, diaphragm domes, the carina, and the tops of the iliac crests, from masks of the lungs,
the airway and the bones. Each is searched for where the scan shows it and left out where the masks are not plausible.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

BODY_FROM_HU = -350
LUNG_BELOW_HU = -500
AIRWAY_BELOW_HU = -900
BONE_FROM_HU = 180
LEAST_LUNG_ML, LEAST_HIP_ML = 300.0, 60.0
MIDLINE_MM, AIRWAY_MM = 35.0, 20.0
EDGE_MM = 12.0
"""What lies this near to the first or last slice may be cut off by the field of view."""
HIP_HEIGHT_MM = (90.0, 330.0)


def pseudo_landmarks(hu: np.ndarray, spacing_mm: float) -> dict[str, np.ndarray]:
    """Names and positions `(3,)` (x,y,z), in voxels, of what is found in HU `[z,y,x]` on an LPS grid."""
    body = _largest(hu > BODY_FROM_HU)
    if body is None:
        return {}
    filled = np.stack(
        [ndimage.binary_fill_holes(piece) for piece in ndimage.binary_closing(body, iterations=2)]
    )
    lungs = _lungs(hu, filled, spacing_mm)
    found = {}
    for side, mask in lungs.items():
        found |= _lung_points(mask, side, spacing_mm)
    if len(lungs) == 2:
        found |= _carina((hu < AIRWAY_BELOW_HU) & filled, lungs, spacing_mm)
    lowest = min((np.flatnonzero(mask.any(axis=(1, 2)))[0] for mask in lungs.values()), default=None)
    return found | _iliac_crests(hu, body, lowest, spacing_mm)


def _largest(mask: np.ndarray) -> np.ndarray | None:
    labels, count = ndimage.label(mask)
    if count == 0:
        return None
    return labels == np.bincount(labels.ravel())[1:].argmax() + 1


def _lungs(hu: np.ndarray, filled: np.ndarray, spacing_mm: float) -> dict[str, np.ndarray]:
    """Masks of the right and left lung that are large enough; in LPS the right one has the smaller x."""
    air = filled & (hu < LUNG_BELOW_HU) & ~ndimage.binary_dilation(~filled)
    core = ndimage.binary_erosion(ndimage.binary_opening(air, iterations=2), iterations=2)
    labels, _ = ndimage.label(core)
    ml = spacing_mm**3 / 1000
    sizes = np.bincount(labels.ravel()) * ml
    sizes[0] = 0
    large = [label for label in np.argsort(sizes)[::-1][:2] if sizes[label] > LEAST_LUNG_ML]
    masks = [labels == label for label in large]
    axis = ndimage.center_of_mass(filled)[2]
    if len(masks) == 1:  # joined by the airway or across the midline
        offset = (np.arange(air.shape[2]) - axis) * spacing_mm
        sides = (masks[0] & (offset < -AIRWAY_MM), masks[0] & (offset > AIRWAY_MM))
        masks = [side for side in map(_largest, sides) if side is not None]
    middles = [ndimage.center_of_mass(mask)[2] for mask in masks if mask.sum() * ml > LEAST_LUNG_ML / 2]
    if len(middles) != 2 or not min(middles) < axis < max(middles):
        return {}
    ordered = sorted(zip(middles, masks, strict=True), key=lambda pair: pair[0])
    return {side: mask for side, (_, mask) in zip(("right", "left"), ordered, strict=True)}


def _lung_points(mask: np.ndarray, side: str, spacing_mm: float) -> dict[str, np.ndarray]:
    """Apex of one lung and dome of the diaphragm below it, as far as the field of view shows them."""
    margin = EDGE_MM / spacing_mm
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    found = {}
    if slices[-1] < len(mask) - margin:
        found[f"lung_apex_{side}"] = _top_of(mask, slices[-1] - 1)
    if slices[0] > margin:
        found[f"diaphragm_{side}"] = _dome(mask)
    return found


def _top_of(mask: np.ndarray, level: int) -> np.ndarray:
    """The middle (x,y,z) of what lies at a slice and above it."""
    return (np.argwhere(mask[level:]).mean(axis=0) + [level, 0, 0])[::-1]


def _dome(mask: np.ndarray) -> np.ndarray:
    """The highest place of the lung's lower surface, under its inner two thirds."""
    lower = np.where(mask.any(axis=0), mask.argmax(axis=0), -1)
    inner = ndimage.binary_erosion(lower >= 0, iterations=8)
    heights = np.where(inner, ndimage.gaussian_filter(lower.astype(float), 2.0), -1)
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    heights[heights > (slices[0] + slices[-1]) / 2] = -1  # under the hilum or the apex alone
    y, x = np.unravel_index(heights.argmax(), heights.shape)
    return np.array([x, y, heights[y, x]])


def _carina(air: np.ndarray, lungs: dict[str, np.ndarray], spacing_mm: float) -> dict[str, np.ndarray]:
    """Where the airway between the lungs, followed downwards, becomes two."""
    middle = [ndimage.center_of_mass(mask) for mask in lungs.values()]
    x_mid = (middle[0][2] + middle[1][2]) / 2
    reach = int(45 / spacing_mm)
    left, right = int(x_mid) - reach, int(x_mid) + reach
    inside = ~ndimage.binary_dilation(lungs["right"] | lungs["left"], iterations=3)
    air = air & inside
    air[:, :, : max(left, 0)] = False
    air[:, :, right:] = False
    top = min(np.flatnonzero(mask.any(axis=(1, 2)))[-1] for mask in lungs.values())
    seeds = [_trachea(air[level], x_mid, spacing_mm) for level in range(top, top - int(40 / spacing_mm), -1)]
    start = next((index for index, seed in enumerate(seeds) if seed is not None), None)
    return {} if start is None else _followed(air, top - start, seeds[start], spacing_mm)


def _trachea(air: np.ndarray, x_mid: float, spacing_mm: float) -> np.ndarray | None:
    """The one round spot of air near the midline of a slice, of the size of a trachea."""
    labels, count = ndimage.label(air)
    for label in range(1, count + 1):
        spot = labels == label
        area = spot.sum() * spacing_mm**2
        if 60 < area < 600 and abs(ndimage.center_of_mass(spot)[1] - x_mid) * spacing_mm < 30:
            return spot
    return None


def _followed(air: np.ndarray, level: int, spot: np.ndarray, spacing_mm: float) -> dict[str, np.ndarray]:
    for below in range(level - 1, max(level - int(160 / spacing_mm), 0), -1):
        labels, _ = ndimage.label(air[below])
        touched = [n for n in np.unique(labels[ndimage.binary_dilation(spot)]) if n > 0]
        spots = [labels == n for n in touched if (labels == n).sum() * spacing_mm**2 > 30]
        if len(spots) >= 2:
            y, x = np.mean([ndimage.center_of_mass(part) for part in spots[:2]], axis=0)
            return {"carina": np.array([x, y, below])}
        if not spots:
            return {}
        spot = spots[0]
    return {}


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
        hip = _largest(bone & columns)
        if hip is None or hip.sum() * spacing_mm**3 / 1000 < LEAST_HIP_ML:
            continue
        slices = np.flatnonzero(hip.any(axis=(1, 2)))
        height = (slices[-1] - slices[0]) * spacing_mm
        if HIP_HEIGHT_MM[0] < height < HIP_HEIGHT_MM[1] and slices[-1] < len(hu) - EDGE_MM / spacing_mm:
            found[f"iliac_crest_{side}"] = _top_of(hip, slices[-1] - 1)
    return found
