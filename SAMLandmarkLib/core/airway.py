"""The carina in a CT: where the trachea, followed downwards through thresholds, becomes two bronchi."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .lungs import BoolArray, FloatArray, slices_of

LUMEN_BELOW_HU = -850
TRACHEA_MM2 = (80.0, 700.0)
LEAK_MM2 = 1500.0
"""An airway with a larger cross-section has run into a lung."""
LEAST_BRONCHUS_MM2, LEAST_BRONCHUS_BELOW_MM2, LARGEST_BRONCHUS_MM2 = 30.0, 20.0, 800.0
LONGEST_SIDE, LEAST_FILLED = 2.5, 0.5
"""A trachea's cross-section is at most so much longer than wide, and fills so much of the rectangle around it."""
BESIDE_MIDLINE_MM, SEARCHED_BESIDE_MM = 35.0, 50.0
SEARCHED_BELOW_APEX_MM = 60.0
CONFIRMED_MM, LEAST_GAP_MM = 10.0, 18.0
"""So far below the fork both bronchi must still be there, their middles so far apart."""
RIM_MM = 3.0


def carina(
    hu: NDArray[Any], lungs: Mapping[str, BoolArray], step: int, spacing_mm: float
) -> dict[str, FloatArray]:
    """The `carina` `(3,)` (x,y,z) in voxels of HU `[z,y,x]` on an LPS grid; empty where the airway cannot be followed.

    `lungs` are masks of every `step`th voxel along each axis, as `lung_masks` makes them.
    """
    if len(lungs) != 2:
        return {}
    tops, bottoms, middles = zip(*(_extent(mask) for mask in lungs.values()), strict=True)
    top, bottom, midline = min(tops) * step, max(bottoms) * step, sum(middles) / 2 * step
    first = max(int(midline - SEARCHED_BESIDE_MM / spacing_mm), 0)
    air = hu[:, :, first : int(midline + SEARCHED_BESIDE_MM / spacing_mm)] < LUMEN_BELOW_HU
    lowest_start = max(top - int(SEARCHED_BELOW_APEX_MM / spacing_mm), bottom)
    for level in range(min(top, len(hu) - 1), lowest_start, -2):
        spot = _trachea(air[level], midline - first, spacing_mm)
        found = None if spot is None else _fork(air, level, spot, bottom, spacing_mm)
        if found is not None:
            return {"carina": found + [first, 0.0, 0.0]}
    return {}


def _extent(mask: BoolArray) -> tuple[int, int, float]:
    """The uppermost and the lowest slice of a mask, and the x of its middle."""
    slices = slices_of(mask)
    return int(slices[-1]), int(slices[0]), float(ndimage.center_of_mass(mask)[2])


def _trachea(air: BoolArray, midline: float, spacing_mm: float) -> BoolArray | None:
    """The round spot of air of the size of a trachea that is nearest to the midline of a slice."""
    labels, count = ndimage.label(air)
    nearest, chosen = BESIDE_MIDLINE_MM / spacing_mm, None
    for label in range(1, count + 1):
        spot: BoolArray = labels == label
        rows, columns = np.nonzero(spot)
        sides = np.ptp(rows) + 1, np.ptp(columns) + 1
        round_enough = max(sides) <= LONGEST_SIDE * min(sides) and len(rows) >= LEAST_FILLED * np.prod(sides)
        low, high = TRACHEA_MM2
        beside = abs(float(columns.mean()) - midline)
        if low < len(rows) * spacing_mm**2 < high and round_enough and beside < nearest:
            nearest, chosen = beside, spot
    return chosen


def _fork(air: BoolArray, level: int, spot: BoolArray, bottom: int, spacing_mm: float) -> FloatArray | None:
    """Where a spot of a slice, followed downwards, has become two that stay apart."""
    for below in range(level - 1, bottom, -1):
        parts = _touching(air[below], spot, LEAST_BRONCHUS_MM2 / spacing_mm**2)
        if not parts or sum(part.sum() for part in parts) * spacing_mm**2 > LEAK_MM2:
            return None
        parts = sorted(parts, key=np.sum, reverse=True)[:2]
        if len(parts) == 2 and _stay_apart(air, below, parts, spacing_mm):
            y, x = _between(parts[0], parts[1], RIM_MM / 2 / spacing_mm)
            return np.array([x, y, below])
        spot = parts[0]
    return None


def _touching(air: BoolArray, spot: BoolArray, least_pixels: float) -> list[BoolArray]:
    """The spots of air of a slice that touch the spot of the slice above it, without the smallest."""
    labels, _ = ndimage.label(air)
    touched = np.unique(labels[ndimage.binary_dilation(spot)])
    spots = [labels == label for label in touched[touched > 0]]
    return [part for part in spots if part.sum() > least_pixels]


def _stay_apart(air: BoolArray, level: int, parts: list[BoolArray], spacing_mm: float) -> bool:
    for below in range(level - 1, level - 1 - int(CONFIRMED_MM / spacing_mm), -1):
        if below < 0:
            return False
        found = [_touching(air[below], part, LEAST_BRONCHUS_BELOW_MM2 / spacing_mm**2) for part in parts]
        if not all(found):
            return False
        parts = [max(spots, key=np.sum) for spots in found]
        if (parts[0] & parts[1]).any():
            return False
    middles = [ndimage.center_of_mass(part)[1] for part in parts]
    largest_mm2 = max(part.sum() for part in parts) * spacing_mm**2
    return bool(
        abs(middles[0] - middles[1]) * spacing_mm > LEAST_GAP_MM and largest_mm2 < LARGEST_BRONCHUS_MM2
    )


def _between(first: BoolArray, second: BoolArray, rim: float) -> FloatArray:
    """The middle `(2,)` of the wall between two spots, where they are nearest to each other."""
    one, other = np.argwhere(first), np.argwhere(second)
    apart = np.linalg.norm(one[:, None] - other[None], axis=2)
    nearest, facing = np.nonzero(apart <= apart.min() + rim)
    middle: FloatArray = (one[nearest].mean(axis=0) + other[facing].mean(axis=0)) / 2
    return middle
