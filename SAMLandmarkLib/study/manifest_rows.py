"""The lines of a manifest, from CSV or JSON, before anybody has looked at what they say."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..utils.errors import UsageError

COLUMNS = ("patient", "role", "date", "volume", "landmarks")


@dataclass(frozen=True)
class Row:
    """A line of the manifest: where it stands, and its values by column."""

    where: str
    values: Mapping[str, str]


def read_rows(path: Path, columns: Sequence[str] = COLUMNS) -> list[Row]:
    """The lines of a manifest that hold anything; a table must have these `columns`. Raises UsageError where it is none."""
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no ordinary file; give a .csv or .json file.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(
            f"{path} can't be read as a manifest: {reason}; give a .csv or .json file."
        ) from error
    is_json = path.suffix.lower() == ".json"
    rows = _rows_of_json(path, text) if is_json else _rows_of_csv(path, text, columns)
    if not rows:
        raise UsageError(f"{path} lists no scans; write a line for each template and each follow-up.")
    return rows


def _rows_of_csv(path: Path, text: str, columns: Sequence[str]) -> list[Row]:
    first_line = text.partition("\n")[0]
    # what spreadsheets write where the comma is the decimal point
    separator = ";" if ";" in first_line and "," not in first_line else ","
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    try:
        lines = [(reader.line_num, line) for line in reader if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}: {error}; check the quotes.") from error
    if not lines:
        return []
    header = [name.strip().lower() for name in lines[0][1]]
    _require_columns(path, header, columns)
    too_long = [number for number, line in lines if len(line) > len(header)]
    if too_long:
        raise UsageError(
            f"{path}, line {too_long[0]}: there are more cells than the {len(header)} columns of the first line; put "
            'values with a comma into "quotes".'
        )
    return [Row(f"line {number}", dict(zip(header, line, strict=False))) for number, line in lines[1:]]


def _require_columns(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        raise UsageError(
            f"{path}, line 1: the columns {', '.join(missing)} are missing; the first line must name "
            f"{', '.join(columns)}, and is {', '.join(header)}."
        )
    repeated = [name for name in COLUMNS if list(header).count(name) > 1]
    if repeated:
        raise UsageError(f"{path}, line 1: the column {repeated[0]} is there twice; keep one.")


def _rows_of_json(path: Path, text: str) -> list[Row]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{path}, line {error.lineno}, column {error.colno}: {error.msg}; mend the JSON."
        ) from error
    except (RecursionError, ValueError) as error:
        # Nested a thousand times, or a number of thousands of digits.
        raise UsageError(f"{path} is JSON that no program writes ({error}); mend it.") from error
    entries = document.get("scans") if isinstance(document, dict) else document
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(
            f'{path}: a manifest in JSON is a list of objects with {", ".join(COLUMNS)}, or {{"scans": [...]}}.'
        )
    return [
        Row(f"entry {number}", {key: _json_text(value) for key, value in entry.items()})
        for number, entry in enumerate(entries, start=1)
    ]


def _json_text(value: Any) -> str:
    return "" if value is None else str(value)
