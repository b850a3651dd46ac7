"""Point lists of 3D Slicer's `.mrk.json`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..core.landmarks import Landmark
from ..utils.errors import LandmarkError
from .landmark_text import KINDS, frame_from, landmark, read_text


def read_json(path: Path) -> list[Landmark]:
    """The points of all point lists in a file, in their order; LandmarkError names the file and the point."""
    document = read_document(path)
    try:
        check_schema(document.get("@schema", ""), path)
        return [
            point for markup in _point_lists(document["markups"], path) for point in _points(markup, path)
        ]
    except (KeyError, AttributeError, TypeError) as error:
        raise LandmarkError(f"{path} is JSON, but not a markups file of 3D Slicer; give {KINDS}.") from error


def read_document(path: Path) -> Any:
    """What stands in a file of JSON; LandmarkError names the file and the line where it is none."""
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, path))
    except json.JSONDecodeError as error:
        raise LandmarkError(
            f"{path} is not valid JSON (line {error.lineno}, column {error.colno}: {error.msg}); it may be "
            "cut short, so save or copy it again."
        ) from error
    except (RecursionError, ValueError) as error:
        odd = "nested too deep" if isinstance(error, RecursionError) else "a number of thousands of digits"
        raise LandmarkError(f"{path} is JSON that no program writes ({odd}); give {KINDS}.") from error


def _object(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    """An object of JSON; LandmarkError where a name occurs in it twice, since the last one would win silently."""
    names = [name for name, _value in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise LandmarkError(
            f"{path}: it says {twice[:80]!r} twice for one thing; save the points again in 3D Slicer."
        )
    return dict(pairs)


def check_schema(schema: str, path: Path) -> None:
    """Raise LandmarkError where a file of markups is of another version than the one that is read."""
    version = re.search(r"markups-schema-v(\d+)\.", schema)
    if version and version.group(1) != "1":
        raise LandmarkError(f"{path}: its schema is {schema[:200]}; save it as markups schema version 1.")


def _point_lists(markups: list[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
    """All point lists; lines, curves and boxes beside them hold no landmarks."""
    lists = [markup for markup in markups if markup["type"] == "Fiducial"]
    if lists:
        return lists
    kinds = ", ".join(str(markup["type"])[:40] for markup in markups) or "nothing"
    raise LandmarkError(
        f"{path} holds no point list, but {kinds}; place the landmarks as a point list and save that."
    )


def _points(markup: dict[str, Any], path: Path) -> Iterator[Landmark]:
    frame = frame_from(str(markup.get("coordinateSystem", "LPS")), path)
    check_unit(markup.get("coordinateUnits", "mm"), path)
    for number, point in enumerate(markup.get("controlPoints", []), start=1):
        yield point_from_json(number, point, frame, path)


def check_unit(unit: Any, path: Path) -> None:
    """Raise LandmarkError where a file does not count in mm."""
    # Slicer also writes a unit as a coded entry: [value, scheme, meaning].
    value = unit[0] if isinstance(unit, list) and unit else unit
    if value != "mm":
        raise LandmarkError(f"{path}: its unit is {str(value)[:80]!r}; save the points in mm.")


def point_from_json(number: int, point: dict[str, Any], frame: str, path: Path) -> Landmark:
    """A control point of markups; LandmarkError names it by its number where it is none."""
    label = _text(point, "label", number, path)
    description = _text(point, "description", number, path)
    where = f"{path}, point {number}"
    position = point.get("position")
    if point.get("positionStatus", "defined") != "defined" or not position:
        return landmark(label, None, frame, description, where)
    if not isinstance(position, list) or len(position) != 3 or not all(map(_is_finite, position)):
        raise LandmarkError(
            f"{path}: the position of point {number} ({label!r}) is {str(position)[:80]}, not three finite numbers; "
            "place it again or remove it."
        )
    return landmark(label, [float(value) for value in position], frame, description, where)


def _is_finite(value: Any) -> bool:
    # A whole number may be too large for a real one.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < 1e300 and math.isfinite(value)


def _text(point: dict[str, Any], name: str, number: int, path: Path) -> str:
    """A text of a point; numbers count as texts, as other programs write labels."""
    value = point.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise LandmarkError(
            f"{path}: the {name} of point {number} is {str(value)[:80]}, not a text; correct it."
        )
    return str(value)
