"""Results as 3D Slicer markups: a point list for each target."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ...core.results import TransferredLandmark
from ..landmark_files import write_markups
from ..target_names import MARKUPS_SUFFIX
from .writer import ResultSet, Scope


class Markups:
    """`TARGET.mrk.json`, with a `confidence` a point, and status, reason and uncertainty in its description."""

    name = "markups"
    suffix = MARKUPS_SUFFIX
    scope = Scope.TARGET

    def write(self, results: ResultSet, path: Path) -> None:
        """Write the landmarks of one target as a point list; one that is MISSING has no position."""
        (result,) = results.results
        positions = [
            np.full(3, np.nan) if item.position_lps is None else np.asarray(item.position_lps, dtype=float)
            for item in result
        ]
        write_markups(
            path,
            [item.label for item in result],
            np.array(positions, dtype=float).reshape(-1, 3),
            confidences=[item.confidence for item in result],
            descriptions=[description(item) for item in result],
            name=result.target,
        )


def description(item: TransferredLandmark) -> str:
    """What stands beside a point: status, reason, and how far the position may be off.

    >>> from SAMLandmarkLib.core.results import Status
    >>> description(TransferredLandmark("carina", np.zeros(3), Status.FOUND, 0.9, uncertainty_mm=1.26))
    'FOUND (uncertainty 1.3 mm)'
    """
    text = f"{item.status.value}: {item.reason}" if item.reason else item.status.value
    if item.position_lps is None or not math.isfinite(item.uncertainty_mm):
        return text
    return f"{text} (uncertainty {item.uncertainty_mm:.1f} mm)"
