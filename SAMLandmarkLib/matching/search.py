"""Nearest-neighbour search: near the predicted place where that is sure to be enough, else over the whole target."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core.matching_options import SearchOptions
from ..embedding.embedding import Embedding, Level
from ..utils.threads import side_by_side
from .boxes import Axes, Boxes, Cosines, cell_of, interpolated, outside, square_distance, whole_grid
from .peaks import ranked_candidates, separate_peaks
from .prediction import Prediction
from .types import Matches, Queries

ROWS_ANYWHERE, ROWS_NEAR = 32, 128
"""Queries searched at a time; larger arrays than these make would be fresh memory each time, which is slow."""


def search(
    queries: Queries,
    target: Embedding,
    options: SearchOptions,
    prediction: Prediction | None = None,
    alternatives: bool = True,
) -> Matches:
    """Find each query in the target, near its predicted place if there is one; sub-voxel positions.

    Some way from the predicted place all cells pay the same penalty, so no cell beyond can score higher than equal
    vectors less that penalty. Where a match nearby does, the rest of the target is not searched. Its other candidates
    are nearby then, or left out without `alternatives`, which saves a third of the time.
    """
    levels = len(target.levels)
    matches = Matches.none(len(queries), options.candidates, levels, options.duplicate_mm)
    if prediction is not None:
        _search_near(matches, queries, target, options, prediction, alternatives)

    def anywhere(rows: np.ndarray) -> Matches:
        predicted = None if prediction is None else prediction.at_rows(rows)
        return _Search(queries.at_rows(rows), target, options, predicted).anywhere()

    most_beyond = 1 + options.coarse_weight * (levels - 1) - options.prediction_cap
    unsure = list(_chunks(np.flatnonzero(~(matches.score[:, 0] >= most_beyond)), ROWS_ANYWHERE))
    for rows, found in zip(unsure, side_by_side(anywhere, unsure, target.device), strict=True):
        matches.put(rows, found)
    return matches


def similarity_map(query: Queries, target: Embedding) -> Tensor:
    """Mean over the levels of the cosine of one query with every finest cell of the target, `[D,H,W]` float32."""
    vectors = target.finest.vectors
    total = (vectors.flatten(0, 2).float() @ query.finest[0]).view(1, *vectors.shape[:3])
    for wanted, level in zip(query.levels[1:], target.levels[1:], strict=True):
        total = total + _at_cells_of(target.finest, Cosines(wanted, level), level)
    return total[0] / len(target.levels)


def coarse_places_lps(queries: Queries, target: Embedding) -> np.ndarray:
    """Where all levels but the finest place each query in the whole target, without any prediction, `(n,3)` LPS mm."""
    best, _ = _greatest(queries, target)
    shape = target.searched.vectors.shape[:3]
    return target.searched.grid.lps_from_index(cell_of(best, shape).flip(-1).cpu().numpy())


def greatest_similarities(queries: Queries, target: Embedding) -> np.ndarray:
    """The greatest cosine of each query anywhere in the target, the mean over all levels but the finest, `(n,)`."""
    similarities: np.ndarray = _greatest(queries, target)[1].cpu().numpy()
    return similarities


def _greatest(queries: Queries, target: Embedding) -> tuple[Tensor, Tensor]:
    """Number of the searched level's cell where all levels but the finest agree best with a query, and their mean there."""
    levels = len(target.levels) - target.searched_level

    def greatest(rows: np.ndarray) -> tuple[Tensor, Tensor]:
        total, cell = _coarse_cosines(_cosines(queries.at_rows(rows), target), target).flatten(1).max(dim=1)
        return cell, total / levels

    parts = list(_chunks(np.arange(len(queries)), ROWS_ANYWHERE))
    found = list(side_by_side(greatest, parts, target.device))
    nothing = torch.empty(0, device=target.device)
    cells, similarities = zip((nothing.long(), nothing), *found, strict=True)
    return torch.cat(cells), torch.cat(similarities)


def _cosines(queries: Queries, target: Embedding) -> list[Cosines]:
    """Cosines of queries with each level, which are computed where they are asked for."""
    return [Cosines(wanted, level) for wanted, level in zip(queries.levels, target.levels, strict=True)]


def _coarse_cosines(cosines: Sequence[Cosines], target: Embedding) -> Tensor:
    """Sum of the cosines with all levels but the finest at all cells of the searched one, `[n,D,H,W]` float32."""
    pairs = list(zip(cosines, target.levels, strict=True))[target.searched_level :]
    total = _at_cells_of(target.searched, *pairs[0])
    for each, level in pairs[1:]:
        total = total + _at_cells_of(target.searched, each, level)
    return total


def _at_cells_of(finer: Level, cosines: Cosines, level: Level) -> Tensor:
    """Cosines with a level, trilinear at all cells `[n,D,H,W]` float32 of a finer or the same one."""
    values = cosines.with_all().float()
    if level is finer:
        return values
    ratio = level.grid.spacing_mm / finer.grid.spacing_mm
    scale = (ratio if finer.grid.spatial_axes == 3 else 1.0, ratio, ratio)
    depth, height, width = finer.vectors.shape[:3]
    whole = functional.interpolate(values[:, None], scale_factor=scale, mode="trilinear", align_corners=False)
    return whole[:, 0, :depth, :height, :width]


def _search_near(
    matches: Matches,
    queries: Queries,
    target: Embedding,
    options: SearchOptions,
    prediction: Prediction,
    alternatives: bool,
) -> None:
    nearby = options if alternatives else replace(options, candidates=1)
    fine_pooled = target.fine_pooled
    regions = list(_near_rows(prediction, fine_pooled, options))

    def near(region: tuple[np.ndarray, int]) -> Matches:
        rows, reach = region
        part = _Search(queries.at_rows(rows), target, nearby, prediction.at_rows(rows))
        return part.near(fine_pooled, prediction.at_rows(rows), reach)

    for (rows, _), found in zip(regions, side_by_side(near, regions, target.device), strict=True):
        matches.put(rows, found)


def _near_rows(
    prediction: Prediction, level: Level, options: SearchOptions
) -> Iterator[tuple[np.ndarray, int]]:
    """Rows that need regions of the same size, and half the side of these in cells of a level.

    The size depends on the query alone, so that its other candidates do not change with the queries beside it.
    """
    capped_mm = math.sqrt(options.prediction_cap / options.prediction_weight) * prediction.prediction_sigma_mm
    # the predicted place lies anywhere in the middle cell
    needed = np.ceil(capped_mm / level.grid.spacing_mm + 0.5)
    size = np.searchsorted(options.near_reaches_cells, needed)
    for number, reach in enumerate(options.near_reaches_cells):
        for rows in _chunks(np.flatnonzero(size == number), ROWS_NEAR):
            yield rows, reach


def _chunks(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


class _Search:
    """Queries that are searched together, and their cosines with each level."""

    def __init__(
        self, queries: Queries, target: Embedding, options: SearchOptions, prediction: Prediction | None
    ) -> None:
        self.queries, self.target, self.options, self.prediction = queries, target, options, prediction
        self.cosines = _cosines(queries, target)

    def near(self, fine_pooled: Level, prediction: Prediction, reach: int) -> Matches:
        """The best matches in a region around each predicted place, looked for one level above the finest first."""
        number, level = self.target.searched_level, self.target.searched
        center = np.rint(level.grid.index_from_lps(prediction.positions_lps))[:, None, ::-1]
        center = torch.as_tensor(center.copy(), device=level.vectors.device).long()
        region = Boxes.around(center, reach, level, level)
        axes = region.axes()
        fine = Cosines(self.queries.finest, fine_pooled)
        cells = math.prod(2 * side + 1 for side in region.reach)
        if len(self.queries) * cells > math.prod(level.vectors.shape[:3]):
            # products with all cells are cheaper than reading most of them several times
            self.cosines[number].with_all()
            fine.with_all()
        score = self._coarser_score(number, axes) + fine.at(axes)
        score = self._penalised(score, axes, level)
        peaks = separate_peaks(score[:, 0], self.options)
        start = center - torch.tensor(region.reach, device=center.device)
        return self._refined(start + peaks, number, self.options.near_box_reach_cells)

    def anywhere(self) -> Matches:
        """The best matches of each query around the separate peaks of its coarser similarity with the whole target."""
        number, level = self.target.searched_level, self.target.searched
        score = self._weight(number) * _coarse_cosines(self.cosines, self.target)
        if self.prediction is not None:
            score -= self._penalty(whole_grid(level), level, self.prediction)[:, 0]
        return self._refined(separate_peaks(score, self.options), number, self.options.reach_cells)

    def _refined(self, centers: Tensor, number: int, reach: int) -> Matches:
        """The best match in each box around cells of a level, at the finest cells."""
        boxes, score, cosines = self._boxes(centers, number, reach)
        finest, options = self.target.finest, self.options
        return ranked_candidates(score, cosines, boxes.finer_start(), self.queries.finest, finest, options)

    def _boxes(self, centers: Tensor, number: int, reach: int) -> tuple[Boxes, Tensor, list[Tensor]]:
        """Boxes around cells of a level, and at the next finer cells in them the score and each level's cosine."""
        finer_number = max(0, number - 1)
        finer = self.target.levels[finer_number]
        boxes = Boxes.around(centers, reach, self.target.levels[number], finer)
        axes = boxes.finer_axes()
        cosines = [self.cosines[finer_number].at(axes)]
        if number:
            around = boxes.axes(margin=1)
            cosines.append(boxes.upsampled(self.cosines[number].at(around)))
            cosines += [
                boxes.upsampled(self._interpolated(coarser, number, around))
                for coarser in range(number + 1, len(self.cosines))
            ]
        score = cosines[0] if number else cosines[0].clone()
        for coarse_cosine in cosines[1:]:
            score = score + self.options.coarse_weight * coarse_cosine
        return boxes, self._penalised(score, axes, finer), cosines

    def _coarser_score(self, number: int, axes: Axes) -> Tensor:
        """Weighted cosines of all levels but the finest at cells of a level."""
        if number == 0:
            return torch.zeros((), device=self.target.device)
        score = self.options.coarse_weight * self.cosines[number].at(axes)
        for coarser in range(number + 1, len(self.cosines)):
            score = score + self.options.coarse_weight * self._interpolated(coarser, number, axes)
        return score

    def _interpolated(self, coarser: int, number: int, axes: Axes) -> Tensor:
        """Cosines of a level at the cells of a finer one."""
        cosines, grid = self.cosines[coarser], self.target.levels[coarser].grid
        ratio = round(grid.spacing_mm / self.target.levels[number].grid.spacing_mm)
        cosines.with_all()
        return interpolated(cosines, axes, grid.per_axis(ratio, 1))

    def _weight(self, number: int) -> float:
        return self.options.coarse_weight if number else 1.0

    def _penalised(self, score: Tensor, axes: Axes, level: Level) -> Tensor:
        if self.prediction is not None:
            score -= self._penalty(axes, level, self.prediction)
        return score.masked_fill_(outside(axes, level), -torch.inf)

    def _penalty(self, axes: Axes, level: Level, prediction: Prediction) -> Tensor:
        """Cost `[n,...]` of cells far from the predicted place: quadratic near it, capped."""
        device = level.vectors.device
        center = torch.as_tensor(prediction.positions_lps, dtype=torch.float32, device=device)
        sigma = torch.as_tensor(prediction.prediction_sigma_mm, dtype=torch.float32, device=device)
        factor = self.options.prediction_weight / sigma.square().view(-1, 1, 1, 1, 1)
        return (square_distance(axes, level, center) * factor).clamp_(max=self.options.prediction_cap)
