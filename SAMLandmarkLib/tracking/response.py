"""The response of a patient over time: which length of each lesion counts at each date, and what RECIST 1.1 makes of it.

All of it is a proposal: a reader decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from ..core.lesions import Finding, LesionHistory, LesionStatus, Role, Track
from ..utils.translation import _
from .recist import (
    MOST_TARGETS,
    MOST_TARGETS_OF_ORGAN,
    NORMAL_NODE_MM,
    TOO_SMALL_MM,
    Dated,
    Judged,
    NonTarget,
    Response,
    TargetMeasure,
    best_response,
    least_measurable_mm,
    non_target_response,
    overall_response,
    sum_of_diameters,
    target_response,
)

UNEQUIVOCAL = 0.5
"""A new lesion counts where this is at least the confidence that it is one."""


@dataclass(frozen=True)
class Assessment:
    """The response at one date: `sum_mm` of the targets, `nadir_mm` up to the date before, None where unknown.

    At the baseline there is nothing to compare with, and no response.
    """

    visit: int
    sum_mm: float | None
    baseline_mm: float | None
    nadir_mm: float | None
    target: Judged | None = None
    non_target: Judged | None = None
    new_lesions: tuple[str, ...] = ()
    overall: Judged | None = None
    remarks: tuple[str, ...] = ()

    @property
    def of_baseline(self) -> float | None:
        """The sum as a part of that at baseline."""
        return _part(self.sum_mm, self.baseline_mm)

    @property
    def of_nadir(self) -> float | None:
        """The sum as a part of the nadir."""
        return _part(self.sum_mm, self.nadir_mm)


def counted_mm(history: LesionHistory, track: Track, visit: int) -> float | None:
    """The length in mm that a lesion counts at a date: the short axis of a node, else the longest diameter.

    A lesion that disappeared counts 0, one that is too small 5 mm where nobody measured it, one that merged into another
    target 0, since that one is measured as a whole; the parts of one that split are added. None where it is not known.
    """
    finding = track.at(visit)
    if finding is None:
        return None
    if finding.status is LesionStatus.MERGED:
        into = next(
            (item for item in history.of_role(Role.TARGET) if item.lesion.name == finding.merged_into), None
        )
        return None if into is None or counted_mm(history, into, visit) is None else 0.0
    own = _length_mm(finding, track.lesion.is_node)
    parts = [_length_mm(part, track.lesion.is_node) for part in _parts_of(history, track, visit)]
    known = [length for length in parts if length is not None]
    return None if own is None or len(known) < len(parts) else own + sum(known)


def parts_of_earlier(history: LesionHistory, track: Track, visit: int) -> tuple[float | None, float | None]:
    """The length of a lesion at a date as a part of that at the first date, and of the smallest before."""
    length = counted_mm(history, track, visit)
    before = [counted_mm(history, track, earlier) for earlier in range(visit)]
    smallest = min((value for value in before if value), default=None)
    return _part(length, before[0] if before else None), _part(length, smallest)


def _length_mm(finding: Finding, is_node: bool) -> float | None:
    if finding.status is LesionStatus.DISAPPEARED:
        return 0.0
    if finding.status in (LesionStatus.OUT_OF_VIEW, LesionStatus.UNCERTAIN):
        return None
    axis = finding.short if is_node else finding.long
    if axis is not None:
        return axis.length_mm
    return TOO_SMALL_MM if finding.status is LesionStatus.TOO_SMALL else None


def _parts_of(history: LesionHistory, track: Track, visit: int) -> Iterator[Finding]:
    for other in history:
        finding = other.at(visit)
        if other.lesion.name != track.lesion.name and finding and finding.split_from == track.lesion.name:
            yield finding


def assess(history: LesionHistory) -> tuple[Assessment, ...]:
    """The assessment of every date, the baseline first."""
    done: list[Assessment] = []
    for visit in range(len(history.visits)):
        done.append(_assessment(history, visit, done))
    return tuple(done)


def _assessment(history: LesionHistory, visit: int, before: list[Assessment]) -> Assessment:
    measures = [
        TargetMeasure(counted_mm(history, track, visit), track.lesion.is_node)
        for track in history.of_role(Role.TARGET)
    ]
    sum_mm = sum_of_diameters(measures) if measures else None
    sums = [item.sum_mm for item in before if item.sum_mm is not None]
    baseline_mm = before[0].sum_mm if before else sum_mm
    nadir_mm = min(sums, default=None) if before else sum_mm
    remarks = tuple(_remarks(history, visit))
    if not before:
        return Assessment(visit, sum_mm, baseline_mm, nadir_mm, remarks=remarks)
    target = _target(measures, baseline_mm, nadir_mm, before)
    states = [_state(track, visit) for track in history.of_role(Role.NON_TARGET)]
    non_target = non_target_response([state for state in states if state is not None])
    new = new_lesions(history, visit)
    overall = overall_response(target, non_target, bool(new))
    return Assessment(visit, sum_mm, baseline_mm, nadir_mm, target, non_target, new, overall, remarks)


def _target(
    measures: list[TargetMeasure], baseline_mm: float | None, nadir_mm: float | None, before: list[Assessment]
) -> Judged | None:
    if not measures:
        return None
    if baseline_mm is None or nadir_mm is None:
        return Judged(Response.NE, _("not all targets were measured at baseline"))
    complete = any(item.target is not None and item.target.response is Response.CR for item in before)
    return target_response(measures, baseline_mm, nadir_mm, complete)


def _state(track: Track, visit: int) -> NonTarget | None:
    """What a lesion that is no target is at a date; None for a part or a lesion that another one took in."""
    finding = track.at(visit)
    if finding is None or finding.status in (LesionStatus.OUT_OF_VIEW, LesionStatus.UNCERTAIN):
        return NonTarget.NOT_EVALUATED
    if finding.progression:
        return NonTarget.PROGRESSED
    if finding.status is LesionStatus.MERGED or finding.split_from:
        return None
    small_node = (
        track.lesion.is_node and finding.short is not None and finding.short.length_mm < NORMAL_NODE_MM
    )
    gone = finding.status is LesionStatus.DISAPPEARED or small_node
    return NonTarget.GONE if gone else NonTarget.SEEN


def new_lesions(history: LesionHistory, visit: int) -> tuple[str, ...]:
    """The names of the lesions that are new since the baseline, seen at a date, and no parts of others."""
    return tuple(
        track.lesion.name
        for track in history.of_role(Role.NEW)
        if (finding := track.at(visit)) and finding.is_seen and not finding.split_from
        if finding.status is not LesionStatus.UNCERTAIN and finding.confidence >= UNEQUIVOCAL
    )


def vanished_lesions(history: LesionHistory, visit: int) -> tuple[str, ...]:
    """The names of the lesions that are gone at a date."""
    return tuple(
        track.lesion.name
        for track in history
        if (finding := track.at(visit)) and finding.status is LesionStatus.DISAPPEARED
    )


def _remarks(history: LesionHistory, visit: int) -> Iterator[str]:
    """Why numbers of a date need a second look."""
    for track in history.of_role(Role.NEW):
        finding = track.at(visit)
        unsure = finding is not None and finding.is_seen and not finding.split_from
        if unsure and track.lesion.name not in new_lesions(history, visit):
            yield _("{lesion} may be new; it counts once a reader says so").format(lesion=track.lesion.name)
    for track in history.of_role(Role.TARGET):
        finding = track.at(visit)
        if finding is None or (finding.note and counted_mm(history, track, visit) is None):
            reason = _("it was not looked for") if finding is None else finding.note
            yield f"{track.lesion.name}: {reason}"


def best_of(history: LesionHistory, confirmed: bool = False) -> Judged:
    """The best overall response of all dates after the baseline."""
    first = _day(history.visits[0].date) if history.visits else None
    seen = []
    for item in assess(history)[1:]:
        day = _day(history.visits[item.visit].date)
        days = (day - first).days if day and first else None
        if item.overall is not None:
            seen.append(Dated(item.overall.response, days))
    return best_response(seen, confirmed)


def target_doubts(history: LesionHistory) -> tuple[str, ...]:
    """Why the targets were not chosen as RECIST 1.1 has it: too many, or too small at baseline."""
    targets = history.of_role(Role.TARGET)
    doubts = []
    if len(targets) > MOST_TARGETS:
        doubts.append(_("there are {count} targets; RECIST 1.1 takes at most 5").format(count=len(targets)))
    organs = Counter(track.lesion.organ for track in targets if track.lesion.organ)
    for organ, count in organs.items():
        if count > MOST_TARGETS_OF_ORGAN:
            doubts.append(
                _("there are {count} targets in {organ}; at most 2 are taken").format(
                    count=count, organ=organ
                )
            )
    slice_mm = history.visits[0].slice_mm if history.visits else None
    for track in targets:
        length, least = counted_mm(history, track, 0), least_measurable_mm(track.lesion.is_node, slice_mm)
        if length is not None and length < least:
            told = _("{lesion} measures {length} mm at baseline; a target has at least {least} mm")
            values = {"length": f"{length:.1f}", "least": f"{least:g}"}
            doubts.append(told.format(lesion=track.lesion.name, **values))
    return tuple(doubts)


def _part(value: float | None, of: float | None) -> float | None:
    return value / of if value is not None and of else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
