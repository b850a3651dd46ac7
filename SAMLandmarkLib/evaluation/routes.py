"""Whether matches between patients are right, judged without labels by going there on different routes.

Nobody knows the true place of a random point in another patient. But a point can be carried from A to B directly, and
by way of third scans. Routes that were misled end in different places; where an independent route ends beside the
direct one, the direct match is taken to be right. An error that all routes share goes unnoticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..embedding.embedding import Embedding
from ..matching.pair import PairMatcher, PointMatches

AGREE_MM = 10.0


@dataclass(frozen=True)
class JudgedMatches:
    """Matches of one pair with their evidence, and which of them are taken to be right `(n,)`."""

    evidence: PointMatches
    right: np.ndarray


def judge_by_routes(scans: Sequence[Embedding], points: int) -> list[JudgedMatches]:
    """Match `points` anchors of each scan to each other one, and judge the matches by all routes over a third scan."""
    numbers = range(len(scans))
    matcher = cache(lambda first, second: PairMatcher(scans[first], scans[second]))
    judged = []
    for first in numbers:
        start = scans[first].anchors_lps[:points]
        direct = {second: matcher(first, second).match(start) for second in numbers if second != first}
        for second, evidence in direct.items():
            ends = [
                matcher(third, second).match(direct[third].matches.best_lps).matches.best_lps
                for third in direct
                if third != second
            ]
            judged.append(JudgedMatches(evidence, confirmed(evidence.matches.best_lps, np.array(ends))))
    return judged


def confirmed(direct: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Which places `(n,3)` are confirmed by the ends `(r,n,3)` of r other routes, `(n,)`.

    A place is confirmed where at least one route ends beside it, and no two routes agree on another place.
    """
    beside = np.linalg.norm(ends - direct, axis=-1) <= AGREE_MM
    gaps = np.linalg.norm(ends[:, None] - ends[None], axis=-1)
    agreeing = (
        (gaps <= AGREE_MM) & ~beside[:, None] & ~beside[None] & ~np.eye(len(ends), dtype=bool)[..., None]
    )
    elsewhere = agreeing.any(axis=(0, 1)) & (beside.sum(axis=0) < 2)
    return beside.any(axis=0) & ~elsewhere
