"""What a search takes and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..embedding.embedding import Embedding


@dataclass(frozen=True)
class Queries:
    """Vectors to be found: for each level, finest first, `(n,C)` of unit length."""

    levels: tuple[Tensor, ...]

    @classmethod
    def at(cls, embedding: Embedding, points_lps: np.ndarray) -> Queries:
        """The vectors of an embedding at points `(n,3)` in LPS mm."""
        return cls(tuple(level.at(points_lps) for level in embedding.levels))

    @property
    def finest(self) -> Tensor:
        """Those of the finest level."""
        return self.levels[0]

    def __len__(self) -> int:
        return len(self.finest)

    def at_rows(self, rows: np.ndarray) -> Queries:
        index = torch.as_tensor(rows, device=self.finest.device)
        return Queries(tuple(vectors[index] for vectors in self.levels))

    def added(self, other: Queries, rows: np.ndarray) -> Queries:
        """With those of another template added to the rows chosen by a mask `(n,)`, unit length again."""
        pairs = zip(self.levels, other.levels, strict=True)
        return Queries(tuple(_added(own, others, rows) for own, others in pairs))


@dataclass(frozen=True)
class Matches:
    """Per query the candidates, best first: `positions_lps` `(n,k,3)` mm, `score` `(n,k)`, `cosines` `(n,k,levels)`.

    The score of a candidate that is no separate place is -inf: one within `duplicate_mm` of a better one.
    """

    positions_lps: np.ndarray
    score: np.ndarray
    cosines: np.ndarray
    duplicate_mm: float

    @classmethod
    def none(cls, count: int, candidates: int, levels: int, duplicate_mm: float) -> Matches:
        """Of `count` queries that were not looked for yet."""
        positions, cosines = (np.full((count, candidates, last), np.nan) for last in (3, levels))
        return cls(positions, np.full((count, candidates), -np.inf), cosines, duplicate_mm)

    @classmethod
    def ranked(
        cls, positions_lps: np.ndarray, score: np.ndarray, cosines: np.ndarray, duplicate_mm: float
    ) -> Matches:
        """Of candidates in any order, best first, near duplicates struck out."""
        order = np.argsort(-score, axis=1, kind="stable")
        positions, cosines = (
            np.take_along_axis(values, order[..., None], axis=1) for values in (positions_lps, cosines)
        )
        score = np.take_along_axis(score, order, axis=1)
        score[duplicates(positions, duplicate_mm)] = -np.inf
        return cls(positions, score, cosines, duplicate_mm)

    def put(self, rows: np.ndarray, found: Matches) -> None:
        """Set the candidates of some queries to those found, of which there may be fewer."""
        count = found.score.shape[1]
        for name in ("positions_lps", "score", "cosines"):
            getattr(self, name)[rows, :count] = getattr(found, name)

    @property
    def best_lps(self) -> np.ndarray:
        """Position `(n,3)` of the best candidate, LPS mm."""
        return self.positions_lps[:, 0]

    def with_best(self, positions_lps: np.ndarray) -> Matches:
        """With the best candidates moved to `(n,3)` and those struck out that are no longer separate from them."""
        positions, score = self.positions_lps.copy(), self.score.copy()
        positions[:, 0] = positions_lps
        score[duplicates(positions, self.duplicate_mm)] = -np.inf
        return replace(self, positions_lps=positions, score=score)

    @property
    def fine(self) -> np.ndarray:
        """Cosine of the finest level, `(n,k)`."""
        return self.cosines[..., 0]

    @property
    def coarse(self) -> np.ndarray:
        """Mean cosine of the coarser levels, `(n,k)`; of the finest one where it is alone."""
        coarser: np.ndarray = self.cosines[..., -(max(1, self.cosines.shape[-1] - 1)) :].mean(axis=-1)
        return coarser

    @property
    def similarity(self) -> np.ndarray:
        """Mean cosine of all levels, `(n,k)`."""
        mean: np.ndarray = self.cosines.mean(axis=-1)
        return mean

    @property
    def margin(self) -> np.ndarray:
        """Score of the best candidate minus that of the next separate one, `(n,)`; inf where there is none."""
        if self.score.shape[1] < 2:
            return np.full(len(self.score), np.inf)
        margin: np.ndarray = self.score[:, 0] - self.score[:, 1:].max(axis=1)
        return margin


def _added(vectors: Tensor, others: Tensor, rows: np.ndarray) -> Tensor:
    total = vectors.clone()
    total[torch.as_tensor(rows, device=vectors.device)] += others
    return functional.normalize(total, dim=1)


def duplicates(positions: np.ndarray, within_mm: float) -> np.ndarray:
    """Which candidates `(n,k,3)` lie within a distance of a better one that is none itself, `(n,k)`."""
    duplicate = np.zeros(positions.shape[:2], dtype=bool)
    for later in range(1, positions.shape[1]):
        gap = np.linalg.norm(positions[:, :later] - positions[:, later : later + 1], axis=-1)
        duplicate[:, later] = ((gap < within_mm) & ~duplicate[:, :later]).any(axis=1)
    return duplicate
