"""The lesions of a patient over time as a table of texts: lesions, their sum and the proposed response, by date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ..core.lesions import Finding, LesionHistory, LesionStatus, Source, Track
from ..reporting.lesion_words import percent_text, role_text, size_text, source_text, status_text
from ..tracking.response import Assessment, assess, counted_mm, parts_of_earlier
from ..utils.translation import _

PROPOSED_SIGN = "○"
"""Stands before what no reader has drawn."""
COLORS = {"hand": "#dcf0de", "proposed": "#ffdf94", "gone": "#dedede", "new": "#f6c9c2"}


@dataclass(frozen=True)
class LesionCell:
    """A cell: its text, what is told when the mouse comes, and a key of COLORS, "" for none."""

    text: str
    tip: str = ""
    kind: str = ""


@dataclass(frozen=True)
class LesionTable:
    """Titles of the dates, and rows: name, what it is, a cell for each date; the last two rows are sum and response."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[LesionCell, ...]], ...]
    responses: tuple[str, ...]

    @classmethod
    def of(cls, history: LesionHistory) -> LesionTable:
        """The table of a history; `responses` tell for each follow-up the proposed category with its rule."""
        titles, assessed = visit_titles(history), assess(history)
        visits = range(len(history.visits))
        rows = [
            (track.lesion.name, role_text(track.lesion), tuple(_cell(history, track, n) for n in visits))
            for track in history
        ]
        sums = (str(_("Sum")), str(_("sum of the targets")), tuple(map(_sum_cell, assessed)))
        response = (str(_("RECIST 1.1")), str(_("proposed")), tuple(map(_response_cell, assessed)))
        told = (_response_text(titles[item.visit], item) for item in assessed if item.overall is not None)
        return cls(titles, (*rows, sums, response), tuple(told))


def visit_titles(history: LesionHistory) -> tuple[str, ...]:
    """The dates of the visits, with the name where a date is unknown or occurs twice."""
    count = Counter(visit.title for visit in history.visits)
    return tuple(
        visit.title if count[visit.title] == 1 else f"{visit.title} {visit.name}" for visit in history.visits
    )


def details(history: LesionHistory, name: str, visit: int) -> str:
    """All that is known of a lesion at a date, in a few lines; "" where there is nothing."""
    finding = history.track(name).at(visit)
    return "" if finding is None else "\n".join(map(str, _details(finding)))


def _details(finding: Finding) -> Iterator[str]:
    yield status_text(finding)
    if finding.long is not None:
        yield f"{size_text(finding)}, {source_text(finding.long.source)}"
    if finding.carried_long is not None and finding.is_seen:
        yield _("carried only: {mm} mm").format(mm=f"{finding.carried_long.length_mm:.1f}")
    if finding.confidence < 1:
        yield _("confidence {percent}").format(percent=percent_text(finding.confidence))
    if finding.progression:
        yield _("unequivocal progression, said by the reader")
    if finding.note:
        yield finding.note


def _cell(history: LesionHistory, track: Track, visit: int) -> LesionCell:
    finding = track.at(visit)
    if finding is None:
        return LesionCell("–")
    return LesionCell(
        "\n".join(_cell_lines(history, track, visit, finding)),
        details(history, track.lesion.name, visit),
        _kind(finding),
    )


def _cell_lines(history: LesionHistory, track: Track, visit: int, finding: Finding) -> Iterator[str]:
    length = counted_mm(history, track, visit)
    if length is None or not finding.is_seen:
        by_hand = finding.is_seen and finding.status is not LesionStatus.UNCERTAIN and visit > 0
        yield _("measure by hand") if by_hand else status_text(finding)
        return
    drawn = finding.long is not None and finding.long.source is Source.HAND
    yield f"{length:.1f} mm" if drawn else f"{PROPOSED_SIGN} {length:.1f} mm"
    of_baseline, _of_nadir = parts_of_earlier(history, track, visit)
    status = "" if finding.status is LesionStatus.PRESENT else status_text(finding)
    parts = ["" if of_baseline is None else percent_text(of_baseline), status]
    if any(parts):
        yield ", ".join(part for part in parts if part)


def _kind(finding: Finding) -> str:
    if not finding.is_seen:
        return "gone"
    if finding.status is LesionStatus.NEW:
        return "new"
    return "hand" if finding.by_hand else "proposed"


def _sum_cell(item: Assessment) -> LesionCell:
    if item.sum_mm is None:
        return LesionCell("–", _("not all targets are measured"))
    text = f"{item.sum_mm:.1f} mm"
    if item.visit == 0:
        return LesionCell(text)
    tip = _("{baseline} of the baseline, {nadir} of the nadir")
    told = tip.format(baseline=percent_text(item.of_baseline), nadir=percent_text(item.of_nadir))
    return LesionCell(f"{text}\n{percent_text(item.of_baseline)}", told)


def _response_cell(item: Assessment) -> LesionCell:
    if item.overall is None:
        return LesionCell(_("baseline") if item.visit == 0 else "–", "\n".join(item.remarks))
    return LesionCell(item.overall.response.text, "\n".join([item.overall.rule, *item.remarks]))


def _response_text(title: str, item: Assessment) -> str:
    if item.overall is None:
        return ""
    text = _("{date}: {response} proposed, because: {rule}")
    return text.format(date=title, response=item.overall.response.text, rule=item.overall.rule)
