"""Places that thresholds find in a CT of the trunk about as surely as a reader does: ends and forks of organs, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .airway import carina
from .kidneys import kidney_poles
from .lungs import BODY_FROM_HU, BoolArray, FloatArray, lung_apices, lung_masks, slices_of
from .scapulae import scapula_angles

MASK_SPACING_MM = 4.0
LEAST_BODY = 0.02
"""Part of a slice that must show the body."""
KIDNEYS_ABOVE_LUNG_BASE_MM = 100.0
RIM_MM = 12.0
"""Masks of the lungs, which lack their rim, begin at most so far above a last slice that cuts them."""
SIDES = ("right", "left")
SIGMA_MM = {
    "carina": 3.0,
    **{f"lung_apex_{side}": 4.0 for side in SIDES},
    **{f"scapula_inferior_angle_{side}": 4.0 for side in SIDES},
    **{f"kidney_{end}_pole_{side}": 8.0 for end in ("upper", "lower") for side in SIDES},
}
"""The names of all ends, and how far apart the same end of two patients may be found, with what readers differ by."""


def organ_ends(hu: NDArray[Any], spacing_mm: float) -> dict[str, FloatArray]:
    """Lung apices, carina, inferior angles of the scapulae and poles of the kidneys `(3,)`, in voxels (x,y,z) of HU `[z,y,x]`.

    The grid has LPS axes. What the field of view or the thresholds do not show clearly is left out.
    """
    step = max(1, round(MASK_SPACING_MM / spacing_mm))
    shown = np.flatnonzero((hu[:, ::step, ::step] > BODY_FROM_HU).mean(axis=(1, 2)) > LEAST_BODY)
    if len(shown) == 0:
        return {}
    # blank slices are no field of view, whose border is what an end must not lie at
    lowest = int(shown[0])
    ends = _ends_within(hu[lowest : int(shown[-1]) + 1], step, spacing_mm)
    return {name: end + [0, 0, lowest] for name, end in ends.items()}


def _ends_within(hu: NDArray[Any], step: int, spacing_mm: float) -> dict[str, FloatArray]:
    lungs = lung_masks(hu[::step, ::step, ::step], spacing_mm * step)
    ends: dict[str, FloatArray] = {}
    for found in (lung_apices, carina, scapula_angles):
        ends |= found(hu, lungs, step, spacing_mm)
    return ends | kidney_poles(hu[: _top_of_kidneys(lungs, step, spacing_mm, len(hu))], step, spacing_mm)


def _top_of_kidneys(lungs: Mapping[str, BoolArray], step: int, spacing_mm: float, slices: int) -> int:
    """The slice below which kidneys lie: not far above the base of the lungs, and nowhere where that is not shown."""
    bases = [int(slices_of(mask)[0]) for mask in lungs.values()]
    if not bases:
        return slices
    if min(bases) * step * spacing_mm <= RIM_MM:
        return 0
    return max(bases) * step + round(KIDNEYS_ABOVE_LUNG_BASE_MM / spacing_mm)
