"""The raw rows of a benchmark: one table of landmarks and one of pairs, appended as they come.

A pair counts as done when its row is in the table of pairs, which is written after those of its landmarks. So a
benchmark may be cut off at any moment: what belongs to no finished pair is dropped when it goes on.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar, get_type_hints

import numpy as np

from ...utils.files import output_errors, write_atomically

PAIRS_NAME, LANDMARKS_NAME = "pairs.csv", "landmarks.csv"
COLUMNS = {"baseline": "peer"}
"""Columns of the tables that are not called as the fields: they keep the name of the first version."""


@dataclass(frozen=True)
class PairRow:
    """What one baseline took for one pair; times in seconds, `load_seconds` to `transfer_seconds` NaN after a failure."""

    set: str
    template: str
    target: str
    baseline: str
    points: int
    seconds: float
    load_seconds: float
    read_seconds: float
    transfer_seconds: float
    peak_mib: float
    failure: str
    finished: str
    commit: str

    @property
    def pair(self) -> tuple[str, str, str]:
        return (self.set, self.template, self.target)


@dataclass(frozen=True)
class LandmarkRow:
    """One landmark's true and found place, LPS mm, by one baseline; NaN where it was not found."""

    set: str
    template: str
    target: str
    baseline: str
    label: str
    quality: int
    x_true_lps: float
    y_true_lps: float
    z_true_lps: float
    x_found_lps: float
    y_found_lps: float
    z_found_lps: float
    error_mm: float

    @property
    def pair(self) -> tuple[str, str, str]:
        return (self.set, self.template, self.target)

    @property
    def error_or_infinity(self) -> float:
        """The error in mm, infinity where there is no position."""
        return self.error_mm if np.isfinite(self.error_mm) else np.inf


Row = TypeVar("Row", PairRow, LandmarkRow)


class RawRows:
    """The two tables in a folder, read when opened, grown by `add`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.pairs = _read(folder / PAIRS_NAME, PairRow)
        done = {(row.baseline, row.pair) for row in self.pairs}
        self.landmarks = [
            row for row in _read(folder / LANDMARKS_NAME, LandmarkRow) if (row.baseline, row.pair) in done
        ]

    @staticmethod
    def exist_in(folder: Path) -> bool:
        return (folder / PAIRS_NAME).exists()

    def begin(self) -> None:
        """Write both tables anew, without what was cut off."""
        write_atomically(self._folder / LANDMARKS_NAME, _text(LandmarkRow, self.landmarks))
        write_atomically(self._folder / PAIRS_NAME, _text(PairRow, self.pairs))

    def drop(self, baselines: Iterable[str]) -> None:
        """Forget the rows of some baselines, so that they are run again."""
        gone = set(baselines)
        self.pairs = [row for row in self.pairs if row.baseline not in gone]
        self.landmarks = [row for row in self.landmarks if row.baseline not in gone]

    def has(self, baseline: str, pair: tuple[str, str, str]) -> bool:
        """Whether a baseline has done a pair already."""
        return any(row.baseline == baseline and row.pair == pair for row in self.pairs)

    def add(self, pair: PairRow, landmarks: Sequence[LandmarkRow]) -> None:
        """Append a finished pair to both tables; OutputError where they can't be written."""
        _append(self._folder / LANDMARKS_NAME, _text(LandmarkRow, landmarks, header=False))
        _append(self._folder / PAIRS_NAME, _text(PairRow, [pair], header=False))
        self.pairs.append(pair)
        self.landmarks.extend(landmarks)


def _text(kind: type[Row], rows: Sequence[Row], header: bool = True) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    if header:
        writer.writerow([COLUMNS.get(field.name, field.name) for field in fields(kind)])
    writer.writerows([_cell(value) for value in asdict(row).values()] for row in rows)
    return stream.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if np.isfinite(value) else ""
    return " ".join(str(value).split())


def _append(path: Path, text: str) -> None:
    with output_errors(path), open(path, "a", encoding="utf-8", newline="") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _read(path: Path, kind: type[Row]) -> list[Row]:
    """The whole rows of a table; a last line that was cut off is none."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    lines = text[: text.rfind("\n") + 1].splitlines()
    types = get_type_hints(kind)
    return [
        kind(**{name: _value(row[COLUMNS.get(name, name)], types[name]) for name in types})
        for row in csv.DictReader(lines)
    ]


def _value(text: str, kind: type) -> object:
    return np.nan if kind is float and not text else kind(text)
