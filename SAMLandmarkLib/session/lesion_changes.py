"""What a reader draws and says of tracked lesions, kept apart from what was proposed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import Enum

import numpy as np

from ..core.lesions import Diameter, Finding, LesionHistory, LesionStatus, Mark, Role, Source, Track
from ..io.lesion_lines import is_longer
from ..utils.translation import _

_SAME_MM = 0.05
"""So far two ends may lie apart that are the same, for rounding."""
_STAYS = (LesionStatus.PRESENT, LesionStatus.NEW, LesionStatus.SPLIT)


class Said(str, Enum):
    """What a reader says of a lesion at a date that no line can tell."""

    DISAPPEARED = "DISAPPEARED"
    TOO_SMALL = "TOO_SMALL"
    OUT_OF_VIEW = "OUT_OF_VIEW"
    UNCERTAIN = "UNCERTAIN"
    PROGRESSED = "PROGRESSED"


def with_drawn(history: LesionHistory, visit: int, marks: Sequence[Mark]) -> LesionHistory:
    """The history with the lines that are drawn on the scan of a visit.

    A line that a reader drew or moved is measured by hand. One that is named like a new lesion (N1) and belongs to no
    track begins one; others that belong to none are left out, see `foreign_names`. A lesion whose line was deleted is
    uncertain.
    """
    drawn = {mark.lesion.name: mark for mark in marks}
    for track in history:
        mark, finding = drawn.get(track.lesion.name), track.at(visit)
        now = _first(track, mark) if finding is None else _drawn(finding, mark)
        if now is not None:
            history = history.with_track(track.with_finding(visit, now))
    new = [mark for mark in marks if visit and mark.lesion.name not in _names(history) and _is_new(mark)]
    tracks = [Track(mark.lesion, {visit: _as_new(mark)}) for mark in new]
    return replace(history, tracks=(*history.tracks, *tracks))


def is_drawn_anew(finding: Finding, tracked: Finding | None) -> bool:
    """Whether a lesion of the template is not as it was when it was tracked, so that its proposals are of another one."""
    if tracked is None:
        return True
    if finding.long is None and finding.position_lps is not None and tracked.position_lps is not None:
        return math.dist(finding.position_lps, tracked.position_lps) > _SAME_MM
    axes = ((finding.long, tracked.long), (finding.short, tracked.short))
    return any(_by_hand(now, then) is not None for now, then in axes)


def foreign_names(history: LesionHistory, marks: Iterable[Mark]) -> list[str]:
    """The names of drawn lesions that no track has."""
    return [mark.lesion.name for mark in marks if mark.lesion.name not in _names(history)]


def with_said(history: LesionHistory, visit: int, name: str, said: Said) -> LesionHistory:
    """The history with a reader's word on a lesion; as it is where the lesion has no finding at that visit."""
    if name not in _names(history) or (finding := history.track(name).at(visit)) is None:
        return history
    if said is Said.PROGRESSED:
        told = finding.changed(progression=True)
    else:
        told = finding.changed(
            status=LesionStatus[said.value],
            long=None,
            short=None,
            source=Source.HAND,
            confidence=1.0,
            merged_into="",
            note=_("said by the reader"),
        )
    return history.with_track(history.track(name).with_finding(visit, told))


def _names(history: LesionHistory) -> set[str]:
    return {track.lesion.name for track in history}


def _is_new(mark: Mark) -> bool:
    return mark.lesion.role is Role.NEW and mark.finding.by_hand


def _as_new(mark: Mark) -> Finding:
    return mark.finding.changed(status=LesionStatus.NEW)


def _first(track: Track, mark: Mark | None) -> Finding | None:
    """The finding of a lesion that was not looked for at a visit, where a reader drew it there."""
    if mark is None or not mark.finding.by_hand:
        return None
    return mark.finding if track.findings else _as_new(mark)


def _drawn(finding: Finding, mark: Mark | None) -> Finding:
    """A finding with the lines that are drawn for it now."""
    if mark is None:
        return _without_line(finding)
    long, short = _by_hand(mark.finding.long, finding.long), _by_hand(mark.finding.short, finding.short)
    if long is None and short is None:
        return finding
    status = finding.status if finding.status in _STAYS else LesionStatus.PRESENT
    changed = finding.changed(status=status, short=short or finding.short, merged_into="", note="")
    if long is None:
        return changed
    if changed.short is not None and is_longer(changed.short, long):
        changed = changed.changed(short=None)
    place = mark.finding.position_lps
    return changed.changed(long=long, position_lps=place, source=Source.HAND, confidence=1.0)


def _without_line(finding: Finding) -> Finding:
    if not finding.is_seen or (finding.long is None and finding.carried_long is None):
        return finding
    note = _("its line was deleted")
    return finding.changed(status=LesionStatus.UNCERTAIN, long=None, short=None, note=note)


def _by_hand(drawn: Diameter | None, known: Diameter | None) -> Diameter | None:
    """A line of the reader's that is not known yet."""
    if drawn is None or drawn.source is not Source.HAND:
        return None
    same = known is not None and np.abs(drawn.ends - known.ends).max() <= _SAME_MM
    return None if same else drawn
