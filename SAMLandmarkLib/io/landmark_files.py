"""Landmark files: 3D Slicer's `.mrk.json` and `.fcsv`, and plain `.csv`.

Files may count in RAS; this module turns them into LPS, and nothing but LPS leaves it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.landmarks import Landmark
from ..utils.errors import LandmarkError
from ..utils.files import write_atomically
from .landmark_json import read_json
from .landmark_tables import read_csv, read_fcsv
from .landmark_text import KINDS

# Slicer compares only the end of this name with the versions it knows (any v1.x.x); nothing is fetched.
_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)


def read_landmarks(path: Path, csv_frame: str | None = None) -> list[Landmark]:
    """Read the landmarks of a `.mrk.json`, `.fcsv` or `.csv` file; see `LandmarkSet.read`."""
    name = path.name.lower()
    if name.endswith(".csv"):
        return read_csv(path, csv_frame)
    if name.endswith(".fcsv"):
        return read_fcsv(path)
    if name.endswith(".json"):
        return read_json(path)
    raise LandmarkError(f"{path}: {path.suffix or 'no extension'} is not a landmark format; give {KINDS}.")


def write_markups(
    path: str | os.PathLike[str],
    labels: Sequence[str],
    positions_lps: np.ndarray,
    confidences: Sequence[float] | None = None,
    descriptions: Sequence[str] | None = None,
    name: str | None = None,
) -> None:
    """Write points `(n, 3)` in LPS mm as a `.mrk.json` point list that Slicer opens; NaN means missing.

    `confidences (n,)` become a measurement that Slicer keeps with the points (NaN is written as 0), `name` is
    the node's name in Slicer. Raises OutputError where the file can't be written, whole.
    """
    markup = point_list(labels, positions_lps, confidences, descriptions, name)
    write_atomically(path, json.dumps(markups_document([markup]), indent=1, ensure_ascii=False))


def markups_document(markups: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The content of a `.mrk.json` with these markups."""
    return {"@schema": _SCHEMA, "markups": list(markups)}


def point_list(
    labels: Sequence[str],
    positions_lps: np.ndarray,
    confidences: Sequence[float] | None = None,
    descriptions: Sequence[str] | None = None,
    name: str | None = None,
) -> dict[str, Any]:
    """A point list as it stands in a `.mrk.json`; see `write_markups`."""
    descriptions = [""] * len(labels) if descriptions is None else descriptions
    positions = np.reshape(np.asarray(positions_lps, dtype=float), (-1, 3))
    points = zip(labels, positions, descriptions, strict=True)
    markup = {
        "type": "Fiducial",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "locked": False,
        "fixedNumberOfControlPoints": False,
        "labelFormat": "%N-%d",
        "lastUsedControlPointNumber": len(labels),
        "controlPoints": [_control_point(number, *point) for number, point in enumerate(points, start=1)],
        "measurements": [] if confidences is None else [_confidence_measurement(confidences, len(labels))],
    }
    return markup if name is None else markup | {"name": name}


def _control_point(number: int, label: str, position_lps: np.ndarray, description: str) -> dict[str, Any]:
    missing = bool(np.isnan(position_lps).any())
    return {
        "id": str(number),
        "label": label,
        "description": description,
        "associatedNodeID": "",
        # Slicer itself writes an empty string where a point has no position.
        "position": "" if missing else position_lps.tolist(),
        "selected": True,
        "locked": False,
        "visibility": True,
        "positionStatus": "missing" if missing else "defined",
    }


def _confidence_measurement(confidences: Sequence[float], count: int) -> dict[str, Any]:
    values = np.nan_to_num(np.reshape(np.asarray(confidences, dtype=float), count)).tolist()
    return {"name": "confidence", "enabled": True, "printFormat": "%5.3f", "controlPointValues": values}
