"""The lungs in a CT by thresholds, and their apices, which no embedding of air tells from the air below them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BODY_FROM_HU = -350
LUNG_BELOW_HU = -500
LEAST_LUNG_ML = 300.0
AIRWAY_MM = 20.0
"""Lungs that are joined across the midline are cut apart this far beside it on each side."""
EDGE_MM = 8.0
"""What lies this near to the uppermost slice may be cut off by the field of view."""
APEX_SIDE_MM, APEX_BELOW_MM, APEX_ABOVE_MM = 24.0, 12.0, 24.0
"""Box around the top of a coarse mask in which the apex is looked for."""

FARTHEST_INWARDS = 0.75
"""How far an apex may lie from the middle of its lung towards the midline between both, as a share of the whole way."""

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


def lung_apices(
    hu: NDArray[Any], lungs: Mapping[str, BoolArray], step: int, spacing_mm: float
) -> dict[str, FloatArray]:
    """Uppermost places `(3,)` (x,y,z) of the `lung_apex_right` and `_left`, in voxels of HU `[z,y,x]` on an LPS grid.

    `lungs` are masks of every `step`th voxel along each axis, as `lung_masks` makes them. An apex that the field of view may have
    cut off is left out.
    """
    middles = {side: float(ndimage.center_of_mass(mask)[2]) * step for side, mask in lungs.items()}
    midline = sum(middles.values()) / 2
    apices = {}
    for side, mask in lungs.items():
        top = _apex(hu, mask, step, spacing_mm)
        # what lies near the midline is the top of an airway that is joined to the lung
        if top is not None and abs(top[0] - middles[side]) < FARTHEST_INWARDS * abs(midline - middles[side]):
            apices[f"lung_apex_{side}"] = top
    return apices


def lung_masks(hu: NDArray[Any], spacing_mm: float) -> dict[str, BoolArray]:
    """Masks of the `right` and `left` lung without their rim; in LPS the right one has the smaller x. Both or neither."""
    body = largest_part(hu > BODY_FROM_HU)
    if body is None:
        return {}
    rounds = max(1, round(4.0 / spacing_mm))
    filled = with_holes_filled(ndimage.binary_closing(body, iterations=rounds))
    air = filled & (hu < LUNG_BELOW_HU) & ~ndimage.binary_dilation(~filled)
    inner = ndimage.binary_erosion(ndimage.binary_opening(air, iterations=rounds), iterations=rounds)
    labels, _ = ndimage.label(inner)
    millilitres = spacing_mm**3 / 1000
    sizes = np.bincount(labels.ravel()) * millilitres
    sizes[0] = 0
    masks = [labels == label for label in np.argsort(sizes)[::-1][:2] if sizes[label] > LEAST_LUNG_ML]
    if not masks:
        return {}
    axis = ndimage.center_of_mass(filled)[2]
    if len(masks) == 1:  # joined by the airway or across the midline
        offset_mm = (np.arange(hu.shape[2]) - axis) * spacing_mm
        sides = (masks[0] & (offset_mm < -AIRWAY_MM), masks[0] & (offset_mm > AIRWAY_MM))
        masks = [side for side in map(largest_part, sides) if side is not None]
    masks = [mask for mask in masks if mask.sum() * millilitres > LEAST_LUNG_ML / 2]
    masks.sort(key=lambda mask: float(ndimage.center_of_mass(mask)[2]))
    middles = [ndimage.center_of_mass(mask)[2] for mask in masks]
    if len(masks) != 2 or not middles[0] < axis < middles[1]:
        return {}
    return dict(zip(("right", "left"), masks, strict=True))


def slices_of(mask: BoolArray) -> NDArray[np.intp]:
    """The slices, in ascending order, that a mask `[z,y,x]` reaches."""
    return np.flatnonzero(mask.any(axis=(1, 2)))


def largest_part(mask: BoolArray, touching: BoolArray | None = None) -> BoolArray | None:
    """The largest connected part of a mask; None where it is empty. `touching`: which neighbours are connected."""
    labels, count = ndimage.label(mask, touching)
    if count == 0:
        return None
    largest: BoolArray = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    return largest


def with_holes_filled(mask: BoolArray) -> BoolArray:
    """A mask `[z,y,x]` with what it encloses in each slice."""
    # all slices at once, since filling one after the other takes ten times as long
    within_slices = ndimage.generate_binary_structure(3, 1)
    within_slices[[0, 2]] = False
    labels, count = ndimage.label(~mask, within_slices)
    outside = np.zeros(count + 1, dtype=bool)
    for border in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        outside[border] = True
    outside[0] = False
    filled: BoolArray = ~outside[labels]
    return filled


def _apex(hu: NDArray[Any], mask: BoolArray, step: int, spacing_mm: float) -> FloatArray | None:
    """The top of the air that is joined to the uppermost slice of a mask, whose voxels are `step` voxels of the scan long."""
    level = int(slices_of(mask)[-1])
    top = np.argwhere(mask[level]) * step
    center = np.array([level * step, *top.mean(axis=0).round().astype(int)])
    reach = np.array([[APEX_BELOW_MM, APEX_ABOVE_MM], [APEX_SIDE_MM] * 2, [APEX_SIDE_MM] * 2]) / spacing_mm
    low = np.maximum(center - reach[:, 0].round().astype(int), 0)
    high = np.minimum(center + reach[:, 1].round().astype(int) + 1, hu.shape)
    box = hu[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    air = ndimage.binary_opening(box < LUNG_BELOW_HU, structure=np.ones((1, 2, 2), bool))
    labels, _ = ndimage.label(air)
    seeds = top - low[1:]
    seeds = seeds[((seeds >= 0) & (seeds < air.shape[1:])).all(axis=1)]
    touched = labels[level * step - low[0], seeds[:, 0], seeds[:, 1]]
    if not touched.any():
        return None
    lung = labels == np.bincount(touched[touched > 0]).argmax()
    uppermost = int(np.flatnonzero(lung.sum(axis=(1, 2)) >= 2)[-1])
    if uppermost == len(lung) - 1 or uppermost + low[0] >= len(hu) - EDGE_MM / spacing_mm:
        return None
    cap = np.argwhere(lung[uppermost - 1 : uppermost + 1]).mean(axis=0)[1:] + low[1:]
    return np.array([cap[1], cap[0], uppermost + low[0] + 0.5])
