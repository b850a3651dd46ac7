"""How long embedding will take, from what it took before."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..core.geometry import CanonicalGrid
from ..utils.translation import _

GRID_MM = 2.0
# Measured on two cores of an ordinary server; a desktop is faster. Used until this machine was measured itself.
SECONDS_PER_MILLION_VOXELS = 4.0
START_SECONDS = 5.0
# Matching all landmarks of one follow-up, the first time with its preparation.
MATCHING_SECONDS = 1.0
# Finding a protocol's landmarks, for which each of several atlas patients is matched.
LOCATING_SECONDS = 6.0
_MINUTE = 60


class TimeEstimate:
    """Seconds for embedding scans, refined by every scan that was embedded."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._million_voxels = 0.0

    @property
    def seconds_per_million_voxels(self) -> float:
        """Seconds for a million voxels of 2 mm, as measured here or else as measured elsewhere on a CPU."""
        if not self._million_voxels:
            return SECONDS_PER_MILLION_VOXELS
        return self._seconds / self._million_voxels

    def measured(self, seconds: float, voxels_2mm: int) -> None:
        """Take into account that a scan of so many 2 mm voxels took `seconds` to embed."""
        self._seconds += seconds
        self._million_voxels += voxels_2mm / 1e6

    def seconds(
        self, million_voxels: Iterable[float], targets: int, seconds_each: float = MATCHING_SECONDS
    ) -> float:
        """Seconds for embedding scans of these sizes and for finding landmarks in `targets` follow-ups."""
        embedding = sum(million_voxels) * self.seconds_per_million_voxels
        # The start of the worker with its model was not measured either, until a scan was.
        start = START_SECONDS if embedding and not self._million_voxels else 0.0
        return start + embedding + targets * seconds_each


def million_voxels_2mm(shape: tuple[int, int, int], ijk_to_lps: np.ndarray) -> float:
    """Millions of voxels of the 2 mm grid that covers a volume of array `shape` (z, y, x).

    >>> million_voxels_2mm((100, 200, 100), np.diag([2.0, 2.0, 2.0, 1.0]))
    2.0
    """
    depth, height, width = shape
    size_ijk = CanonicalGrid.covering(ijk_to_lps, (width, height, depth), GRID_MM).size_ijk
    return math.prod(size_ijk) / 1e6


def duration_in_words(seconds: float) -> str:
    """A sentence on how long a transfer takes.

    >>> duration_in_words(42.3)
    'This takes about 42 s on this computer.'
    """
    if seconds < 2:
        return _("The scans are ready: a transfer takes a moment.")
    if seconds < 1.5 * _MINUTE:
        return _("This takes about {seconds} s on this computer.").format(seconds=round(seconds))
    minutes = round(seconds / _MINUTE)
    return _("This takes about {minutes} min on this computer.").format(minutes=minutes)
