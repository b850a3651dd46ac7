"""Whether matches between patients are right, judged without labels by going there on different routes.

Nobody knows the true place of a random point in another patient. But a point can be carried from A to B directly, and
by way of third scans. Routes that were misled end in different places; where an independent route ends beside the
direct one, the direct match is taken to be right. An error that all routes share goes unnoticed, so what is compared are
the matches before they are drawn to the surroundings, which would make all routes agree on where these lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..embedding.embedding import Embedding
from ..matching.pair import PairMatcher, PointMatches
from ..matching.queries import PROFILES

AGREE_MM = 10.0
"""The error that the confidence speaks of."""


@dataclass(frozen=True)
class JudgedMatches:
    """Matches of one pair with their evidence, and which of them are taken to be right `(n,)`."""

    evidence: PointMatches
    right: np.ndarray


def judge_by_routes(scans: Sequence[Embedding], points: int) -> list[dict[str, JudgedMatches]]:
    """Match `points` anchors of each scan to each other one, and judge the matches by all routes over a third scan.

    The routes are those of the accurate profile; what they judge are the direct matches of every profile.
    """
    numbers = range(len(scans))
    matcher = cache(lambda first, second: PairMatcher(scans[first], scans[second], PROFILES["accurate"]))
    judged = []
    for first in numbers:
        start = scans[first].anchors_lps[:points]
        direct = {second: matcher(first, second).match(start) for second in numbers if second != first}
        for second in direct:
            ends = np.array(
                [
                    matcher(third, second).match(direct[third].matched_lps).matched_lps
                    for third in direct
                    if third != second
                ]
            )
            of_profiles = {name: matcher(first, second).with_settings(PROFILES[name]) for name in PROFILES}
            judged.append({name: _judged(part.match(start), ends) for name, part in of_profiles.items()})
    return judged


def _judged(evidence: PointMatches, ends: np.ndarray) -> JudgedMatches:
    return JudgedMatches(evidence, confirmed(evidence.matched_lps, ends))


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
