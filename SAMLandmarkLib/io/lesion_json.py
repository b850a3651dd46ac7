"""Lesions over time as one document of JSON: all that is known of them, to go on with at the next date."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.lesions import (
    Diameter,
    Finding,
    Lesion,
    LesionHistory,
    LesionStatus,
    Role,
    Source,
    Track,
    Visit,
    plain_point,
)
from ..core.results import Point
from ..utils.errors import LesionError
from ..utils.files import write_atomically
from ..utils.translation import _
from .json_values import to_json
from .landmark_json import read_document

FORMAT, VERSION = "samlandmark-lesions", 1


def history_document(history: LesionHistory, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A history in types of JSON; `more` are further fields, such as what the response was."""
    document = {
        "format": FORMAT,
        "format_version": VERSION,
        "samlandmark_version": __version__,
        "written_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "coordinate_system": "LPS",
        "unit": "mm",
        "patient": history.patient,
        "visits": [vars(visit) for visit in history.visits],
        "lesions": [_track_document(track) for track in history],
        "notes": [str(note) for note in history.notes],
        **(more or {}),
    }
    plain: dict[str, Any] = to_json(document)
    return plain


def write_history(
    path: str | os.PathLike[str], history: LesionHistory, more: Mapping[str, Any] | None = None
) -> None:
    """Write a history as JSON. Raises OutputError."""
    text = json.dumps(history_document(history, more), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text + "\n")


def _track_document(track: Track) -> dict[str, Any]:
    lesion = track.lesion
    return {
        "name": lesion.name,
        "uid": lesion.uid,
        "role": lesion.role.value,
        "node": lesion.is_node,
        "organ": lesion.organ,
        "site": lesion.site,
        "findings": [
            {"visit": visit, **_finding_document(finding)} for visit, finding in track.findings.items()
        ],
    }


def _finding_document(finding: Finding) -> dict[str, Any]:
    diameters = ("long", "short", "carried_long", "carried_short")
    return {
        "status": finding.status.value,
        "position_lps": finding.position_lps,
        **{name: _diameter_document(getattr(finding, name)) for name in diameters},
        "volume_mm3": finding.volume_mm3,
        "confidence": finding.confidence,
        "source": finding.source.value,
        "merged_into": finding.merged_into,
        "split_from": finding.split_from,
        "note": str(finding.note),
        "progression": finding.progression,
    }


def _diameter_document(diameter: Diameter | None) -> dict[str, Any] | None:
    if diameter is None:
        return None
    return {
        "ends_lps": diameter.ends_lps,
        "length_mm": round(diameter.length_mm, 3),
        "source": diameter.source.value,
    }


def read_history(path: Path) -> LesionHistory:
    """The history that `write_history` wrote. Raises LesionError and LandmarkError, which name the file."""
    return history_from(read_document(path), str(path))


def history_from(document: Any, where: str) -> LesionHistory:
    """The history that `history_document` made; LesionError says `where` it stands."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise LesionError(
            _("{path} is JSON, but holds no lesions; give a {format}.").format(path=where, format=FORMAT)
        )
    _require_known(document, where)
    try:
        visits = tuple(_visit(item) for item in document["visits"])
        tracks = tuple(_track(item) for item in document["lesions"])
        return LesionHistory(str(document["patient"]), visits, tracks, tuple(map(str, document["notes"])))
    except (LookupError, TypeError, ValueError, AttributeError, LesionError) as error:
        told = _("{path} is damaged: {reason}; write it again.")
        raise LesionError(told.format(path=where, reason=str(error))) from error


def _require_known(document: Mapping[str, Any], where: str) -> None:
    if document.get("format_version") != VERSION:
        told = _(
            "{path} is of format version {version}, and {known} is known; use the program that wrote it."
        )
        values = {"version": str(document.get("format_version"))[:20], "known": VERSION}
        raise LesionError(told.format(path=where, **values))
    unit, frame = document.get("unit"), document.get("coordinate_system")
    if unit != "mm" or frame != "LPS":
        told = _("{path} counts in {unit} and {frame}; places must be in mm and LPS.")
        raise LesionError(told.format(path=where, unit=str(unit)[:20], frame=str(frame)[:20]))


def _visit(item: Mapping[str, Any]) -> Visit:
    thick = item["slice_mm"]
    return Visit(str(item["name"]), str(item["date"]), None if thick is None else float(thick))


def _track(item: Mapping[str, Any]) -> Track:
    lesion = Lesion(
        str(item["name"]),
        Role(item["role"]),
        bool(item["node"]),
        str(item["site"]),
        str(item["organ"]),
        str(item["uid"]),
    )
    return Track(lesion, {int(finding["visit"]): _finding(finding) for finding in item["findings"]})


def _finding(item: Mapping[str, Any]) -> Finding:
    volume = item["volume_mm3"]
    return Finding(
        LesionStatus(item["status"]),
        _point(item["position_lps"]),
        _diameter(item["long"]),
        _diameter(item["short"]),
        _diameter(item["carried_long"]),
        _diameter(item["carried_short"]),
        volume_mm3=None if volume is None else float(volume),
        confidence=float(item["confidence"]),
        source=Source(item["source"]),
        merged_into=str(item["merged_into"]),
        split_from=str(item["split_from"]),
        note=str(item["note"]),
        progression=bool(item["progression"]),
    )


def _diameter(item: Mapping[str, Any] | None) -> Diameter | None:
    if item is None:
        return None
    first, second = (_point(end) for end in item["ends_lps"])
    if first is None or second is None:
        raise ValueError("a diameter has an end without a place")
    return Diameter((first, second), Source(item["source"]))


def _point(values: Any) -> Point | None:
    """Three finite numbers, None where there are none. Raises ValueError."""
    if values is None:
        return None
    point = plain_point(values)
    if not all(abs(value) < 1e6 for value in point):
        raise ValueError(f"{values} is no place")
    return point
