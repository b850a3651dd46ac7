"""A volume made ready for the network, which can be done for one scan while another is embedded."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from ..core.geometry import FieldOfView
from ..core.modality import Modality
from ..core.volume import CanonicalVolume, Volume

SUPPORT_POINTS = 1000
"""Random points of the body that an embedding holds at most."""


@dataclass(frozen=True, eq=False)
class PreparedVolume:
    """The body in a volume on the canonical grid, without the voxels that were read.

    `modality`, `name`, `source`, `warnings` and `field_of_view` are the volume's; `seconds` is how long the preparation took.
    """

    canonical: CanonicalVolume
    modality: Modality
    name: str
    source: str | None
    warnings: tuple[str, ...]
    field_of_view: FieldOfView
    seconds: float

    @classmethod
    def of(cls, volume: Volume, spacing_mm: float) -> PreparedVolume:
        """Resample a volume to `spacing_mm` and keep the part with the body."""
        started = time.perf_counter()
        canonical = _around_the_body(volume.canonical(spacing_mm), volume.modality)
        return cls(
            canonical,
            volume.modality,
            volume.name,
            None if volume.source is None else str(volume.source),
            volume.warnings,
            volume.field_of_view,
            time.perf_counter() - started,
        )


def body_mask(array: np.ndarray, modality: Modality) -> np.ndarray:
    """Which voxels `[z,y,x]` of a canonical volume belong to the body, by the modality's rule."""
    if modality.body.threshold is None:
        return np.ones(array.shape, dtype=bool)
    mask: np.ndarray = array > modality.body.threshold
    return mask


def body_points_lps(
    canonical: CanonicalVolume, modality: Modality, count: int = SUPPORT_POINTS
) -> np.ndarray:
    """Random points `(m,3)` of the body, `count` at most, the same for the same volume."""
    flat = np.flatnonzero(body_mask(canonical.array, modality))
    chosen = np.random.default_rng(0).choice(flat, min(count, len(flat)), replace=False)
    kji = np.column_stack(np.unravel_index(chosen, canonical.array.shape))
    return canonical.grid.lps_from_index(kji[:, ::-1])


def _around_the_body(canonical: CanonicalVolume, modality: Modality) -> CanonicalVolume:
    """The part that holds anything but air: up to three quarters of a wide scan need not be embedded."""
    body, grid = body_mask(canonical.array, modality), canonical.grid
    margin = round(modality.body.margin_mm / grid.spacing_mm)
    box = [slice(0, size) for size in body.shape]
    for axis in range(3 - grid.spatial_axes, 3):
        others = tuple(other for other in range(3) if other != axis)
        filled = np.flatnonzero(np.count_nonzero(body, axis=others) >= modality.body.least_voxels)
        if len(filled) == 0:
            return canonical
        box[axis] = slice(
            max(0, int(filled[0]) - margin), min(body.shape[axis], int(filled[-1]) + 1 + margin)
        )
    array = canonical.array[tuple(box)]
    first_ijk = np.array([part.start for part in box[::-1]])
    depth, height, width = array.shape
    cropped = replace(grid, origin_lps=grid.lps_from_index(first_ijk), size_ijk=(width, height, depth))
    return replace(canonical, array=np.ascontiguousarray(array), grid=cropped)
