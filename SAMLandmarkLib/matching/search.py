"""Nearest-neighbour search: coarse peaks over the whole target, then the fine grid around each of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..embedding.embedding import Embedding, Level
from .boxes import Axes, Boxes, square_distance, whole_grid
from .peaks import ranked_candidates, separate_peaks
from .prediction import Prediction
from .queries import Matches, Queries, SearchSettings

CHUNK_BOXES = 128
"""Boxes searched at a time; bounds the memory of the search to about 200 MB."""


def search(
    queries: Queries, target: Embedding, settings: SearchSettings, prediction: Prediction | None = None
) -> Matches:
    """Find each query in the target, near its predicted place if there is one; sub-voxel positions."""
    chunk = max(1, CHUNK_BOXES // settings.candidates)
    parts = []
    for start in range(0, len(queries), chunk):
        stop = min(start + chunk, len(queries))
        near = None if prediction is None else prediction.part(start, stop)
        parts.append(_search_chunk(queries.part(start, stop), target, settings, near))
    return Matches(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("positions_lps", "score", "fine", "coarse")
        )
    )


def similarity_map(query: Queries, target: Embedding) -> Tensor:
    """Mean of fine and coarse cosine of one query with every fine cell of the target, `[D,H,W]` float32."""
    vectors = target.fine.vectors
    fine = (vectors.flatten(0, 2).float() @ query.fine[0]).view(vectors.shape[:3])
    coarse = functional.interpolate(
        _coarse_similarity(query, target)[None], scale_factor=2.0, mode="trilinear", align_corners=False
    )[0, 0]
    depth, height, width = fine.shape
    return (fine + coarse[:depth, :height, :width]) / 2


def _search_chunk(
    queries: Queries, target: Embedding, settings: SearchSettings, prediction: Prediction | None
) -> Matches:
    coarse = _coarse_similarity(queries, target)
    coarse_score = settings.coarse_weight * coarse
    if prediction is not None:
        coarse_score -= _penalty(whole_grid(target.coarse), target.coarse, settings, prediction)[:, 0]
    boxes = Boxes(separate_peaks(coarse_score, settings), settings.reach_cells)
    fine_cosine = boxes.fine_similarity(queries.fine, target.fine)
    coarse_cosine = boxes.upsampled(coarse)
    score = fine_cosine + settings.coarse_weight * coarse_cosine
    if prediction is not None:
        score -= _penalty(boxes.fine_axes(), target.fine, settings, prediction)
    score = score.masked_fill(~boxes.inside(target), -torch.inf)
    return ranked_candidates(score, fine_cosine, coarse_cosine, boxes.fine_start(), queries.fine, target.fine)


def _coarse_similarity(queries: Queries, target: Embedding) -> Tensor:
    vectors = target.coarse.vectors
    similarity = queries.coarse.to(vectors.dtype) @ vectors.flatten(0, 2).T
    return similarity.float().view(len(queries), *vectors.shape[:3])


def _penalty(axes: Axes, level: Level, settings: SearchSettings, prediction: Prediction) -> Tensor:
    """Cost `[n,...]` of cells far from the predicted place: quadratic near it, capped."""
    device = level.vectors.device
    center = torch.as_tensor(prediction.positions_lps, dtype=torch.float32, device=device)
    spread = torch.as_tensor(prediction.spread_mm, dtype=torch.float32, device=device)
    factor = settings.prediction_weight / spread.square().view(-1, 1, 1, 1, 1)
    return (square_distance(axes, level, center) * factor).clamp(max=settings.prediction_cap)
