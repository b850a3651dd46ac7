"""Landmark files: 3D Slicer's `.mrk.json` and `.fcsv`, and plain `.csv`.

Files may count in RAS; this module turns them into LPS, and nothing but LPS leaves it.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from .errors import LandmarkError, UsageError
from .files import write_atomically
from .geometry import swap_lps_ras
from .landmarks import Landmark

# Slicer compares only the end of this name with the versions it knows (any v1.x.x); nothing is fetched.
_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
# Slicer's files of before 4.11 give the frame as a number.
_FRAMES = {"LPS": "LPS", "RAS": "RAS", "0": "RAS", "1": "LPS"}
_FCSV_HEADER = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
# Slicer writes two more fields than it names: the position status and whether the point was placed by itself.
_FCSV_UNNAMED = ["positionStatus", "autoCreated"]
_FCSV_DEFINED = "2"
_KINDS = "3D Slicer's .mrk.json or .fcsv, or a .csv with the columns label,x,y,z"


def read_landmarks(path: Path, csv_frame: str | None = None) -> list[Landmark]:
    """Read the landmarks of a `.mrk.json`, `.fcsv` or `.csv` file; see `LandmarkSet.read`."""
    name = path.name.lower()
    if name.endswith(".csv"):
        return _read_csv(path, _csv_frame(path, csv_frame))
    if name.endswith(".fcsv"):
        return _read_fcsv(path)
    if name.endswith(".json"):
        return _read_json(path)
    raise LandmarkError(f"{path}: {path.suffix or 'no extension'} is not a landmark format; give {_KINDS}.")


def write_markups(
    path: str | os.PathLike,
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
    if name is not None:
        markup["name"] = name
    document = {"@schema": _SCHEMA, "markups": [markup]}
    write_atomically(path, json.dumps(document, indent=1, ensure_ascii=False))


def _control_point(number: int, label: str, position_lps: np.ndarray, description: str) -> dict:
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


def _confidence_measurement(confidences: Sequence[float], count: int) -> dict:
    values = np.nan_to_num(np.reshape(np.asarray(confidences, dtype=float), count)).tolist()
    return {"name": "confidence", "enabled": True, "printFormat": "%5.3f", "controlPointValues": values}


def _read_text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise LandmarkError(
            f"{path} can't be read: {error.strerror}; check the path and the permissions."
        ) from error
    except UnicodeDecodeError as error:
        raise LandmarkError(f"{path} is not UTF-8 text; save it as {_KINDS}, in UTF-8.") from error
    if not text.strip():
        raise LandmarkError(f"{path} is empty; place at least one point and save again.")
    return text


def _frame_from(text: str, path: Path) -> str:
    frame = _FRAMES.get(text.strip().upper())
    if frame is None:
        raise LandmarkError(f"{path}: its coordinate system is {text!r}; save the points in LPS or RAS.")
    return frame


def _landmark(label: str, coordinates: list[float] | None, frame: str, description: str = "") -> Landmark:
    if coordinates is not None and frame == "RAS":
        coordinates = swap_lps_ras(coordinates)
    return Landmark(label, coordinates, description)


# ---- .mrk.json


def _read_json(path: Path) -> list[Landmark]:
    text = _read_text(path)
    try:
        document = json.loads(text)
        _check_schema(document.get("@schema", ""), path)
        markup = _first_point_list(document["markups"], path)
        frame = _frame_from(str(markup.get("coordinateSystem", "LPS")), path)
        _check_unit(markup.get("coordinateUnits", "mm"), path)
        points = enumerate(markup.get("controlPoints", []), start=1)
        return [_landmark_from_json(number, point, frame, path) for number, point in points]
    except json.JSONDecodeError as error:
        raise LandmarkError(
            f"{path} is not valid JSON (line {error.lineno}, column {error.colno}: {error.msg}); it may be "
            "cut short, so save or copy it again."
        ) from error
    except (KeyError, AttributeError, TypeError) as error:
        raise LandmarkError(f"{path} is JSON, but not a markups file of 3D Slicer; give {_KINDS}.") from error


def _check_schema(schema: str, path: Path) -> None:
    version = re.search(r"markups-schema-v(\d+)\.", schema)
    if version and version.group(1) != "1":
        raise LandmarkError(f"{path}: its schema is {schema}; save it as markups schema version 1.")


def _first_point_list(markups: list[dict], path: Path) -> dict:
    for markup in markups:
        if markup["type"] == "Fiducial":
            return markup
    kinds = ", ".join(markup["type"] for markup in markups) or "nothing"
    raise LandmarkError(
        f"{path} holds no point list, but {kinds}; place the landmarks as a point list and save that."
    )


def _check_unit(unit: str | list[str], path: Path) -> None:
    # Slicer also writes a unit as a coded entry: [value, scheme, meaning].
    value = unit if isinstance(unit, str) else unit[0]
    if value != "mm":
        raise LandmarkError(f"{path}: its unit is {value!r}; save the points in mm.")


def _landmark_from_json(number: int, point: dict, frame: str, path: Path) -> Landmark:
    label, description = (str(point.get(key) or "") for key in ("label", "description"))
    position = point.get("position")
    if point.get("positionStatus", "defined") != "defined" or not position:
        return Landmark(label, None, description)
    numeric = [isinstance(value, (int, float)) and np.isfinite(value) for value in position]
    if len(numeric) != 3 or not all(numeric):
        raise LandmarkError(
            f"{path}: the position of point {number} ({label!r}) is {position!r}, not three finite numbers; "
            "place it again or remove it."
        )
    return _landmark(label, position, frame, description)


# ---- .fcsv and .csv


def _csv_frame(path: Path, csv_frame: str | None) -> str:
    if csv_frame is None:
        raise UsageError(
            f"{path}: a .csv file doesn't say its coordinate system; give --csv-frame LPS or --csv-frame RAS "
            '(in Python csv_frame="LPS" or "RAS").'
        )
    if csv_frame.upper() not in ("LPS", "RAS"):
        raise UsageError(f"{path}: the coordinate system of a .csv is LPS or RAS, not {csv_frame!r}.")
    return csv_frame.upper()


def _read_csv(path: Path, frame: str) -> list[Landmark]:
    rows = csv.reader(io.StringIO(_read_text(path)))
    columns = [name.strip().lower() for name in next(rows)]
    return [
        _landmark(row.get("label", "").strip(), _coordinates(row, line, path), frame)
        for line, row in _named_rows(rows, columns, path)
    ]


def _read_fcsv(path: Path) -> list[Landmark]:
    lines = _read_text(path).split("\n")
    header = _fcsv_header(lines)
    if "CoordinateSystem" not in header:
        raise LandmarkError(
            f"{path}: it doesn't say its coordinate system; add the line '# CoordinateSystem = LPS' or "
            "'# CoordinateSystem = RAS' at its top."
        )
    frame = _frame_from(header["CoordinateSystem"], path)
    columns = header.get("columns", _FCSV_HEADER).split(",")
    # Comments become blank lines, so that the line numbers stay right.
    rows = csv.reader("" if line.startswith("#") else line for line in lines)
    named_rows = _named_rows(rows, columns + _FCSV_UNNAMED, path)
    return [_landmark_from_fcsv(row, line, frame, path) for line, row in named_rows]


def _fcsv_header(lines: list[str]) -> dict[str, str]:
    matches = (re.match(r"#\s*(\w+)\s*=\s*(.*)", line) for line in lines)
    return {match.group(1): match.group(2).strip() for match in matches if match}


def _landmark_from_fcsv(row: dict[str, str], line: int, frame: str, path: Path) -> Landmark:
    defined = row.get("positionStatus", _FCSV_DEFINED) == _FCSV_DEFINED
    coordinates = _coordinates(row, line, path) if defined else None
    return _landmark(row.get("label", ""), coordinates, frame, row.get("desc", ""))


def _named_rows(
    rows: Iterator[list[str]], columns: list[str], path: Path
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a `csv.reader` as (line number, {column: text}), without the blank ones."""
    if absent := [name for name in ("label", "x", "y", "z") if name not in columns]:
        raise LandmarkError(
            f"{path}: it has no column {', '.join(absent)}, but {','.join(columns)}; name the columns "
            "label,x,y,z in the header, separated by commas."
        )
    for fields in rows:
        if len(fields) > len(columns):
            raise LandmarkError(
                f"{path}, line {rows.line_num}: {len(fields)} fields, but {len(columns)} columns; write "
                "numbers with a decimal point and put texts with commas in quotes."
            )
        if any(fields):
            yield rows.line_num, dict(zip(columns, fields))


def _coordinates(row: dict[str, str], line: int, path: Path) -> list[float] | None:
    texts = [row.get(axis, "").strip() for axis in "xyz"]
    if not any(texts):
        return None
    try:
        values = [float(text) for text in texts]
    except ValueError:
        values = [np.nan]
    if not np.isfinite(values).all():
        raise LandmarkError(
            f"{path}, line {line}: x,y,z are {','.join(texts)}, not three finite numbers; correct or remove "
            "the line."
        )
    return values
