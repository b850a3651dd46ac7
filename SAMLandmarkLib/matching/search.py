"""Nearest-neighbour search: near the predicted place where that is sure to be enough, else over the whole target."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..embedding.embedding import Embedding, Level
from ..threads import side_by_side
from .boxes import Axes, Boxes, Cosines, outside, square_distance, upsampled, whole_grid
from .peaks import ranked_candidates, separate_peaks
from .prediction import Prediction
from .queries import Matches, Queries, SearchSettings

ROWS_ANYWHERE, ROWS_NEAR = 32, 128
"""Queries searched at a time; larger arrays than these make would be fresh memory each time, which is slow."""
NEAR_REACHES = (6, 9, 12)
"""Half sides, in coarse cells, of the regions around a predicted place that are searched alone."""
NEAR_BOX_REACH = 2


def search(
    queries: Queries,
    target: Embedding,
    settings: SearchSettings,
    prediction: Prediction | None = None,
    alternatives: bool = True,
) -> Matches:
    """Find each query in the target, near its predicted place if there is one; sub-voxel positions.

    Some way from the predicted place all cells pay the same penalty, so no cell beyond can score higher than two equal
    vectors less that penalty. Where a match nearby does, the rest of the target is not searched. Its other candidates
    are nearby then, or left out without `alternatives`, which saves a third of the time.
    """
    matches = Matches.none(len(queries), settings.candidates)
    device = target.coarse.vectors.device
    if prediction is not None:
        nearby = settings if alternatives else replace(settings, candidates=1)
        thinned = target.thinned
        regions = list(_near_rows(prediction, target, settings))

        def near(region: tuple[np.ndarray, int]) -> Matches:
            rows, reach = region
            return _near(queries.at_rows(rows), target, thinned, nearby, prediction.at_rows(rows), reach)

        for (rows, _), found in zip(regions, side_by_side(near, regions, device), strict=True):
            matches.put(rows, found)

    def anywhere(rows: np.ndarray) -> Matches:
        predicted = None if prediction is None else prediction.at_rows(rows)
        return _anywhere(queries.at_rows(rows), target, settings, predicted)

    most_beyond = 1 + settings.coarse_weight - settings.prediction_cap
    unsure = list(_chunks(np.flatnonzero(~(matches.score[:, 0] >= most_beyond)), ROWS_ANYWHERE))
    for rows, found in zip(unsure, side_by_side(anywhere, unsure, device), strict=True):
        matches.put(rows, found)
    return matches


def similarity_map(query: Queries, target: Embedding) -> Tensor:
    """Mean of fine and coarse cosine of one query with every fine cell of the target, `[D,H,W]` float32."""
    vectors = target.fine.vectors
    fine = (vectors.flatten(0, 2).float() @ query.fine[0]).view(vectors.shape[:3])
    coarse = functional.interpolate(
        Cosines(query.coarse, target.coarse).with_all().float()[None],
        scale_factor=2.0,
        mode="trilinear",
        align_corners=False,
    )[0, 0]
    depth, height, width = fine.shape
    return (fine + coarse[:depth, :height, :width]) / 2


def _near_rows(
    prediction: Prediction, target: Embedding, settings: SearchSettings
) -> Iterator[tuple[np.ndarray, int]]:
    """Rows that need regions of the same size, and half the side of these in coarse cells.

    The size depends on the query alone, so that its other candidates do not change with the queries beside it.
    """
    capped_mm = math.sqrt(settings.prediction_cap / settings.prediction_weight) * prediction.spread_mm
    # the predicted place lies anywhere in the middle cell
    needed = np.ceil(capped_mm / target.coarse.grid.spacing_mm + 0.5)
    size = np.searchsorted(NEAR_REACHES, needed)
    for number, reach in enumerate(NEAR_REACHES):
        for rows in _chunks(np.flatnonzero(size == number), ROWS_NEAR):
            yield rows, reach


def _chunks(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _near(
    queries: Queries,
    target: Embedding,
    thinned: Level,
    settings: SearchSettings,
    prediction: Prediction,
    reach: int,
) -> Matches:
    """The best matches of each query in a region around its predicted place, looked for on the coarse grid first."""
    center = np.rint(target.coarse.grid.index_from_lps(prediction.positions_lps))[:, None, ::-1]
    center = torch.as_tensor(center.copy(), device=target.coarse.vectors.device).long()
    axes = Boxes(center, reach).coarse_axes()
    coarse, fine = Cosines(queries.coarse, target.coarse), Cosines(queries.fine, thinned)
    if len(queries) * (2 * reach + 1) ** 3 > math.prod(target.coarse.vectors.shape[:3]):
        # products with all cells are cheaper than reading most of them several times
        coarse.with_all()
        fine.with_all()
    score = settings.coarse_weight * coarse.at(axes) + fine.at(axes)
    score -= _penalty(axes, target.coarse, settings, prediction)
    score.masked_fill_(outside(axes, target.coarse), -torch.inf)
    boxes = Boxes(center - reach + separate_peaks(score[:, 0], settings), NEAR_BOX_REACH)
    return _in_boxes(boxes, coarse, queries, target, settings, prediction)


def _anywhere(
    queries: Queries, target: Embedding, settings: SearchSettings, prediction: Prediction | None
) -> Matches:
    """The best matches of each query around the separate peaks of its coarse similarity with the whole target."""
    coarse = Cosines(queries.coarse, target.coarse)
    score = settings.coarse_weight * coarse.with_all().float()
    if prediction is not None:
        score -= _penalty(whole_grid(target.coarse), target.coarse, settings, prediction)[:, 0]
    boxes = Boxes(separate_peaks(score, settings), settings.reach_cells)
    return _in_boxes(boxes, coarse, queries, target, settings, prediction)


def _in_boxes(
    boxes: Boxes,
    coarse: Cosines,
    queries: Queries,
    target: Embedding,
    settings: SearchSettings,
    prediction: Prediction | None,
) -> Matches:
    """The best match in each box."""
    axes = boxes.fine_axes()
    fine_cosine = Cosines(queries.fine, target.fine).at(axes)
    coarse_cosine = upsampled(coarse.at(boxes.coarse_axes(margin=1)))
    score = fine_cosine + settings.coarse_weight * coarse_cosine
    if prediction is not None:
        score -= _penalty(axes, target.fine, settings, prediction)
    score.masked_fill_(outside(axes, target.fine), -torch.inf)
    return ranked_candidates(score, fine_cosine, coarse_cosine, boxes.fine_start(), queries.fine, target.fine)


def _penalty(axes: Axes, level: Level, settings: SearchSettings, prediction: Prediction) -> Tensor:
    """Cost `[n,...]` of cells far from the predicted place: quadratic near it, capped."""
    device = level.vectors.device
    center = torch.as_tensor(prediction.positions_lps, dtype=torch.float32, device=device)
    spread = torch.as_tensor(prediction.spread_mm, dtype=torch.float32, device=device)
    factor = settings.prediction_weight / spread.square().view(-1, 1, 1, 1, 1)
    return (square_distance(axes, level, center) * factor).clamp_(max=settings.prediction_cap)
