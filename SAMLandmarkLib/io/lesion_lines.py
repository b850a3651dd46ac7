"""Lesions as 3D Slicer's line markups: `T1 long` and `T1 short` for the diameters, a point list for what has none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..core.lesions import Diameter, Finding, Lesion, LesionStatus, Mark, Source, plain_point
from ..utils.errors import LesionError
from ..utils.files import write_atomically
from ..utils.translation import _
from .landmark_files import markups_document, point_list
from .landmark_json import check_schema, check_unit, point_from_json, read_document
from .landmark_text import frame_from
from .lesion_details import details_text, lesion_from

LONG, SHORT = "long", "short"
_ROUNDING_MM = 0.05


def read_lesion_lines(path: Path) -> list[Mark]:
    """The lesions of a `.mrk.json` with lines, points or both.

    A line is called after its lesion, with `long` or `short` behind it; one without is the longest diameter. A point with
    the name of a lesion is its place; without lines it has no size. Raises LesionError and LandmarkError, which name the
    file and the line or point that is wrong.
    """
    document = read_document(path)
    try:
        check_schema(document.get("@schema", ""), path)
        drawn = DrawnLesions(str(path))
        for markup in document["markups"]:
            _add_markup(drawn, markup, path)
    except (KeyError, AttributeError, TypeError) as error:
        told = _("{path} is JSON, but no markups of 3D Slicer; give a .mrk.json with lines or points.")
        raise LesionError(told.format(path=str(path))) from error
    marks = drawn.marks()
    if not marks:
        told = _("{path} holds no line and no point; draw the lesions' diameters as lines and save them.")
        raise LesionError(told.format(path=str(path)))
    return marks


@dataclass
class DrawnLesions:
    """Lines and points on their way to lesions, in the order in which they come; `where` they stand is told in errors."""

    where: str
    lines: dict[str, dict[str, Diameter]] = field(default_factory=dict)
    points: dict[str, np.ndarray] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)

    def add_line(
        self, name: str, placed_lps: np.ndarray, details: str = "", source: Source = Source.HAND
    ) -> None:
        """A line by its placed points `(n, 3)`; LesionError where these are not two, or the name is taken."""
        if len(placed_lps) != 2:
            told = _(
                "{where}: the line {name!r} has {count} placed points, not 2; place both ends, or delete it."
            )
            raise LesionError(told.format(where=self.where, name=name[:80], count=len(placed_lps)))
        lesion, axis = _split_name(name)
        known = self.lines.setdefault(lesion, {})
        self._once(name, "line", axis in known)
        try:
            known[axis] = Diameter.between(placed_lps, source)
        except LesionError as error:
            raise LesionError(f"{self.where}, {name}: {error}") from error
        if details:
            self.details[lesion] = details

    def add_point(self, name: str, position_lps: np.ndarray, details: str = "") -> None:
        """The place of a lesion; LesionError where it has one already."""
        self._once(name, "point", name in self.points)
        self.points[name] = np.array(position_lps, dtype=float)
        self.details.setdefault(name, details)

    def _once(self, name: str, what: str, is_known: bool) -> None:
        if is_known:
            told = _("{where}: there are two {what}s {name!r}; give every one its own name.")
            raise LesionError(told.format(where=self.where, what=what, name=name[:80]))

    def marks(self) -> list[Mark]:
        """The lesions. Raises LesionError where diameters do not belong together."""
        return [self._mark(name) for name in dict.fromkeys([*self.lines, *self.points])]

    def _mark(self, name: str) -> Mark:
        where = f"{self.where}, {name}"
        axes = self.lines.get(name, {})
        if SHORT in axes and LONG not in axes:
            told = _("{where}: there is a short diameter, but no long one; draw '{name} long' as well.")
            raise LesionError(told.format(where=where, name=name))
        long, short = axes.get(LONG), axes.get(SHORT)
        if long and short and is_longer(short, long) and short.source is not Source.HAND is long.source:
            short = None  # what a reader drew has made that proposal wrong
        if long and short and is_longer(short, long):
            told = _(
                "{where}: the short diameter ({short} mm) is longer than the long one ({long} mm); swap their names."
            )
            lengths = {"short": f"{short.length_mm:.1f}", "long": f"{long.length_mm:.1f}"}
            raise LesionError(told.format(where=where, **lengths))
        place = self.points.get(name)
        if place is None and long is not None:
            place = long.middle_lps
        position = None if place is None else plain_point(place)
        source = Source.HAND if long is None else long.source
        finding = Finding(LesionStatus.PRESENT, position, long, short, source=source)
        return Mark(lesion_from(name, self.details.get(name, ""), where), finding)


def is_longer(short: Diameter, long: Diameter) -> bool:
    """Whether the short diameter of a lesion is longer than the long one, so that one of them is wrong."""
    return short.length_mm > long.length_mm + _ROUNDING_MM


def _add_markup(drawn: DrawnLesions, markup: Mapping[str, Any], path: Path) -> None:
    """Take over a markup of a file, where it is a line or a point list."""
    kind = markup["type"]
    if kind not in ("Line", "Fiducial"):
        return
    frame = frame_from(str(markup.get("coordinateSystem", "LPS")), path)
    check_unit(markup.get("coordinateUnits", "mm"), path)
    given = markup.get("controlPoints", [])
    points = [point_from_json(number, item, frame, path) for number, item in enumerate(given, start=1)]
    placed = [(point, point.position_lps) for point in points if point.position_lps is not None]
    if kind == "Fiducial":
        for point, position in placed:
            drawn.add_point(point.label, position, point.description)
        return
    name = str(markup.get("name") or (points[0].label if points else ""))
    ends = np.reshape(np.array([position for _point, position in placed], dtype=float), (-1, 3))
    drawn.add_line(name, ends, placed[0][0].description if placed else "")


def _split_name(name: str) -> tuple[str, str]:
    """A line's lesion, and which diameter of it the line is.

    >>> _split_name("T1 short"), _split_name("liver dome")
    (('T1', 'short'), ('liver dome', 'long'))
    """
    first, _sign, last = name.strip().rpartition(" ")
    return (first, last.lower()) if first and last.lower() in (LONG, SHORT) else (name.strip(), LONG)


def write_lesion_lines(path: str | os.PathLike[str], findings: Sequence[tuple[Lesion, Finding]]) -> None:
    """Write the diameters of one date as line markups that Slicer opens, and the places of lesions as a point list.

    Raises OutputError.
    """
    markups = [line for lesion, finding in findings for line in _lines(lesion, finding)]
    seen = [(lesion, finding) for lesion, finding in findings if finding.is_seen]
    if seen:
        markups.append(
            point_list(
                [lesion.name for lesion, _finding in seen],
                np.array([finding.position for _lesion, finding in seen]),
                [finding.confidence for _lesion, finding in seen],
                [f"{details_text(lesion)}; {_state(finding)}" for lesion, finding in seen],
                "lesions",
            )
        )
    write_atomically(path, json.dumps(markups_document(markups), indent=1, ensure_ascii=False))


def _lines(lesion: Lesion, finding: Finding) -> Iterator[dict[str, Any]]:
    for axis, diameter in ((LONG, finding.long), (SHORT, finding.short)):
        if diameter is not None:
            yield _line(
                f"{lesion.name} {axis}", diameter, f"{details_text(lesion)}; {_state(finding, diameter)}"
            )


def _state(finding: Finding, diameter: Diameter | None = None) -> str:
    source = finding.source if diameter is None else diameter.source
    words = {
        Source.HAND: "by hand",
        Source.IMAGE: "proposed, by the image",
        Source.CARRIED: "proposed, carried",
    }
    return f"status={finding.status.value}; measured={words[source]}"


def _line(name: str, diameter: Diameter, description: str) -> dict[str, Any]:
    markup = point_list(["1", "2"], diameter.ends, None, [description, ""], name)
    length = {
        "name": "length",
        "enabled": True,
        "value": diameter.length_mm,
        "units": "mm",
        "printFormat": "%-#4.4g%s",
    }
    return markup | {"type": "Line", "labelFormat": "%N", "measurements": [length]}
