"""A lesion in a slice as the ellipse of its two diameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.lesions import Diameter
from .slices import Cut


@dataclass(frozen=True, eq=False)
class Ellipse:
    """A lesion in a slice: centre and half axes as steps, LPS mm `(3,)` each."""

    centre_lps: np.ndarray
    half_long: np.ndarray
    half_short: np.ndarray

    @classmethod
    def of(cls, long: Diameter, short: Diameter | None, centre_lps: np.ndarray | None = None) -> Ellipse:
        """The ellipse of two diameters; without a short one it is a circle."""
        half = (long.ends[1] - long.ends[0]) / 2
        across = _any_across(half) if short is None else (short.ends[1] - short.ends[0]) / 2
        return cls(long.middle_lps if centre_lps is None else centre_lps, half, across)

    @property
    def length_mm(self) -> float:
        """Its longest diameter."""
        return 2 * float(max(np.linalg.norm(self.half_long), np.linalg.norm(self.half_short)))

    @property
    def area_mm2(self) -> float:
        """Its area."""
        return float(np.pi * np.linalg.norm(self.half_long) * np.linalg.norm(self.half_short))

    def radius_in(self, cut: Cut) -> np.ndarray:
        """How far each pixel of a cut is from the centre, `[rows, columns]`, where the edge of the ellipse is 1."""
        axes = np.array([[half @ cut.along, half @ cut.down] for half in (self.half_long, self.half_short)])
        lengths = np.maximum(np.linalg.norm(axes, axis=1), 1e-3)
        # a diameter that does not lie in the slice is taken as long as it is
        full = np.array([np.linalg.norm(self.half_long), np.linalg.norm(self.half_short)])
        first = axes[0] / lengths[0]
        basis = np.stack([first / full[0], np.array([-first[1], first[0]]) / full[1]])
        offsets = cut.offsets_mm(cut.places_mm(self.centre_lps)[0])
        radius: np.ndarray = np.linalg.norm(offsets @ basis.T, axis=-1)
        return radius


def _any_across(half: np.ndarray) -> np.ndarray:
    """A step as long as another, at a right angle to it, as nearly axial as can be."""
    other = np.cross([0.0, 0.0, 1.0], half)
    if np.linalg.norm(other) < 1e-6 * np.linalg.norm(half):
        other = np.array([1.0, 0.0, 0.0])
    across: np.ndarray = other / np.linalg.norm(other) * np.linalg.norm(half)
    return across
