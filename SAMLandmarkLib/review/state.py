"""The review of all follow-ups: items, decisions and the log of what the user did."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from statistics import median
from types import MappingProxyType

from .item import Decision, Point, ReviewItem, point_or_none
from .log import LogEntry
from .text import read_review_text, review_text

_FEWEST_FOR_A_SHIFT = 3
_NO_SCANS: Mapping[str, Mapping[str, ReviewItem]] = MappingProxyType({})


@dataclass(frozen=True)
class ReviewState:
    """The items of every follow-up by scan key and label, labels in the template's order.

    It never changes: every operation returns a new state. Operations on an item raise KeyError where it isn't there.

    >>> found = ReviewItem.of("carina", "DOUBTFUL", 0.4, position_lps=(1.0, 2.0, 3.0))
    >>> state = ReviewState().with_labels(["carina"]).with_result("may", [found])
    >>> accepted = state.accept("may", "carina", who="AB")
    >>> accepted.item("may", "carina").decision.value, accepted.log[0].action, len(state.log)
    ('ACCEPTED', 'accepted', 0)
    """

    labels: tuple[str, ...] = ()
    scans: Mapping[str, Mapping[str, ReviewItem]] = field(default_factory=lambda: _NO_SCANS)
    log: tuple[LogEntry, ...] = ()
    _shifts: dict[str, Point | None] = field(default_factory=dict, init=False, repr=False, compare=False)
    _counts: dict[tuple[str, ...], dict[str, int]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def item(self, scan: str, label: str) -> ReviewItem | None:
        """The item of a scan and label, None where there is none."""
        return self.scans.get(scan, {}).get(label)

    def items(self, scan: str) -> dict[str, ReviewItem]:
        """The items of a scan by label, in the template's order."""
        items = self.scans.get(scan, {})
        return {label: items[label] for label in self.labels if label in items}

    def of_scans(self, scans: Iterable[str]) -> ReviewState:
        """The review of these follow-ups only, with the log of them and of what concerns all."""
        kept = {scan: self.scans[scan] for scan in scans if scan in self.scans}
        log = tuple(entry for entry in self.log if not entry.scan or entry.scan in kept)
        return replace(self, scans=kept, log=log)

    def counts(self, scans: Iterable[str] | None = None) -> dict[str, int]:
        """How many items there are ("total") and how many are open, doubtful (open ones), accepted and so on.

        Only the items of the given scans count; all for None.
        """
        keys = tuple(self.scans if scans is None else scans)
        if keys not in self._counts:
            self._counts[keys] = self._count(keys)
        return dict(self._counts[keys])

    def _count(self, scans: tuple[str, ...]) -> dict[str, int]:
        items = [item for scan in scans for item in self.items(scan).values()]
        counts = Counter(item.decision.value.lower() for item in items)
        counts.update(item.status.lower() for item in items if item.needs_review)
        names = [decision.value.lower() for decision in Decision] + ["doubtful", "missing"]
        return {name: counts[name] for name in names} | {"total": len(items)}

    def shift_lps(self, scan: str) -> Point | None:
        """The shift common to the landmarks of a scan (their median, LPS mm); None for fewer than three of them.

        Two scans of one patient seldom count from the same origin, so most of a displacement says nothing of anatomy.
        """
        if scan not in self._shifts:
            self._shifts[scan] = self._median_shift_lps(scan)
        return self._shifts[scan]

    def _median_shift_lps(self, scan: str) -> Point | None:
        pairs = [
            (item.position_lps, item.template_lps)
            for item in self.items(scan).values()
            if item.position_lps is not None and item.template_lps is not None
        ]
        if len(pairs) < _FEWEST_FOR_A_SHIFT:
            return None
        x, y, z = (median(now[axis] - before[axis] for now, before in pairs) for axis in range(3))
        return x, y, z

    def relative_displacement_mm(self, scan: str, label: str) -> float | None:
        """How far a landmark has moved beyond what all of its scan have in common, mm; None where that is unknown."""
        item, shift = self.item(scan, label), self.shift_lps(scan)
        if item is None or item.position_lps is None or item.template_lps is None or shift is None:
            return None
        expected = [place + step for place, step in zip(item.template_lps, shift, strict=True)]
        return math.dist(item.position_lps, expected)

    # ---- the template's landmarks and the scans

    def with_labels(self, labels: Sequence[str], who: str = "") -> ReviewState:
        """The state for these labels, in this order; items of other labels are dropped, decided ones with a log entry."""
        gone = [
            self._entry(scan, item, "removed", who, None)
            for scan, items in self.scans.items()
            for label, item in items.items()
            if label not in labels and item.decision is not Decision.OPEN
        ]
        scans = {
            scan: {label: items[label] for label in labels if label in items}
            for scan, items in self.scans.items()
        }
        return replace(self, labels=tuple(labels), scans=scans, log=(*self.log, *gone))

    def renamed(self, names: Mapping[str, str], who: str = "") -> ReviewState:
        """The state with landmarks renamed everywhere, {old: new}; decisions are kept."""
        labels = tuple(names.get(label, label) for label in self.labels)
        scans = {scan: _renamed_items(items, names) for scan, items in self.scans.items()}
        entries = [LogEntry(_now(), who, "", new, f"renamed from {old}") for old, new in names.items()]
        return replace(self, labels=labels, scans=scans, log=(*self.log, *entries))

    def with_result(
        self, scan: str, items: Iterable[ReviewItem], again: bool = False, who: str = ""
    ) -> ReviewState:
        """The state with new answers for a scan.

        What the user has decided stays as it is unless `again`; then the log tells what was replaced.
        """
        known = dict(self.scans.get(scan, {}))
        entries = []
        for item in items:
            before = known.get(item.label)
            decided = before is not None and before.decision is not Decision.OPEN
            if decided and not again:
                continue
            if before is not None and decided:
                entries.append(self._entry(scan, before, "replaced", who, item.position_lps))
            known[item.label] = item
        return replace(self, scans={**self.scans, scan: known}, log=(*self.log, *entries))

    # ---- decisions

    def accept(self, scan: str, label: str, who: str = "") -> ReviewState:
        """The item is right as it is; where it has no position: it is rightly missing."""
        item = self.scans[scan][label]
        return self._decided(scan, replace(item, decision=Decision.ACCEPTED), "accepted", who)

    def accept_found(self, scan: str, labels: Iterable[str], least: float, who: str = "") -> ReviewState:
        """Accept those of the labels that were found where they are shown, with a confidence of `least` or more.

        What is doubtful, missing or decided stays as it is.
        """
        state = self
        for label in labels:
            item = self.scans[scan][label]
            sure = item.status == "FOUND" and item.confidence >= least and not item.needs_review
            if sure and item.decision is Decision.OPEN:
                state = state.accept(scan, label, who)
        return state

    def reject(self, scan: str, label: str, who: str = "") -> ReviewState:
        """The item is wrong: it loses its position, which stays in the log and in `transferred_lps`."""
        item = self.scans[scan][label]
        rejected = replace(item, position_lps=None, candidate_index=None, decision=Decision.REJECTED)
        return self._decided(scan, rejected, "rejected", who)

    def set_missing(self, scan: str, label: str, who: str = "") -> ReviewState:
        """The landmark isn't in this scan."""
        item = self.scans[scan][label]
        missing = replace(item, position_lps=None, candidate_index=None, decision=Decision.SET_MISSING)
        return self._decided(scan, missing, "set missing", who)

    def correct(self, scan: str, label: str, position_lps: Sequence[float], who: str = "") -> ReviewState:
        """The landmark is at `position_lps` (LPS mm): the user put it there."""
        item = self.scans[scan][label]
        position = point_or_none(position_lps)
        corrected = replace(item, position_lps=position, candidate_index=None, decision=Decision.CORRECTED)
        return self._decided(scan, corrected, "corrected", who)

    def next_candidate(self, scan: str, label: str, who: str = "") -> ReviewState:
        """The item moved to its next candidate, undecided; the same state where there is no other."""
        item = self.scans[scan][label]
        moved = item.with_next_candidate()
        return self if moved is item else self._decided(scan, moved, "next candidate", who)

    def reopen(self, scan: str, label: str, who: str = "") -> ReviewState:
        """The item as the engine answered, undecided."""
        return self._decided(scan, self.scans[scan][label].reopened(), "reopened", who)

    def _decided(self, scan: str, item: ReviewItem, action: str, who: str) -> ReviewState:
        entry = self._entry(scan, self.scans[scan][item.label], action, who, item.position_lps)
        items = {**self.scans[scan], item.label: item}
        return replace(self, scans={**self.scans, scan: items}, log=(*self.log, entry))

    @staticmethod
    def _entry(scan: str, before: ReviewItem, action: str, who: str, after_lps: Point | None) -> LogEntry:
        return LogEntry(_now(), who, scan, before.label, action, before.position_lps, after_lps)

    # ---- text

    def to_json(self) -> str:
        """This state as text, for `from_json`."""
        items = {scan: self.items(scan).values() for scan in self.scans}
        return review_text(self.labels, items, self.log)

    @classmethod
    def from_json(cls, text: str) -> ReviewState:
        """The state that `to_json` wrote; ReviewError where the text is damaged or from a newer version."""
        return cls(*read_review_text(text))


def _renamed_items(items: Mapping[str, ReviewItem], names: Mapping[str, str]) -> dict[str, ReviewItem]:
    renamed = (item.with_label(names.get(label, label)) for label, item in items.items())
    return {item.label: item for item in renamed}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
