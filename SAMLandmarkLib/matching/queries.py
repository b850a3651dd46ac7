"""What a search takes and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..embedding.embedding import Embedding

DUPLICATE_MM = 10.0


@dataclass(frozen=True)
class SearchSettings:
    """Weights and sizes of the search.

    `candidates`: separate coarse peaks that are followed up; `separation_cells`, `reach_cells`: least distance
    between them and half side of the box searched around each, in coarse cells; `coarse_weight`: of the coarse cosine
    beside the fine one; `prediction_weight`: penalty for leaving the predicted place by one spread, in units of
    cosine; `prediction_cap`: where that penalty stops growing, so that it can be outvoted; `refine`: whether the images
    themselves refine what the embeddings found.
    """

    candidates: int = 4
    separation_cells: int = 2
    reach_cells: int = 3
    coarse_weight: float = 0.7
    prediction_weight: float = 0.02
    prediction_cap: float = 0.5
    refine: bool = False

    @property
    def quick(self) -> SearchSettings:
        """The same with one candidate and small boxes, for many points of which only the sure ones will be used."""
        return replace(self, candidates=1, reach_cells=2)


PROFILES = {"fast": SearchSettings(), "accurate": SearchSettings(refine=True)}


@dataclass(frozen=True)
class Queries:
    """Vectors to be found: `fine` `(n,Cf)` and `coarse` `(n,Cc)`, unit length."""

    fine: Tensor
    coarse: Tensor

    @classmethod
    def at(cls, embedding: Embedding, points_lps: np.ndarray) -> Queries:
        """The vectors of an embedding at points `(n,3)` in LPS mm."""
        return cls(embedding.fine.at(points_lps), embedding.coarse.at(points_lps))

    def __len__(self) -> int:
        return len(self.fine)

    def at_rows(self, rows: np.ndarray) -> Queries:
        index = torch.as_tensor(rows, device=self.fine.device)
        return Queries(self.fine[index], self.coarse[index])

    def added(self, other: Queries, rows: np.ndarray) -> Queries:
        """With those of another template added to the rows chosen by a mask `(n,)`, unit length again."""
        return Queries(
            *(_added(a, b, rows) for a, b in ((self.fine, other.fine), (self.coarse, other.coarse)))
        )


@dataclass(frozen=True)
class Matches:
    """Per query the candidates, best first: `positions_lps` `(n,k,3)` mm, `score`, `fine` and `coarse` cosine `(n,k)`.

    The score of a candidate that is no separate place is -inf.
    """

    positions_lps: np.ndarray
    score: np.ndarray
    fine: np.ndarray
    coarse: np.ndarray

    @classmethod
    def none(cls, count: int, candidates: int) -> Matches:
        """Of `count` queries that were not looked for yet."""
        unknown = np.full((count, candidates), np.nan)
        positions = np.full((count, candidates, 3), np.nan)
        return cls(positions, np.full_like(unknown, -np.inf), unknown, unknown.copy())

    def put(self, rows: np.ndarray, found: Matches) -> None:
        """Set the candidates of some queries to those found, of which there may be fewer."""
        count = found.score.shape[1]
        for name in ("positions_lps", "score", "fine", "coarse"):
            getattr(self, name)[rows, :count] = getattr(found, name)

    @property
    def best_lps(self) -> np.ndarray:
        """Position `(n,3)` of the best candidate, LPS mm."""
        return self.positions_lps[:, 0]

    def with_best(self, positions_lps: np.ndarray) -> Matches:
        """With the best candidates moved to `(n,3)` and those struck out that are no longer separate from them."""
        positions, score = self.positions_lps.copy(), self.score.copy()
        positions[:, 0] = positions_lps
        score[duplicates(positions)] = -np.inf
        return replace(self, positions_lps=positions, score=score)

    @property
    def similarity(self) -> np.ndarray:
        """Mean of fine and coarse cosine `(n,k)`."""
        return (self.fine + self.coarse) / 2

    @property
    def margin(self) -> np.ndarray:
        """Score of the best candidate minus that of the next separate one, `(n,)`; inf where there is none."""
        if self.score.shape[1] < 2:
            return np.full(len(self.score), np.inf)
        return self.score[:, 0] - self.score[:, 1:].max(axis=1)


def _added(vectors: Tensor, others: Tensor, rows: np.ndarray) -> Tensor:
    total = vectors.clone()
    total[torch.as_tensor(rows, device=vectors.device)] += others
    return functional.normalize(total, dim=1)


def duplicates(positions: np.ndarray) -> np.ndarray:
    """Which candidates `(n,k,3)` lie within DUPLICATE_MM of a better one that is none itself, `(n,k)`."""
    duplicate = np.zeros(positions.shape[:2], dtype=bool)
    for later in range(1, positions.shape[1]):
        gap = np.linalg.norm(positions[:, :later] - positions[:, later : later + 1], axis=-1)
        duplicate[:, later] = ((gap < DUPLICATE_MM) & ~duplicate[:, :later]).any(axis=1)
    return duplicate
