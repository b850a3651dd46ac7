"""Slices of exams for the pretext tasks: normalised pictures, with all geometry that targets are computed from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.modality import InputNormalisation, Modality
from ..core.planes import SlicePlane
from ..core.slice_order import heights_mm, relative_locations
from ..io.exams import Exam, ExamSeries, ExamSlice, read_exams
from ..utils.errors import UsageError, VolumeError

SLICE = Modality(
    name="slice",
    title="Slice",
    spatial_axes=2,
    unit="grey value",
    intensity_range=(0.0, 1.0),
    padding_value=0.0,
    # of each slice by itself, since the numbers of MR scanners have no fixed meaning
    normalisation=InputNormalisation(windows=((0.0, 1.0),), percentiles=(0.5, 99.5)),
)
"""One slice of any scanner, CT or MR, by its own darkest and brightest parts."""
MOST_VIEWS = 8
_NUMBER_OF_EXAM = re.compile(r" \(\d+\)$")


@dataclass(frozen=True, eq=False)
class GuidePlane:
    """The slice that stands for a series when lines are asked for, the middle one, and its thickness."""

    plane: SlicePlane
    thickness_mm: float | None


@dataclass(frozen=True, eq=False)
class PoolSlice:
    """A slice to train on: grey values `[rows, columns]` of 0 to 1, and where it lies.

    `guides` are the other series of its exam by view; `location` is its place in its stack, from 0 to 1, None where the
    series is no stack.
    """

    exam: str
    view: str
    name: str
    plane: SlicePlane
    values: NDArray[np.float32]
    guides: dict[str, GuidePlane]
    location: float | None


@dataclass(frozen=True, eq=False)
class SlicePool:
    """All slices of the exams of a folder; `views` are those that lines are asked for, `notes` what could not be used."""

    slices: tuple[PoolSlice, ...]
    views: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path, spacing_mm: float) -> SlicePool:
        """Read a folder of exams for a network that sees pixels of `spacing_mm`; UsageError where none can be used."""
        found = read_exams(folder)
        notes = list(found.notes)
        slices = tuple(part for exam in found.exams for part in slices_of(exam, spacing_mm, notes.append))
        return cls(slices, _common_views(found.exams), tuple(notes))

    @property
    def exams(self) -> tuple[str, ...]:
        """The names of the exams, in order."""
        return tuple(sorted({part.exam for part in self.slices}))

    def of(self, exams: Sequence[str]) -> SlicePool:
        """The slices of some of the exams, with the same views."""
        kept = set(exams)
        return SlicePool(tuple(part for part in self.slices if part.exam in kept), self.views)

    def split(self, every: int) -> tuple[SlicePool, SlicePool]:
        """What to train on, and the exams of every n-th patient to measure with; none of them where `every` is 0."""
        patients = tuple(dict.fromkeys(_patient(exam) for exam in self.exams))
        held_out = patients[every - 1 :: every] if every else ()
        known = [exam for exam in self.exams if _patient(exam) in held_out]
        return self.of([exam for exam in self.exams if exam not in known]), self.of(known)

    def with_lines(self) -> SlicePool:
        """Only slices of exams that have another series; UsageError where there are none."""
        kept = tuple(part for part in self.slices if set(part.guides) & set(self.views))
        if not kept:
            raise UsageError(
                "No exam has two series that cut each other, so there are no lines to learn; give exams with series in several "
                "planes, such as those of `samlandmark planes`, or choose --task location."
            )
        return SlicePool(kept, self.views, self.notes)

    def with_locations(self) -> SlicePool:
        """Only slices of stacks; UsageError where there are none."""
        kept = tuple(part for part in self.slices if part.location is not None)
        if not kept:
            raise UsageError(
                "No series is a stack of three parallel slices or more, so there are no locations to learn; give such exams or "
                "choose --task lines."
            )
        return SlicePool(kept, self.views, self.notes)


def slices_of(exam: Exam, spacing_mm: float, note: Callable[[str], None]) -> list[PoolSlice]:
    """The slices of an exam; `note` is told why some have no location."""
    guides = {
        series.view: GuidePlane(middle_plane(series.planes), series.thickness_mm) for series in exam.series
    }
    found = []
    for series in exam.series:
        others = {view: guide for view, guide in guides.items() if view != series.view}
        for part, location in zip(series.slices, _locations(exam, series, note)):
            plane, values = reduced(part, spacing_mm)
            found.append(PoolSlice(exam.name, series.view, part.name, plane, values, others, location))
    return found


def middle_plane(planes: Sequence[SlicePlane]) -> SlicePlane:
    """The middle one of parallel slices, by where they lie."""
    heights = [float(plane.center_lps @ planes[0].normal_lps) for plane in planes]
    return planes[int(np.argsort(heights, kind="stable")[len(heights) // 2])]


def reduced(part: ExamSlice, spacing_mm: float) -> tuple[SlicePlane, NDArray[np.float32]]:
    """A slice in grey values of 0 to 1, its pixels averaged in blocks as long as they stay finer than `spacing_mm`."""
    plane = part.plane
    values = SLICE.normalised(part.values[None])[0].astype(np.float32)
    across, down = np.maximum(1, np.floor(spacing_mm / plane.pixel_spacing_mm + 1e-6)).astype(int)
    across, down = min(across, plane.columns), min(down, plane.rows)
    rows, columns = plane.rows // down, plane.columns // across
    blocks = values[: rows * down, : columns * across].reshape(rows, down, columns, across)
    origin = plane.lps_of(np.array([(across - 1) / 2, (down - 1) / 2]))
    coarser = SlicePlane(origin, across * plane.column_step_lps, down * plane.row_step_lps, rows, columns)
    return coarser, blocks.mean(axis=(1, 3), dtype=np.float32)


def _patient(exam: str) -> str:
    """The patient of an exam; the exams of one have numbers behind the name."""
    return _NUMBER_OF_EXAM.sub("", exam)


def _locations(exam: Exam, series: ExamSeries, note: Callable[[str], None]) -> list[float | None]:
    distinct = series.first_in_place()
    if len(distinct.slices) == 1:
        return [None] * len(series.slices)
    try:
        heights_mm(distinct.planes)
        return list(relative_locations(series.planes))
    except VolumeError as error:
        note(f"{exam.name}, {series.view}: no locations. {error}")
        return [None] * len(series.slices)


def _common_views(exams: Sequence[Exam]) -> tuple[str, ...]:
    """The views that lines are asked for: those of at least two exams, or all of a single one."""
    counts = Counter(series.view for exam in exams if len(exam.series) > 1 for series in exam.series)
    least = 2 if len(exams) > 1 else 1
    common = [view for view, count in counts.most_common() if count >= least]
    return tuple(sorted(common[:MOST_VIEWS]))
