"""Landmarks in tables: 3D Slicer's `.fcsv`, its table export, and `.csv` of other programs and spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.landmarks import Landmark
from ..utils.errors import LandmarkError, UsageError
from .landmark_text import frame_from, landmark, read_text

# The columns of a position; the names of Slicer's own table export say the frame.
_AXES = {("x", "y", "z"): None, ("r", "a", "s"): "RAS", ("l", "p", "s"): "LPS"}
# What other programs write beside it, which must not contradict what is read.
_FRAME_COLUMNS = {"frame", "space", "coordinatesystem", "coordinate system", "coordinate_system"}
_UNIT_COLUMNS = {"unit", "units", "coordinateunits"}
# Without an answer a point is placed where it has coordinates.
_YES, _NO = {"", "1", "true", "yes"}, {"0", "false", "no"}
_SEPARATORS = (",", ";", "\t")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_FCSV_HEADER = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
# Slicer writes two more fields than it names: the position status and whether the point was placed by itself.
_FCSV_UNNAMED = ["positionStatus", "autoCreated"]
_FCSV_DEFINED = "2"
_FCSV_STATUSES = ("0", "1", "2", "3")
_NODE_ID = "vtkMRML"


@dataclass(frozen=True)
class _Table:
    """The named columns of a table, which of them hold the position, and what separates its fields."""

    path: Path
    columns: tuple[str, ...]
    axes: tuple[str, str, str]
    separator: str = ","

    def rows(self, lines: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
        """The rows as (line number, {column: text}), without the blank ones; LandmarkError names the line."""
        reader = csv.reader(lines, delimiter=self.separator, strict=True)
        try:
            for fields in reader:
                if any(field.strip() for field in fields):
                    yield reader.line_num, self._row(fields, reader.line_num)
        except csv.Error as error:
            raise LandmarkError(
                f"{self.path}, line {reader.line_num}: {error}; a quote may not be closed, so correct the line."
            ) from error

    def _row(self, fields: list[str], line: int) -> dict[str, str]:
        rest = fields[len(self.columns) :]
        # A spreadsheet pads all rows to the length of the longest.
        if any(field.strip() for field in rest):
            raise LandmarkError(
                f"{self.path}, line {line}: {len(fields)} fields, but {len(self.columns)} columns; write "
                "numbers with a decimal point and put texts with commas in quotes."
            )
        return dict(zip(self.columns, (field.strip() for field in fields)))

    def coordinates(self, row: dict[str, str], line: int) -> list[float] | None:
        """The three numbers of a row, None where its cells for them are empty."""
        texts = [row.get(axis) for axis in self.axes]
        if not any(texts) and None not in texts:
            return None
        values = [self._number(text or "") for text in texts]
        if None in values:
            raise LandmarkError(
                f"{self.path}, line {line}: {','.join(self.axes)} are {','.join(text or '' for text in texts)[:200]}, not "
                "three finite numbers; correct or remove the line."
            )
        return [value for value in values if value is not None]

    def _number(self, text: str) -> float | None:
        # Where commas separate nothing, they are those of numbers.
        if self.separator != "," and _DECIMAL_COMMA.fullmatch(text):
            text = text.replace(",", ".")
        return float(text) if len(text) < 100 and _NUMBER.fullmatch(text) else None


def read_csv(path: Path, csv_frame: str | None) -> list[Landmark]:
    """The points of a `.csv` file; `csv_frame` says the frame where its columns do not."""
    if csv_frame is not None and csv_frame.upper() not in ("LPS", "RAS"):
        raise UsageError(f"{path}: the coordinate system of a .csv is LPS or RAS, not {csv_frame!r}.")
    lines = io.StringIO(read_text(path), newline=None).readlines()
    first, separator = _announced_separator(lines)
    table = _table(path, lines[first] if first < len(lines) else "", separator)
    frame = _csv_frame(table, csv_frame)
    # Blank lines in place of the first ones, so that the line numbers stay right.
    rows = table.rows(["\n"] * (first + 1) + lines[first + 1 :])
    return [
        landmark(
            row.get("label", ""),
            table.coordinates(row, line) if _is_defined(row, frame, f"{path}, line {line}") else None,
            frame,
            row.get("description", ""),
            f"{path}, line {line}",
        )
        for line, row in rows
    ]


def _is_defined(row: dict[str, str], frame: str, where: str) -> bool:
    """Whether a row says that its point is placed; LandmarkError where it says another frame or unit, or neither yes nor no."""
    for column, expected in ((_FRAME_COLUMNS, frame), (_UNIT_COLUMNS, "mm")):
        for name in column & row.keys():
            if row[name] and row[name].lower() != expected.lower():
                raise LandmarkError(
                    f"{where}: its {name} is {row[name][:40]!r}, but {expected} is read; convert the points, or correct "
                    "the column."
                )
    said = row.get("defined", "").lower()
    if said not in _YES | _NO:
        raise LandmarkError(f"{where}: its column defined says {said[:40]!r}; write 1 or 0.")
    return said not in _NO


def _announced_separator(lines: Sequence[str]) -> tuple[int, str]:
    """The number of the header's line, and the separator that a spreadsheet's `sep=` line before it names."""
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    match = re.fullmatch(r'"?sep=(.)"?', lines[first].strip("\r\n ")) if lines else None
    return (first + 1, match.group(1)) if match else (first, "")


def _table(path: Path, header: str, separator: str) -> _Table:
    """The columns by the separator that makes most sense of the header."""
    for sign in [separator] if separator else _SEPARATORS:
        names = _names(header, sign)
        found = [axes for axes in _AXES if set(axes) <= set(names)]
        if "label" in names and found:
            _refuse_repeated(names, path)
            if len(found) > 1:
                raise LandmarkError(
                    f"{path}: it has the columns {' and '.join(','.join(axes) for axes in found)}; leave one of them out."
                )
            return _Table(path, tuple(names), found[0], sign)
    raise _absent_columns(_names(header, separator or ","), path)


def _names(header: str, separator: str) -> list[str]:
    names: list[str] = next(csv.reader([header], delimiter=separator), [])
    return [name.strip().lower() for name in names]


def _absent_columns(names: Sequence[str], path: Path) -> LandmarkError:
    absent = [name for name in ("label", "x", "y", "z") if name not in names]
    return LandmarkError(
        f"{path}: it has no column {', '.join(absent)}, but {','.join(names)[:200]}; name the columns "
        "label,x,y,z in the header, separated by commas."
    )


def _refuse_repeated(names: Sequence[str], path: Path) -> None:
    if repeated := [name for name, count in Counter(names).items() if count > 1 and name]:
        raise LandmarkError(
            f"{path}: more than one column is called {', '.join(repeated)[:200]}; give every one its own name."
        )


def _csv_frame(table: _Table, csv_frame: str | None) -> str:
    said = _AXES[table.axes]
    if said is None and csv_frame is None:
        raise UsageError(
            f"{table.path}: a .csv file doesn't say its coordinate system; give --csv-frame LPS or --csv-frame RAS "
            '(in Python csv_frame="LPS" or "RAS").'
        )
    if said is not None and csv_frame is not None and csv_frame.upper() != said:
        raise LandmarkError(
            f"{table.path}: its columns {','.join(table.axes)} say that it counts in {said}, but the frame given is "
            f"{csv_frame.upper()}; leave --csv-frame out, or name the columns x,y,z."
        )
    return said or (csv_frame or "").upper()


# ---- .fcsv


def read_fcsv(path: Path) -> list[Landmark]:
    """The points of a `.fcsv` file of 3D Slicer."""
    lines = io.StringIO(read_text(path), newline=None).readlines()
    header = _fcsv_header(lines, path)
    if "CoordinateSystem" not in header:
        raise LandmarkError(
            f"{path}: it doesn't say its coordinate system; add the line '# CoordinateSystem = LPS' or "
            "'# CoordinateSystem = RAS' at its top."
        )
    frame = frame_from(header["CoordinateSystem"], path)
    columns = [name.strip() for name in header.get("columns", _FCSV_HEADER).split(",")]
    _refuse_repeated(columns, path)
    if not {"label", "x", "y", "z"} <= set(columns):
        raise _absent_columns(columns, path)
    table = _Table(path, (*columns, *_FCSV_UNNAMED), ("x", "y", "z"))
    # Comments become blank lines, so that the line numbers stay right.
    rows = table.rows("\n" if line.startswith("#") else line for line in lines)
    return [_landmark_from_fcsv(table, row, line, frame) for line, row in rows]


def _fcsv_header(lines: Sequence[str], path: Path) -> dict[str, str]:
    header: dict[str, str] = {}
    for line in lines:
        match = re.match(r"#\s*(\w+)\s*=\s*(.*)", line)
        if match is None:
            continue
        name, value = match.group(1), match.group(2).strip()
        if re.search(r"[,;]\s*$", value) or (name == "columns" and ";" in value):
            raise LandmarkError(
                f"{path}: a spreadsheet program has saved it with trailing commas or semicolons ({line.strip()[:60]!r}), "
                "which 3D Slicer misreads as well; save the points again in 3D Slicer, or as .csv with the columns "
                "label,x,y,z."
            )
        if header.setdefault(name, value) != value:
            raise LandmarkError(f"{path}: it says {name} twice, {header[name][:40]!r} and {value[:40]!r}.")
    return header


def _landmark_from_fcsv(table: _Table, row: dict[str, str], line: int, frame: str) -> Landmark:
    where = f"{table.path}, line {line}"
    status = row.get("positionStatus") or _FCSV_DEFINED
    node = row.get("associatedNodeID", "")
    if status not in _FCSV_STATUSES or (node and not node.startswith(_NODE_ID)):
        raise LandmarkError(
            f"{where}: its fields are shifted ({node[:40]!r} for a node, {status[:40]!r} for a status); put texts with "
            "commas in quotes."
        )
    coordinates = table.coordinates(row, line)
    if status == _FCSV_DEFINED and coordinates is None:
        raise LandmarkError(f"{where}: it has no x,y,z; correct or remove the line.")
    coordinates = coordinates if status == _FCSV_DEFINED else None
    return landmark(row.get("label", ""), coordinates, frame, row.get("desc", ""), where)
