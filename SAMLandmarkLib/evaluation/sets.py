"""Test sets on disk: which landmarks are carried from which volume to which.

A test set is a folder of volumes, each with its landmarks beside it in `<volume>.csv` (`label,x,y,z`, LPS mm,
and `quality`: 1 certain, 2 good, 3 not to be scored). A folder with the volumes `template` and `followup` is
one pair, template → followup; of any other folder all ordered pairs count, over the labels that both volumes
have.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..core.landmarks import LandmarkSet
from ..io.volume_paths import VOLUME_SUFFIXES, volume_files, volume_name
from ..utils.errors import LandmarkError, UsageError

WORST_SCORED_QUALITY = 2


@dataclass(frozen=True)
class AnnotatedVolume:
    """A volume file and the landmarks that a reader set in it."""

    path: Path
    landmarks: LandmarkSet
    quality: dict[str, int]

    @classmethod
    def read(cls, path: Path) -> AnnotatedVolume:
        """Read the landmarks beside a volume file; the volume itself stays on disk."""
        table = path.with_name(f"{volume_name(path)}.csv")
        if not table.is_file():
            raise LandmarkError(
                f"{path}: its landmarks are expected in {table.name} beside it, which is not there."
            )
        return cls(path, LandmarkSet.read(table, csv_frame="LPS"), read_quality(table))

    @property
    def name(self) -> str:
        """File name without the volume suffix."""
        return volume_name(self.path)

    @cached_property
    def position_of(self) -> dict[str, np.ndarray]:
        """Label → position, `(3,)` LPS mm."""
        return dict(zip(self.landmarks.labels, self.landmarks.positions_lps))


@dataclass(frozen=True)
class EvaluationPair:
    """One transfer task: the landmarks that both volumes have, carried from template to target."""

    template: AnnotatedVolume
    target: AnnotatedVolume

    @property
    def labels(self) -> list[str]:
        """Labels that both volumes have, in the template's order."""
        return [label for label in self.template.landmarks.labels if label in self.target.position_of]

    def quality(self, label: str) -> int:
        """The worse of the two readings' qualities."""
        return max(self.template.quality[label], self.target.quality[label])


@dataclass(frozen=True)
class EvaluationSet:
    """A named list of transfer tasks."""

    name: str
    pairs: tuple[EvaluationPair, ...]


def find_evaluation_sets(directory: Path, names: Sequence[str] = ()) -> list[EvaluationSet]:
    """The test sets in the sub-folders of `directory`, all of them or those named.

    Raises UsageError where there is no such set, LandmarkError where a landmark file is missing or wrong.
    """
    folders = {folder.name: folder for folder in _subfolders(directory) if volume_files(folder)}
    if not folders:
        raise UsageError(
            f"{directory}: expected sub-folders that hold volumes ({', '.join(VOLUME_SUFFIXES)}) with "
            "their landmarks in <volume>.csv, found none; give the folder that holds the test sets."
        )
    if unknown := sorted(set(names) - set(folders)):
        raise UsageError(f"{directory} has no test set {', '.join(unknown)}; it has {', '.join(folders)}.")
    return [read_evaluation_set(folder) for name, folder in folders.items() if not names or name in names]


def read_evaluation_set(folder: Path) -> EvaluationSet:
    """The test set in one folder."""
    volumes = {volume.name: volume for volume in map(AnnotatedVolume.read, volume_files(folder))}
    pairs = [pair for pair in _pairs(volumes) if pair.labels]
    if not pairs:
        raise UsageError(
            f"{folder}: no two volumes there have a label in common ({', '.join(volumes)}); "
            "a test set needs at least one pair."
        )
    return EvaluationSet(folder.name, tuple(pairs))


def _pairs(volumes: dict[str, AnnotatedVolume]) -> Iterable[EvaluationPair]:
    """Both directions of a pair follow each other, so that a pair's embeddings are wanted only once."""
    if {"template", "followup"} <= set(volumes):
        return [EvaluationPair(volumes["template"], volumes["followup"])]
    couples = itertools.combinations(volumes.values(), 2)
    return [EvaluationPair(*ordered) for couple in couples for ordered in (couple, couple[::-1])]


def _subfolders(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a folder; give the folder that holds the test sets.")
    return sorted(item for item in directory.iterdir() if item.is_dir() and not item.name.startswith("."))


def read_quality(table: Path) -> dict[str, int]:
    """Label → quality of a landmark file; 1 for all of them where the file has no such column."""
    rows = csv.reader(table.read_text(encoding="utf-8-sig").splitlines())
    columns = [name.strip().lower() for name in next(rows)]
    named = (dict(zip(columns, map(str.strip, row))) for row in rows if any(map(str.strip, row)))
    return {row["label"]: _quality(row.get("quality", "1"), table, rows.line_num) for row in named}


def _quality(text: str, table: Path, line: int) -> int:
    if text not in ("1", "2", "3"):
        raise LandmarkError(
            f"{table}, line {line}: quality must be 1, 2 or 3, got {text!r}; correct the file."
        )
    return int(text)
