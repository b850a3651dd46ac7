"""Lists of marked lesions become tracks: paired date after date, one missed date bridged, proposals where nobody marked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..core.lesions import Finding, Lesion, LesionStatus, Mark, Role, Source, Track, plain_point
from ..utils.translation import _
from .assignment import (
    DEFAULTS,
    AssignmentOptions,
    Joined,
    Pairing,
    Sizes,
    assign,
    merges_and_splits,
    pair_costs,
    vanish_costs,
)
from .carried import Carried, Carrier, stacked

MOST_MISSED = 1
"""A lesion that a reader did not mark at so many dates in a row is still looked for at the next one."""
_NOWHERE_MM = 1e6
KNOWN = -1000.0
"""Cost of a pair that somebody has told."""
ONE_PLACE_MM = 1.0
"""Two lesions of one list that lie closer are probably one, drawn twice."""
Marks = Sequence[Mark]
Propose = Callable[[int, Finding, int, Carried, int], Finding]
"""From a visit and a finding of it, another visit, what was carried there and its row: what is proposed there."""


def place_only(source: int, before: Finding, target: int, carried: Carried, row: int) -> Finding:
    """Where a lesion should lie in a scan that nobody marked, without any measure."""
    base = Finding(
        LesionStatus.PRESENT,
        plain_point(carried.positions_lps[row]),
        confidence=float(carried.confidence[row]),
        source=Source.CARRIED,
    )
    return out_of_view(base) if carried.border_mm[row] <= 0 else base


@dataclass
class _Followed:
    """A track under construction: where it was last placed, and at how many marked dates since it was missed."""

    track: Track
    place: int = -1
    missed: int = 0

    @property
    def last(self) -> Finding:
        """Its last finding of all."""
        return self.track.findings[max(self.track.findings)]

    @property
    def placed(self) -> Finding:
        """The finding of the date at which it was last placed."""
        return self.track.findings[self.place]

    def add(self, visit: int, finding: Finding, is_place: bool) -> None:
        self.track = self.track.with_finding(visit, finding)
        if is_place:
            self.place, self.missed = visit, 0


@dataclass
class Chain:
    """The tracks so far; `follow` adds the next date. `notes` tell what is odd but stops nothing."""

    carrier: Carrier
    propose: Propose = place_only
    options: AssignmentOptions = DEFAULTS
    notes: list[str] = field(default_factory=list)
    _followed: list[_Followed] = field(default_factory=list)

    @property
    def tracks(self) -> tuple[Track, ...]:
        """All tracks, those of the baseline first."""
        return tuple(item.track for item in self._followed)

    def begin(self, marks: Marks) -> None:
        """Take over the lesions of the baseline, visit 0."""
        self.notes += notes_on_places(marks)
        for mark in marks:
            followed = _Followed(Track(mark.lesion))
            followed.add(0, mark.finding, mark.finding.is_seen)
            self._followed.append(followed)

    def follow(self, visit: int, marks: Marks | None) -> None:
        """Carry all lesions to a visit, and pair them with its marks; None where nobody marked that scan."""
        active = [item for item in self._followed if self._is_active(item)]
        carried = self._carried(active, visit)
        if marks is None:
            for row, item in enumerate(active):
                item.add(visit, self.propose(item.place, item.placed, visit, carried, row), False)
        else:
            self.notes += notes_on_places(marks)
            self._pair(visit, active, carried, marks)
        for item in self._followed:
            if visit not in item.track.findings and item.track.findings:
                item.add(visit, _continued(item.last), False)

    def _is_active(self, item: _Followed) -> bool:
        gone = item.last.status is LesionStatus.MERGED if item.track.findings else True
        return item.place >= 0 and not gone and item.missed <= MOST_MISSED

    def _carried(self, active: Sequence[_Followed], visit: int) -> Carried:
        """All active lesions in the scan of a visit, each from the last scan that a reader marked it in."""
        order, parts = [], []
        for place in sorted({item.place for item in active}):
            rows = [row for row, item in enumerate(active) if item.place == place]
            points = np.array([active[row].placed.position for row in rows])
            parts.append(self.carrier.carry(place, visit, points))
            order += rows
        if not parts:
            return self.carrier.carry(0, visit, np.zeros((0, 3)))
        return stacked(parts).at_rows(np.argsort(order))

    def _pair(self, visit: int, active: Sequence[_Followed], carried: Carried, marks: Marks) -> None:
        before = _sizes([Mark(item.track.lesion, item.placed) for item in active])
        after = _sizes(marks)
        places = _places(marks)
        skipped = np.array([item.missed > 0 for item in active], dtype=float)
        costs = pair_costs(carried, before, places, after, skipped, self.options)
        costs[_same_uid(active, marks)] = KNOWN
        pairing = assign(costs, vanish_costs(carried, before, self.options), self.options)
        joined = merges_and_splits(carried, before, places, after, pairing)
        for row, item in enumerate(active):
            if pairing.rows[row] >= 0:
                mark = self._measured(visit, item, marks[pairing.rows[row]], carried, row)
                self._continue(visit, item, mark, float(pairing.confidence[row]))
        for row, item in enumerate(active):
            if pairing.rows[row] < 0:
                self._miss(visit, item, row, carried, active, joined, float(pairing.confidence[row]))
        self._add_new(visit, active, marks, pairing, joined)

    def _continue(self, visit: int, item: _Followed, mark: Mark, confidence: float) -> None:
        self._bridge(item)
        if mark.lesion.name != item.track.lesion.name and not _is_numbered(mark.lesion.name):
            told = _("{visit}. date: {other} lies where {name} was carried to, and is taken for it")
            values = {"visit": visit + 1, "other": mark.lesion.name, "name": item.track.lesion.name}
            self.notes.append(told.format(**values))
        parent = item.placed.split_from
        status = LesionStatus.SPLIT if parent else mark.finding.status
        given = status if status is not LesionStatus.NEW else LesionStatus.PRESENT
        finding = mark.finding.changed(status=given, confidence=confidence, split_from=parent)
        item.add(visit, finding, finding.is_seen)

    def _measured(self, visit: int, item: _Followed, mark: Mark, carried: Carried, row: int) -> Mark:
        """A mark with the diameters that are proposed around it, where the reader drew none."""
        finding = mark.finding
        if finding.long is not None or item.placed.long is None:
            return mark
        here = carried.moved(row, finding.position)
        proposed = self.propose(item.place, item.placed, visit, here, row)
        kept = finding.changed(
            long=proposed.long,
            short=proposed.short,
            carried_long=proposed.carried_long,
            carried_short=proposed.carried_short,
            note=finding.note or proposed.note,
        )
        return replace(mark, finding=kept)

    def _bridge(self, item: _Followed) -> None:
        """Dates between two marks at which the lesion was missed: it was there, but nobody marked it."""
        for visit, finding in item.track.findings.items():
            if visit > item.place and finding.status is LesionStatus.DISAPPEARED:
                note = _("not marked at this date, but at the next one again")
                item.add(visit, finding.changed(status=LesionStatus.UNCERTAIN, note=note), False)

    def _miss(
        self,
        visit: int,
        item: _Followed,
        row: int,
        carried: Carried,
        active: Sequence[_Followed],
        joined: Joined,
        confidence: float,
    ) -> None:
        place = plain_point(carried.positions_lps[row])
        # a list in which it does not stand is a reader's word
        base = Finding(LesionStatus.DISAPPEARED, place, confidence=confidence)
        if row in joined.merged_into:
            name = active[joined.merged_into[row]].track.lesion.name
            item.add(visit, base.changed(status=LesionStatus.MERGED, merged_into=name), False)
            return
        if carried.border_mm[row] <= 0:
            item.add(visit, out_of_view(base), False)
            return
        item.missed += 1
        radius_mm = (item.placed.size_mm or 0.0) / 2
        if carried.border_mm[row] < radius_mm:
            note = _("not marked, and partly outside of the scan")
            base = base.changed(status=LesionStatus.UNCERTAIN, note=note)
        item.add(visit, base, False)

    def _add_new(
        self, visit: int, active: Sequence[_Followed], marks: Marks, pairing: Pairing, joined: Joined
    ) -> None:
        for column in np.flatnonzero(pairing.new).tolist():
            mark = marks[column]
            finding = mark.finding
            if finding.is_seen and not finding.split_from:
                sure = float(pairing.new_confidence[column])
                finding = finding.changed(status=LesionStatus.NEW, confidence=sure)
            if column in joined.split_from:
                parent = active[joined.split_from[column]].track.lesion.name
                finding = finding.changed(status=LesionStatus.SPLIT, split_from=parent)
            lesion = replace(mark.lesion, name=self._free_name(mark.lesion), role=Role.NEW)
            followed = _Followed(Track(lesion))
            followed.add(visit, finding, finding.is_seen)
            self._followed.append(followed)

    def _free_name(self, lesion: Lesion) -> str:
        """The name of a new lesion: its own where that is free, and no mere number; else N1, N2, …"""
        taken = {item.track.lesion.name for item in self._followed}
        if lesion.name not in taken and not _is_numbered(lesion.name):
            return lesion.name
        return next(name for number in itertools.count(1) if (name := f"N{number}") not in taken)


def _same_uid(active: Sequence[_Followed], marks: Marks) -> np.ndarray:
    """Which lesions and marks `(n, m)` have the same tracking UID, so that somebody said they are one."""
    same = [
        [bool(item.track.lesion.uid) and item.track.lesion.uid == mark.lesion.uid for mark in marks]
        for item in active
    ]
    return np.reshape(np.array(same, dtype=bool), (len(active), len(marks)))


def _is_numbered(name: str) -> bool:
    """Whether a name says nothing but a place in a list, as the labels of a label map do."""
    return name.removeprefix("lesion ").isdigit()


def _places(marks: Marks) -> np.ndarray:
    """Where lesions are marked, `(m, 3)` LPS mm; one outside of its scan is so far away that it is nobody's."""
    places = [mark.finding.position if mark.finding.is_seen else np.full(3, _NOWHERE_MM) for mark in marks]
    return np.reshape(np.array(places, dtype=float), (-1, 3))


def _sizes(marks: Marks) -> Sizes:
    lengths = [mark.finding.size_mm for mark in marks]
    diameters = np.array([np.nan if length is None else length for length in lengths], dtype=float)
    return Sizes(diameters, tuple(mark.lesion.organ for mark in marks))


def out_of_view(finding: Finding) -> Finding:
    """A finding of a lesion that the scan does not reach."""
    return finding.changed(status=LesionStatus.OUT_OF_VIEW, note=_("it lies outside of the scan"))


def _continued(last: Finding) -> Finding:
    """The finding of a lesion that is not looked for any more: what it was before."""
    if last.status in (LesionStatus.MERGED, LesionStatus.DISAPPEARED):
        return last.changed(position_lps=None)
    return Finding(LesionStatus.UNCERTAIN, confidence=0.0, source=Source.CARRIED, note=last.note)


def notes_on_places(marks: Marks) -> list[str]:
    """Lesions of one list that lie in one place."""
    placed = [mark for mark in marks if mark.finding.position_lps is not None]
    notes: list[str] = []
    for one, other in itertools.combinations(placed, 2):
        apart = float(np.linalg.norm(one.finding.position - other.finding.position))
        if apart < ONE_PLACE_MM:
            told = _(
                "{first} and {second} lie in one place ({mm} mm apart); both are kept, look whether they are one"
            )
            values = {"first": one.lesion.name, "second": other.lesion.name, "mm": f"{apart:.1f}"}
            notes.append(told.format(**values))
    return notes
