"""Correspondences between two scans: points that matching found, and how far they may be off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ONE_PATIENT_MM = 3.0
"""Median uncertainty that tells two scans of one patient (about 2.5 mm) from those of two (about 3.6 mm)."""


@dataclass(frozen=True, eq=False)
class PointCorrespondences:
    """Consistently matched points `(n, 3)` of template and target, LPS mm, and their uncertainty `(n,)` mm.

    `searched` is how many points were looked for; those that are missing here had no consistent match.
    """

    template_lps: np.ndarray
    target_lps: np.ndarray
    sigma_mm: np.ndarray
    searched: int

    def __len__(self) -> int:
        return len(self.template_lps)

    @property
    def weight(self) -> np.ndarray:
        """Their precisions `(n,)`, of mean 1."""
        precision = 1 / np.maximum(self.sigma_mm, 1e-3) ** 2
        return precision / precision.mean() if len(precision) else precision

    @property
    def of_one_patient(self) -> bool:
        """Whether the two scans look like those of one patient, by how sure half of the matches are."""
        return len(self) > 0 and float(np.median(self.sigma_mm)) <= ONE_PATIENT_MM

    def at_rows(self, rows: np.ndarray) -> PointCorrespondences:
        """Those that a mask `(n,)` or rows choose."""
        return PointCorrespondences(
            self.template_lps[rows], self.target_lps[rows], self.sigma_mm[rows], self.searched
        )
