"""A volume made ready for the network, which can be done for one scan while another is embedded."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ..geometry import CanonicalGrid, FieldOfView
from ..volume import CanonicalVolume, Volume

TISSUE_THRESHOLD_HU = -300.0
BODY_MARGIN_MM = 16.0
SPECK_VOXELS = 30
"""A slab of the volume with fewer voxels of tissue than this holds only noise."""


@dataclass(frozen=True, eq=False)
class PreparedVolume:
    """The body in a volume on the canonical grid, without the voxels that were read.

    `name`, `source`, `warnings` and `field_of_view` are the volume's; `seconds` is how long the preparation took.
    """

    canonical: CanonicalVolume
    name: str
    source: str | None
    warnings: tuple[str, ...]
    field_of_view: FieldOfView
    seconds: float

    @classmethod
    def of(cls, volume: Volume, spacing_mm: float) -> PreparedVolume:
        """Resample a volume to `spacing_mm` and keep the part with the body."""
        started = time.perf_counter()
        canonical = _around_the_body(volume.canonical(spacing_mm))
        return cls(
            canonical,
            volume.name,
            None if volume.source is None else str(volume.source),
            volume.warnings,
            volume.field_of_view,
            time.perf_counter() - started,
        )


def _around_the_body(canonical: CanonicalVolume) -> CanonicalVolume:
    """The part that holds anything but air: up to three quarters of a wide scan need not be embedded."""
    tissue = canonical.array > TISSUE_THRESHOLD_HU
    margin = round(BODY_MARGIN_MM / canonical.grid.spacing_mm)
    box = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        filled = np.flatnonzero(np.count_nonzero(tissue, axis=others) >= SPECK_VOXELS)
        if len(filled) == 0:
            return canonical
        box.append(slice(max(0, filled[0] - margin), min(tissue.shape[axis], filled[-1] + 1 + margin)))
    array = canonical.array[tuple(box)]
    first_ijk = [part.start for part in box[::-1]]
    grid = CanonicalGrid(
        canonical.grid.lps_from_index(first_ijk), canonical.grid.spacing_mm, tuple(array.shape[::-1])
    )
    return CanonicalVolume(np.ascontiguousarray(array), grid)
