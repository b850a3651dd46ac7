"""Where other series cut a slice, as the headers say and as a network sees it, with how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ..core.planes import trace_of
from ..core.slice_order import OrderCheck, check_order, check_predicted_order, relative_locations
from ..io.exams import Exam, ExamSeries, ExamSlice
from ..utils.errors import VolumeError
from ..utils.translation import _
from .pretrain_command import PretrainedRun
from .slice_samples import NO_AUGMENTATION, cell_plane, draw_sample
from .slices import PoolSlice, slices_of
from .tasks import SliceFeatures
from .tasks.lines import line_errors_mm, sureness


@dataclass(frozen=True, eq=False)
class SeenLine:
    """What a network makes of one view on one slice.

    `heat [rows, columns]` of the slice's own pixels, NaN where it was not looked; `sure` from 0 to 1; `error_mm` from the
    line of the headers, NaN where that is not defined.
    """

    view: str
    heat: NDArray[np.float64]
    sure: float
    error_mm: float

    @property
    def remark(self) -> str:
        """How sure the network is, and how far from the line of the headers."""
        if not np.isfinite(self.error_mm):
            return _("network sure {share}").format(share=f"{self.sure:.0%}")
        sure = _("network sure {share}, off {distance} mm")
        return sure.format(share=f"{self.sure:.0%}", distance=f"{self.error_mm:.0f}")


def seen_lines(run: PretrainedRun, exam: Exam, series: ExamSeries, part: ExamSlice) -> list[SeenLine]:
    """What a run that learnt lines sees on one slice, for those of its views that the exam has."""
    if "lines" not in run.heads:
        return []
    pooled = _pooled(run, exam, series, part)
    head = run.heads["lines"]
    sample = draw_sample(pooled, run.views, run.level, NO_AUGMENTATION, np.random.default_rng(0))
    with torch.inference_mode():
        features = _features(run, [pooled])
        heat = head.heat(head(features), sample.sd_mm[None])
    distance, defined = sample.distance_mm[None], sample.defined[None]
    errors, sure = line_errors_mm(heat, distance, defined)[0], sureness(heat, distance, defined)[0]
    pixels = cell_plane(sample.plane).pixels_of(part.plane.grid_lps())
    return [
        SeenLine(
            view, _on_pixels(heat[0, number].numpy(), pixels), float(sure[number]), float(errors[number])
        )
        for number, view in enumerate(run.views)
        if view in pooled.guides
    ]


def seen_locations(run: PretrainedRun, exam: Exam, series: ExamSeries) -> list[float]:
    """Where in its stack a run that learnt locations sees each slice of a series, from 0 to 1."""
    parts = [part for part in slices_of(exam, run.level.spacing_mm, _ignored) if part.view == series.view]
    with torch.inference_mode():
        told: list[float] = run.heads["location"](_features(run, parts)).tolist()
    return told


def order_of(series: ExamSeries, exam: Exam, run: PretrainedRun | None = None) -> OrderCheck:
    """What is wrong with the order of a series, by its headers and, with a run, by its pictures; nothing where it is no stack."""
    distinct = series.first_in_place()
    names = [part.name for part in distinct.slices]
    try:
        by_headers = check_order(distinct.planes, names)
        locations = relative_locations(distinct.planes)
    except VolumeError:
        return OrderCheck(())
    if run is None or "location" not in run.heads:
        return by_headers
    others = tuple(other for other in exam.series if other.view != series.view)
    predicted = seen_locations(run, Exam(exam.name, (distinct, *others)), distinct)
    by_pictures = check_predicted_order(locations.tolist(), predicted, names)
    return OrderCheck((*by_headers.warnings, *by_pictures.warnings))


def best_slice(exam: Exam, series: ExamSeries) -> ExamSlice:
    """The slice of a series that most other slices cut, the middle one where several are alike."""
    others = [
        plane for other in exam.series if other is not series for plane in other.first_in_place().planes
    ]
    parts = series.first_in_place().slices
    cuts = [sum(trace_of(part.plane, other) is not None for other in others) for part in parts]
    best = np.flatnonzero(np.array(cuts) == max(cuts))
    return parts[int(best[len(best) // 2])]


def _pooled(run: PretrainedRun, exam: Exam, series: ExamSeries, part: ExamSlice) -> PoolSlice:
    parts = slices_of(exam, run.level.spacing_mm, _ignored)
    return next(found for found in parts if found.view == series.view and found.name == part.name)


def _features(run: PretrainedRun, parts: Sequence[PoolSlice]) -> SliceFeatures:
    rng = np.random.default_rng(0)
    samples = [draw_sample(part, run.views, run.level, NO_AUGMENTATION, rng) for part in parts]
    scales = run.network(torch.stack([sample.image for sample in samples])[:, None])
    return SliceFeatures(scales, run.network.decoded(scales))


def _on_pixels(cells: NDArray[np.float32], pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of cells `[h,w]` at fractional cells `[rows,columns,2]` (column, row); NaN beyond them."""
    size = np.array(cells.shape[::-1])
    where = torch.from_numpy((pixels + 0.5) / size * 2 - 1).float()[None]
    values = torch.from_numpy(np.ascontiguousarray(cells))[None, None]
    sampled = functional.grid_sample(values, where, align_corners=False, padding_mode="border")[0, 0].numpy()
    inside = ((pixels >= -0.5) & (pixels <= size - 0.5)).all(axis=-1)
    return np.where(inside, sampled, np.nan).astype(float)


def _ignored(_note: str) -> None:
    """Notes about stacks were told when the exam was read."""
