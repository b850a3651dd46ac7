"""What is measured on the scans of a patient, in the order of time."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from ..review import Point, ReviewState
from .landmark_pairs import Pair

_DONE = "done"


@dataclass(frozen=True)
class Measure:
    """A length in mm, None where a landmark it needs is missing; `doubtful` where such a landmark is."""

    millimeters: float | None = None
    doubtful: bool = False


@dataclass(frozen=True)
class TimePoint:
    """A scan: `places` of its landmarks by label (LPS mm, its own frame).

    `key` is that in the review, empty for the template; `state` says in a word how far the study is with it.
    """

    title: str
    key: str = ""
    day: date | None = None
    state: str = _DONE
    places: Mapping[str, Point] = field(default_factory=dict)
    doubtful: frozenset[str] = frozenset()

    @property
    def is_done(self) -> bool:
        """Whether the scan's landmarks are known."""
        return self.state == _DONE

    def distance(self, pair: Pair) -> Measure:
        """From one landmark to the other on this scan."""
        first, second = (self.places.get(label) for label in pair)
        if first is None or second is None:
            return Measure()
        return Measure(math.dist(first, second), not self.doubtful.isdisjoint(pair))

    def displacement(self, review: ReviewState, label: str) -> Measure:
        """How far a landmark has moved since the template, beyond what all landmarks of the scan have in common."""
        return Measure(review.relative_displacement_mm(self.key, label), label in self.doubtful)


def all_dated(points: Collection[TimePoint]) -> bool:
    """Whether a date is known for each."""
    return all(point.day is not None for point in points)


def days_since_first(points: Sequence[TimePoint]) -> list[int | None]:
    """Days since the first scan, None where that is unknown."""
    first = points[0].day if points else None
    return [(point.day - first).days if point.day and first else None for point in points]


def day_of(text: str) -> date | None:
    """The day of a date in ISO 8601, None where the text has no whole date.

    >>> day_of("2024-05-02T10:30:00"), day_of("2024-05")
    (datetime.date(2024, 5, 2), None)
    """
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
