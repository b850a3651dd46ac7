"""Whether matches between patients are right, checked without labels by the consistency of loops over third scans.

Nobody knows the true place of a random point in another patient. But a point can be carried from A to B directly, and
by way of third scans. Paths that were misled end in different places; where an independent path ends beside the
direct one, the direct match is taken to be right. An error that all loops share goes unnoticed, so what is compared are
the matches before they are fused with the prediction, which would make all loops agree on where these lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..embedding.embedding import Embedding
from ..matching.pair import PairMatcher
from ..matching.patches import extract_patches
from ..matching.state import PointMatches
from ..models.metadata import ModelMetadata

AGREE_MM = 10.0
"""The error that the confidence of the bundled CT model speaks of."""
DRAWN_PER_POINT, INSIDE_MM = 5, 10.0
PATCH_HALF, PATCH_STEP_MM = 3, 2.0


@dataclass(frozen=True)
class CheckedMatches:
    """Matches of one pair with their evidence, and which of them are taken to be right `(n,)`."""

    evidence: PointMatches
    right: np.ndarray


def check_by_loops(
    scans: Sequence[Embedding], points: int, metadata: ModelMetadata
) -> list[dict[str, CheckedMatches]]:
    """Match `points` places of each scan to each other one, and check the matches by all loops over a third scan.

    The loops are those of the accurate profile; what they check are the direct matches of every profile.
    """
    numbers, profiles = range(len(scans)), metadata.matching
    most_exact = profiles.get("accurate", next(iter(profiles.values())))
    matcher = cache(lambda first, second: PairMatcher(scans[first], scans[second], most_exact))
    judged = []
    for first in numbers:
        start = structured_points_lps(scans[first], points)
        direct = {second: matcher(first, second).match(start) for second in numbers if second != first}
        for second in direct:
            ends = np.array(
                [
                    matcher(third, second).match(direct[third].matched_lps).matched_lps
                    for third in direct
                    if third != second
                ]
            )
            pair = matcher(first, second)
            of_profiles = {name: pair.with_options(options) for name, options in profiles.items()}
            limit_mm = metadata.error_limit_mm
            judged.append(
                {name: _judged(part.match(start), ends, limit_mm) for name, part in of_profiles.items()}
            )
    return judged


def structured_points_lps(scan: Embedding, count: int) -> np.ndarray:
    """Those support points inside a scan around which most is to be seen, as there is around landmarks, `(count,3)` LPS mm."""
    points = scan.support_points_lps[: DRAWN_PER_POINT * count]
    points = points[scan.field_of_view.distance_to_border_mm(points) > INSIDE_MM]
    patches = extract_patches(scan.image, points, PATCH_HALF, PATCH_STEP_MM).flatten(1)
    return points[np.sort(patches.var(dim=1).argsort(descending=True)[:count].cpu().numpy())]


def _judged(evidence: PointMatches, ends: np.ndarray, within_mm: float) -> CheckedMatches:
    return CheckedMatches(evidence, confirmed(evidence.matched_lps, ends, within_mm))


def confirmed(direct: np.ndarray, ends: np.ndarray, within_mm: float = AGREE_MM) -> np.ndarray:
    """Which places `(n,3)` are confirmed by the ends `(r,n,3)` of r other loops, `(n,)`.

    A place is confirmed where at least one path ends beside it, and no two loops agree on another place.
    """
    beside = np.linalg.norm(ends - direct, axis=-1) <= within_mm
    gaps = np.linalg.norm(ends[:, None] - ends[None], axis=-1)
    agreeing = (
        (gaps <= within_mm) & ~beside[:, None] & ~beside[None] & ~np.eye(len(ends), dtype=bool)[..., None]
    )
    elsewhere = agreeing.any(axis=(0, 1)) & (beside.sum(axis=0) < 2)
    return beside.any(axis=0) & ~elsewhere
