"""The scan of a set that represents it best, found without landmarks.

As Quan et al. propose ("Which images to label for few-shot medical landmark detection?", CVPR 2022), the best template is
the scan whose places resemble most what is found for them in the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..embedding.embedding import Embedding
from ..matching.search import greatest_similarities
from ..matching.types import Queries
from ..utils.errors import UsageError
from ..utils.progress import Progress

FEWEST_SCANS = 3
POINTS = 150
PARTNERS = 24


@dataclass(frozen=True)
class TemplateScore:
    """How well a scan represents a set: the mean cosine of its points with the best match in each of `partners` others."""

    path: Path
    similarity: float
    partners: int


def rank_templates(
    paths: Sequence[Path],
    embedded: Callable[[Path], Embedding],
    partners: int = PARTNERS,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[TemplateScore]:
    """Scans of one modality, the best template first; each is compared with the same number of random others.

    `embedded` gives the embedding of a file. Raises UsageError where there are fewer than three scans.
    """
    if len(paths) < FEWEST_SCANS:
        raise UsageError(f"{len(paths)} scans are too few to choose from; give at least {FEWEST_SCANS}.")
    others = _partners(len(paths), min(partners, len(paths) - 1), np.random.default_rng(seed))
    scores = []
    for number, path in enumerate(paths):
        if progress is not None:
            progress(path.name, number / len(paths))
        similarities = [_similarity(embedded(path), embedded(paths[other])) for other in others[number]]
        scores.append(TemplateScore(path, float(np.mean(similarities)), len(similarities)))
    return sorted(scores, key=lambda score: -score.similarity)


def _partners(scans: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """For each scan the numbers `(scans, count)` of others, each of which is the partner of equally many."""
    order = rng.permutation(scans)
    place = np.argsort(order)
    steps = 1 + rng.permutation(scans - 1)[:count]
    numbers: np.ndarray = order[(place[:, None] + steps) % scans]
    return numbers


def _similarity(template: Embedding, other: Embedding) -> float:
    """Mean cosine of a scan's support points with what is found for them in another one."""
    queries = Queries.at(template, template.support_points_lps[:POINTS])
    return float(greatest_similarities(queries, other).mean())
