"""How far a run of a study is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .ledger import Entry, State


@dataclass(frozen=True)
class StudyProgress:
    """Scans by state, which scan has just ended, and how many seconds are left, if that is known."""

    counts: Mapping[State, int]
    last: Entry | None
    seconds_left: float | None

    @property
    def total(self) -> int:
        """How many scans the study has."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """How many scans need nothing more."""
        return self.total - self.counts[State.QUEUED] - self.counts[State.RUNNING]

    @property
    def failed(self) -> int:
        """How many scans ended without a result."""
        return self.counts[State.FAILED] + self.counts[State.SKIPPED]


class ProgressCounter:
    """Counts what is done in a run, and estimates from it how long the rest takes."""

    def __init__(self, states: Iterable[State], outdated: int) -> None:
        self._counts = Counter(states)
        self._outdated, self._ended = outdated, 0
        self._started = time.monotonic()

    def begun(self) -> None:
        """A queued scan is being done."""
        self._counts[State.QUEUED] -= 1
        self._counts[State.RUNNING] += 1

    def ended(self, entry: Entry) -> StudyProgress:
        """A scan has ended as the entry says."""
        self._counts[State.RUNNING] -= 1
        self._counts[entry.state] += 1
        self._ended += 1
        return self.progress(entry)

    def progress(self, last: Entry | None = None) -> StudyProgress:
        """How far it is now."""
        elapsed = time.monotonic() - self._started
        left = elapsed / self._ended * (self._outdated - self._ended) if self._ended else None
        return StudyProgress({state: self._counts[state] for state in State}, last, left)
