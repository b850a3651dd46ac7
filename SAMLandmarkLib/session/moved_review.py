"""The review of a scan whose own frame has become another one, as when its transform was hardened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..review import LogEntry, Point, ReviewItem, ReviewState

Move = Callable[[np.ndarray], np.ndarray]
"""From points `(n, 3)` LPS mm of a scan's former frame to its frame now."""


def with_moved_follow_up(state: ReviewState, key: str, move: Move) -> ReviewState:
    """The review with all places in the follow-up `key` moved, also those in the log; nothing is decided by that."""
    items = {label: _moved_item(item, move) for label, item in state.scans.get(key, {}).items()}
    log = tuple(_moved_entry(entry, move) if entry.scan == key else entry for entry in state.log)
    return replace(state, scans={**state.scans, key: items}, log=log) if items else state


def with_moved_template(state: ReviewState, move: Move) -> ReviewState:
    """The review with all places in the template moved."""
    scans = {
        key: {
            label: replace(item, template_lps=_moved(item.template_lps, move))
            for label, item in items.items()
        }
        for key, items in state.scans.items()
    }
    return replace(state, scans=scans)


def _moved_item(item: ReviewItem, move: Move) -> ReviewItem:
    position = _moved(item.transferred_lps, move)
    candidates = (
        replace(found, position_lps=np.array(_moved_point(place, move)))
        for found, (place, _score) in zip(item.answer.candidates, item.candidates, strict=True)
    )
    answer = replace(
        item.answer,
        position_lps=None if position is None else np.array(position),
        candidates=tuple(candidates),
    )
    return replace(item, answer=answer, position_lps=_moved(item.position_lps, move))


def _moved_entry(entry: LogEntry, move: Move) -> LogEntry:
    return replace(entry, before_lps=_moved(entry.before_lps, move), after_lps=_moved(entry.after_lps, move))


def _moved(point_lps: Point | None, move: Move) -> Point | None:
    return None if point_lps is None else _moved_point(point_lps, move)


def _moved_point(point_lps: Point, move: Move) -> Point:
    x, y, z = move(np.array([point_lps]))[0].tolist()
    return x, y, z
