"""Which pairs of a test set are run."""

from __future__ import annotations

from collections.abc import Sequence

from ...utils.errors import UsageError
from ..sets import WORST_SCORED_QUALITY, EvaluationPair, EvaluationSet

RING, ALL = "ring", "all"


def chosen_pairs(evaluation_set: EvaluationSet, wanted: str) -> list[EvaluationPair]:
    """The pairs of a set with landmarks to score: "ring", "all", or a number of them spread over the ring.

    A ring goes from each volume to the next one in the order of names, the last to the first, so that every volume is
    template once and target once. Raises UsageError for anything else.

    >>> chosen_pairs(EvaluationSet("none", ()), "ring")
    []
    """
    pairs = [pair for pair in evaluation_set.pairs if scored_labels(pair)]
    if wanted == ALL:
        return pairs
    ring = _ring(pairs)
    if wanted == RING:
        return ring
    if not wanted.isdigit() or int(wanted) < 1:
        raise UsageError(f"--pairs: expected ring, all or a number of pairs of each set, got {wanted!r}.")
    count = min(int(wanted), len(ring))
    return [ring[number * len(ring) // count] for number in range(count)]


def scored_labels(pair: EvaluationPair) -> list[str]:
    """The labels of both volumes that are certain enough to be scored."""
    return [label for label in pair.labels if pair.quality(label) <= WORST_SCORED_QUALITY]


def same_patient(evaluation_set: EvaluationSet) -> bool:
    """Whether a set is a template and its follow-up, and so of one patient."""
    names = {pair.template.name for pair in evaluation_set.pairs}
    return names == {"template"}


def _ring(pairs: Sequence[EvaluationPair]) -> list[EvaluationPair]:
    names = sorted({scan.name for pair in pairs for scan in (pair.template, pair.target)})
    following = dict(zip(names, [*names[1:], *names[:1]], strict=True))
    if len(names) < 3:
        return list(pairs)
    ring = [pair for pair in pairs if following[pair.template.name] == pair.target.name]
    return sorted(ring, key=lambda pair: pair.template.name) or list(pairs)
