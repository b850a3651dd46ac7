"""Samples of slices: turned, scaled and shifted within their plane, with the plane computed anew, not the targets turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..core.planes import (
    SlicePlane,
    are_near_parallel,
    line_width_mm,
    seen_by_guide,
    signed_distance_mm,
)
from .config import LevelTraining
from .film_appearance import OUTSIDE_FILM, vary_film
from .pairs import TrainingPair
from .slices import PoolSlice, SlicePool

CELL = 2
"""Pixels along a side of a cell of the network's output."""
TISSUE_FROM = 0.08
"""Grey values above it are anatomy and not the air around it."""


@dataclass(frozen=True)
class Augmentation:
    """Greatest turn, scale and shift within the plane; small, since planes follow the anatomy (Zhang et al., section 4.2)."""

    rotation_degrees: float = 10.0
    log_scale: float = 0.1
    shift_mm: float = 15.0


USUAL_AUGMENTATION = Augmentation()
NO_AUGMENTATION = Augmentation(0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class SliceSample:
    """A picture `[1,H,W]` and what is to be told from it.

    `distance_mm [views,h,w]`: of the cells from each view's line, within the slice; `defined [views,h,w]`: where that is
    asked; `sd_mm [views]`: of the heat map; `location`: from 0 to 1, NaN where none is known; `plane`: of the pixels.
    """

    image: Tensor
    plane: SlicePlane
    distance_mm: Tensor
    defined: Tensor
    sd_mm: Tensor
    location: float


def sampled_plane(
    plane: SlicePlane, level: LevelTraining, augmentation: Augmentation, rng: np.random.Generator
) -> SlicePlane:
    """A grid of the network's size within the plane of a slice, about its middle, at random within the augmentation."""
    turn = np.radians(rng.uniform(-1, 1) * augmentation.rotation_degrees)
    pitch = level.spacing_mm * np.exp(rng.uniform(-1, 1) * augmentation.log_scale)
    along = plane.column_step_lps / np.linalg.norm(plane.column_step_lps)
    across = plane.row_step_lps - (plane.row_step_lps @ along) * along
    across = across / np.linalg.norm(across)
    u = np.cos(turn) * along + np.sin(turn) * across
    v = np.cos(turn) * across - np.sin(turn) * along
    shift = rng.uniform(-1, 1, 2) * augmentation.shift_mm
    _, rows, columns = level.patch_kji
    middle = plane.center_lps + shift[0] * u + shift[1] * v
    origin = middle - pitch * ((columns - 1) / 2 * u + (rows - 1) / 2 * v)
    return SlicePlane(origin, pitch * u, pitch * v, rows, columns)


def cell_plane(plane: SlicePlane) -> SlicePlane:
    """The grid of the network's output over the pixels of a sample."""
    origin = plane.lps_of(np.array([(CELL - 1) / 2, (CELL - 1) / 2]))
    return SlicePlane(
        origin,
        CELL * plane.column_step_lps,
        CELL * plane.row_step_lps,
        plane.rows // CELL,
        plane.columns // CELL,
    )


def picture(part: PoolSlice, plane: SlicePlane) -> Tensor:
    """The slice on another grid of its plane, `[1,H,W]`; `OUTSIDE_FILM` beyond its edges."""
    pixels = torch.from_numpy(part.plane.pixels_of(plane.grid_lps())).float()
    size = torch.tensor([part.plane.columns, part.plane.rows])
    values = torch.from_numpy(part.values)[None, None] - OUTSIDE_FILM
    where = ((pixels + 0.5) / size * 2 - 1)[None]
    sampled = functional.grid_sample(values, where, align_corners=False, padding_mode="border")
    inside = ((pixels >= -0.5) & (pixels <= size - 0.5)).all(dim=-1)
    return torch.where(inside, sampled[0, 0] + OUTSIDE_FILM, torch.tensor(OUTSIDE_FILM))[None]


def line_targets(part: PoolSlice, cells: SlicePlane, views: tuple[str, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Signed distances and where they are defined, `[views,h,w]`, and the width of each heat map, `[views]` mm.

    Not defined are views that the exam lacks or that are near-parallel, cells beyond the slice, and cells whose nearest
    point of the line lies beyond the other slice.
    """
    shape = (len(views), cells.rows, cells.columns)
    distance, defined = np.zeros(shape, np.float32), np.zeros(shape, bool)
    inside: NDArray[np.bool_] = part.plane.contains_pixels(part.plane.pixels_of(cells.grid_lps()))
    widths = np.full(len(views), line_width_mm(None), np.float32)
    for number, view in enumerate(views):
        guide = part.guides.get(view)
        if guide is None or are_near_parallel(cells, guide.plane):
            continue
        distance[number] = signed_distance_mm(cells, guide.plane)
        defined[number] = inside & seen_by_guide(cells, guide.plane)
        widths[number] = line_width_mm(guide.thickness_mm)
    return torch.from_numpy(distance), torch.from_numpy(defined), torch.from_numpy(widths)


def draw_sample(
    part: PoolSlice,
    views: tuple[str, ...],
    level: LevelTraining,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> SliceSample:
    """One sample of a slice; its looks are varied where the augmentation turns it at all."""
    plane = sampled_plane(part.plane, level, augmentation, rng)
    image = picture(part, plane)
    if augmentation is not NO_AUGMENTATION:
        image = vary_film(image, level, rng)
    location = np.nan if part.location is None else part.location
    return SliceSample(image, plane, *line_targets(part, cell_plane(plane), views), location)


def draw_two_views(
    part: PoolSlice, level: LevelTraining, augmentation: Augmentation, anchors: int, rng: np.random.Generator
) -> TrainingPair:
    """Two pictures of a slice and the indices of corresponding places, exact by their planes."""
    planes = [sampled_plane(part.plane, level, augmentation, rng) for _ in range(2)]
    plain = [picture(part, plane) for plane in planes]
    pixels = np.stack(
        [rng.integers(0, planes[0].columns, 4 * anchors), rng.integers(0, planes[0].rows, 4 * anchors)]
    )
    first = pixels.T.astype(float)
    second = planes[1].pixels_of(planes[0].lps_of(first))
    tissue = plain[0][0, first[:, 1].astype(int), first[:, 0].astype(int)].numpy() > TISSUE_FROM
    keep = tissue & planes[1].contains_pixels(second) & _shown(part, planes[0].lps_of(first))
    chosen = [_index(places[keep][:anchors]) for places in (first, second)]
    return TrainingPair(*(vary_film(image, level, rng) for image in plain), *chosen)


def draw_slices(pool: SlicePool, count: int, rng: np.random.Generator) -> list[PoolSlice]:
    """Random slices, exams alike however many slices they have."""
    by_exam: dict[str, list[PoolSlice]] = {}
    for part in pool.slices:
        by_exam.setdefault(part.exam, []).append(part)
    names = sorted(by_exam)
    chosen = [by_exam[names[rng.integers(len(names))]] for _ in range(count)]
    return [parts[rng.integers(len(parts))] for parts in chosen]


def _shown(part: PoolSlice, points_lps: NDArray[np.float64]) -> NDArray[np.bool_]:
    return part.plane.contains_pixels(part.plane.pixels_of(points_lps))


def _index(pixels: NDArray[np.float64]) -> Tensor:
    """Patch indices `(n,3)` (x,y,z) of pixels `(n,2)`."""
    return torch.from_numpy(np.column_stack([pixels, np.zeros(len(pixels))])).float()
