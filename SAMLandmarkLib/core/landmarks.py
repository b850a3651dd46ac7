"""Landmarks: labelled points in a patient, in LPS millimetres."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload

import numpy as np

from ..utils.errors import LandmarkError


@dataclass(frozen=True, eq=False)
class Landmark:
    """A labelled point: `position_lps (3,)` in LPS mm, or None where it has none (undefined or missing).

    >>> Landmark("carina", [-1.5, 15.5, -115.0]).position_lps.tolist()
    [-1.5, 15.5, -115.0]
    """

    label: str
    position_lps: np.ndarray | None
    description: str = ""

    def __post_init__(self) -> None:
        if self.position_lps is not None:
            object.__setattr__(self, "position_lps", _checked_position(self.label, self.position_lps))


class LandmarkSet(Sequence[Landmark]):
    """Landmarks in their order, with labels that are all different.

    Raises LandmarkError where there are none, or where labels are blank or occur twice; the message names
    `source`, the file they come from.

    >>> landmarks = LandmarkSet([Landmark("carina", [-1.5, 15.5, -115.0]), Landmark("left hilum", None)])
    >>> landmarks.labels, landmarks.positions_lps.tolist()
    (('carina', 'left hilum'), [[-1.5, 15.5, -115.0], [nan, nan, nan]])
    """

    def __init__(self, landmarks: Iterable[Landmark], source: Path | None = None) -> None:
        self._landmarks = tuple(landmarks)
        self.source = source
        _check_labels(self.labels, "The landmarks" if source is None else str(source))

    @classmethod
    def read(
        cls, path: str | os.PathLike[str], csv_frame: Literal["LPS", "RAS"] | None = None
    ) -> LandmarkSet:
        """Read 3D Slicer's `.mrk.json` or `.fcsv`, or a `.csv` with the columns `label,x,y,z`.

        A `.csv` doesn't say whether it counts in LPS or RAS, so `csv_frame` must; the other formats do, and
        don't look at it. Raises LandmarkError, naming the file and the line or point, or UsageError where
        `csv_frame` is needed.
        """
        # Here, because that module makes Landmarks.
        from ..io.landmark_files import read_landmarks

        path = Path(path)
        return cls(read_landmarks(path, csv_frame), path)

    @classmethod
    def from_points(cls, labels: Sequence[str], positions_lps: np.ndarray) -> LandmarkSet:
        """Landmarks from labels and points `(n, 3)` in LPS mm; a row of NaN is one without position."""
        positions = (
            None if np.isnan(point).all() else point for point in np.asarray(positions_lps, dtype=float)
        )
        return cls(Landmark(label, position) for label, position in zip(labels, positions, strict=True))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in order."""
        return tuple(landmark.label for landmark in self)

    @property
    def positions_lps(self) -> np.ndarray:
        """The points `(n, 3)` in LPS mm, NaN where a landmark has no position."""
        undefined = np.full(3, np.nan)
        return np.array([undefined if item.position_lps is None else item.position_lps for item in self])

    def __len__(self) -> int:
        return len(self._landmarks)

    def __iter__(self) -> Iterator[Landmark]:
        return iter(self._landmarks)

    @overload
    def __getitem__(self, index: int) -> Landmark: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Landmark, ...]: ...

    def __getitem__(self, index: int | slice) -> Landmark | tuple[Landmark, ...]:
        return self._landmarks[index]

    def __repr__(self) -> str:
        return f"LandmarkSet({', '.join(self.labels)})"


def _checked_position(label: str, position_lps: np.ndarray) -> np.ndarray:
    position = np.array(position_lps, dtype=float)
    if position.shape != (3,) or not np.isfinite(position).all():
        raise LandmarkError(
            f"Landmark {label!r}: a position is three finite numbers in mm, not {position.tolist()}; give "
            "None where there is no position."
        )
    position.setflags(write=False)
    return position


def _check_labels(labels: tuple[str, ...], origin: str) -> None:
    if not labels:
        raise LandmarkError(
            f"{origin}: there are no landmarks in it; place at least one point and save again."
        )
    if blank := [str(number) for number, label in enumerate(labels, start=1) if not label.strip()]:
        raise LandmarkError(
            f"{origin}: landmark number {', '.join(blank)} has no label; give every one its own."
        )
    if repeated := [label for label, count in Counter(labels).items() if count > 1]:
        names = ", ".join(repr(label) for label in repeated)
        raise LandmarkError(
            f"{origin}: more than one landmark is called {names}; give every one its own label."
        )
