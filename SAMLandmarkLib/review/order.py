"""The order in which a user looks at landmarks: what is doubtful first."""

from __future__ import annotations

from collections.abc import Collection

from .item import Decision, ReviewItem
from .state import ReviewState

_RANKS = {"DOUBTFUL": 0, "MISSING": 1, "FOUND": 2}


def review_queue(state: ReviewState) -> list[tuple[str, str]]:
    """All undecided (scan, label): DOUBTFUL by rising confidence, then MISSING, then FOUND."""
    return [key for key in _ordered(state) if state.scans[key[0]][key[1]].decision is Decision.OPEN]


def next_doubtful(
    state: ReviewState, after: tuple[str, str] | None = None, scans: Collection[str] | None = None
) -> tuple[str, str] | None:
    """The (scan, label) to look at after `after`, round and round; None where nothing doubtful is undecided.

    Only the given scans count; all for None.

    `after` may itself be decided meanwhile: the queue goes on behind the place where it stood.
    """
    order = _ordered(state)
    start = order.index(after) + 1 if after in order else 0
    waiting = (
        key
        for key in order[start:] + order[:start]
        if state.scans[key[0]][key[1]].needs_review and (scans is None or key[0] in scans)
    )
    return next(waiting, None)


def next_undecided(
    state: ReviewState, after: tuple[str, str] | None = None, scans: Collection[str] | None = None
) -> tuple[str, str] | None:
    """The next (scan, label) that nobody has decided, in the order of `review_queue`, round and round."""
    order = _of_scans(state, scans)
    start = order.index(after) + 1 if after in order else 0
    open_ones = (
        key
        for key in order[start:] + order[:start]
        if state.scans[key[0]][key[1]].decision is Decision.OPEN and key != after
    )
    return next(open_ones, None)


def previous(
    state: ReviewState, before: tuple[str, str] | None = None, scans: Collection[str] | None = None
) -> tuple[str, str] | None:
    """The (scan, label) before `before` in the same order, decided or not; the last one before the first."""
    order = _of_scans(state, scans)
    if not order:
        return None
    return order[order.index(before) - 1] if before in order else order[-1]


def _of_scans(state: ReviewState, scans: Collection[str] | None) -> list[tuple[str, str]]:
    return [key for key in _ordered(state) if scans is None or key[0] in scans]


def _ordered(state: ReviewState) -> list[tuple[str, str]]:
    keys = [(scan, label) for scan in state.scans for label in state.items(scan)]
    return sorted(keys, key=lambda key: _rank(state.scans[key[0]][key[1]]))


def _rank(item: ReviewItem) -> tuple[int, float]:
    return _RANKS.get(item.status, 0), item.confidence
