"""The page about a patient's lesions: sums and proposed responses, every lesion at every date, pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..core.lesions import Finding, LesionHistory, LesionStatus, Role, Source, Track
from ..core.volume import Volume
from ..reporting.charts import LINES_IN_A_CHART, line_chart
from ..reporting.environment import render
from ..reporting.lesion_pictures import LesionFigures
from ..reporting.lesion_words import (
    percent_text,
    role_text,
    size_text,
    source_text,
    status_text,
)
from ..reporting.review_page import LAST_NOTES, origin
from ..reporting.time_points import Measure, TimePoint, day_of
from ..reporting.views import Cell, Chart, LesionCard, Section, Table, date_cell
from .response import Assessment, assess, best_of, counted_mm, new_lesions, parts_of_earlier, vanished_lesions

Read = Callable[[int], Volume | None]
_FEWEST_POINTS = 2
_PROPOSED = (
    "All of this is proposed, by RECIST 1.1 from the measures below; a reader decides. ○ means that a measure was proposed by "
    "the program and not drawn by a reader."
)
_COUNTED = "Of nodes the short axis counts, of all others the longest diameter; in brackets % of the baseline / of the nadir."
_PICTURES = (
    "Crops are axial, 80 mm wide (wider for large lesions), with the same width and grey levels at all dates. Yellow lines are "
    "a reader's, dashed blue ones are proposed."
)


def lesion_page(history: LesionHistory, read: Read) -> str:
    """The text of the page; `read` gives the scan of a visit, None where it can't be read."""
    assessments = assess(history)
    figures = LesionFigures(history.visits)
    for visit in range(len(history.visits)):
        figures.add(visit, lambda visit=visit: read(visit), history.tracks)  # type: ignore[misc]
    sections = [
        *_notes(history),
        *_sums(history, assessments),
        Section("lesions", "Lesions", (f"{_COUNTED} {_PROPOSED}",), [_lesion_table(history)]),
        _changes(history),
        Section("pictures", "Pictures", (_PICTURES,), [_card(history, track, figures) for track in history]),
    ]
    return render(
        "study_patient.html",
        title=f"Lesions of {history.patient}",
        back="",
        origin=f"{origin([])} · {_best(history)}",
        scans=_response_table(history, assessments),
        sections=sections,
        footnote=LAST_NOTES,
    )


def _best(history: LesionHistory) -> str:
    if len(history.visits) < 2:
        return "no follow-up"
    best = best_of(history)
    return f"best overall response, proposed: {best.response.text} ({best.rule})"


def _notes(history: LesionHistory) -> Iterator[Section]:
    if history.notes:
        yield Section(
            "notes", "To look at first", blocks=[Table(("Note",), [[note] for note in history.notes])]
        )


def _response_table(history: LesionHistory, assessments: Sequence[Assessment]) -> Table:
    head = (
        "Scan",
        "Date",
        "Sum (mm)",
        "of baseline",
        "of nadir",
        "Targets",
        "Others",
        "New",
        "Proposed",
        "Why",
    )
    return Table(head, [_response_row(history, item) for item in assessments], numbers=range(2, 5))


def _response_row(history: LesionHistory, item: Assessment) -> list[object]:
    visit = history.visits[item.visit]
    sums = [f"{item.sum_mm:.1f}" if item.sum_mm is not None else "–", percent_text(item.of_baseline)]
    if item.visit == 0:
        baseline = Cell("baseline", kind="whole")
        return [
            visit.name,
            date_cell(visit.date),
            *sums,
            "–",
            "–",
            "–",
            "–",
            baseline,
            "; ".join(item.remarks),
        ]
    parts = [part.response.text if part is not None else "–" for part in (item.target, item.non_target)]
    overall = (
        "–" if item.overall is None else Cell(item.overall.response.text, kind=item.overall.response.value)
    )
    why = "; ".join(str(text) for text in ([item.overall.rule] if item.overall else []))
    rest = "; ".join(map(str, item.remarks))
    return [
        visit.name,
        date_cell(visit.date),
        *sums,
        percent_text(item.of_nadir),
        *parts,
        ", ".join(item.new_lesions) or "–",
        overall,
        Cell(why, note=rest, note_below=True) if rest else why,
    ]


def _sums(history: LesionHistory, assessments: Sequence[Assessment]) -> Iterator[Section]:
    charts = _charts(history, assessments)
    if charts:
        yield Section("sums", "Sum of diameters", blocks=charts)


def _charts(history: LesionHistory, assessments: Sequence[Assessment]) -> list[Chart]:
    """The sum of diameters and the lengths of the targets over time, where any is known at two dates."""
    points = [TimePoint(visit.name, day=day_of(visit.date)) for visit in history.visits]
    targets = history.of_role(Role.TARGET)
    sums = [
        Measure(item.sum_mm, any(_is_proposed(track.at(item.visit)) for track in targets))
        for item in assessments
    ]
    lines = {"sum of diameters": sums}
    for track in targets[: LINES_IN_A_CHART - 1]:
        lines[track.lesion.name] = [
            Measure(counted_mm(history, track, visit), _is_proposed(track.at(visit)))
            for visit in range(len(history.visits))
        ]
    known = {name: sum(item.millimeters is not None for item in line) for name, line in lines.items()}
    if max(known.values()) < _FEWEST_POINTS:
        return []
    shown = {name: line for name, line in lines.items() if known[name]}
    return [Chart(line_chart(shown, points, "mm", from_zero=True))]


def _is_proposed(finding: Finding | None) -> bool:
    return finding is not None and finding.long is not None and finding.long.source is not Source.HAND


def _lesion_table(history: LesionHistory) -> Table:
    head = ["Lesion", "Role", "Site", *(Cell(visit.title) for visit in history.visits)]
    rows = [
        [
            Cell(track.lesion.name, href=f"#{_anchor(history, track)}"),
            role_text(track.lesion),
            ", ".join(part for part in (track.lesion.organ, track.lesion.site) if part) or "–",
            *(_size_cell(history, track, visit) for visit in range(len(history.visits))),
        ]
        for track in history
    ]
    return Table(head, rows, numbers=range(3, 3 + len(history.visits)))


def _size_cell(history: LesionHistory, track: Track, visit: int) -> Cell:
    finding = track.at(visit)
    if finding is None:
        return Cell("–")
    link = f"#{_anchor(history, track)}"
    length = counted_mm(history, track, visit)
    if length is None or not finding.is_seen:
        note = str(finding.note) or ("measure by hand" if finding.is_seen else "")
        return Cell(status_text(finding), href=link, note=note, note_below=True)
    mark = "○ " if _is_proposed(finding) else ""
    status = "" if finding.status is LesionStatus.PRESENT else status_text(finding)
    parts = [_changed(history, track, visit), status]
    return Cell(
        f"{mark}{length:.1f}", href=link, note=" ".join(part for part in parts if part), note_below=True
    )


def _changed(history: LesionHistory, track: Track, visit: int) -> str:
    """The length as a part of that at the first date and of the smallest before."""
    of_baseline, of_nadir = parts_of_earlier(history, track, visit)
    return "" if of_nadir is None else f"({percent_text(of_baseline)} / {percent_text(of_nadir)})"


def _changes(history: LesionHistory) -> Section:
    rows = []
    for visit in range(1, len(history.visits)):
        new, gone = new_lesions(history, visit), vanished_lesions(history, visit)
        joined = [
            f"{track.lesion.name} {status_text(finding)}"
            for track in history
            if (finding := track.at(visit)) and (finding.merged_into or finding.split_from)
        ]
        rows.append([history.visits[visit].title, *(", ".join(part) or "–" for part in (new, gone, joined))])
    table = Table(("Date", "New since the baseline", "Gone", "Merged, split"), rows)
    return Section("changes", "New and vanished", blocks=[table] if rows else [])


def _card(history: LesionHistory, track: Track, figures: LesionFigures) -> LesionCard:
    lesion = track.lesion
    notes = dict.fromkeys(str(finding.note) for finding in track.findings.values() if finding.note)
    drawn = any(finding.by_hand and finding.is_seen for finding in track.findings.values())
    kind = "NEW" if lesion.role is Role.NEW else "HAND" if drawn else "DOUBTFUL"
    return LesionCard(
        lesion.name,
        role_text(lesion),
        kind,
        "; ".join(notes),
        _anchor(history, track),
        figures.of(lesion.name),
        dict(_facts(history, track)),
    )


def _facts(history: LesionHistory, track: Track) -> Iterator[tuple[str, object]]:
    if track.lesion.organ or track.lesion.site:
        yield "Where", ", ".join(part for part in (track.lesion.organ, track.lesion.site) if part)
    for visit, finding in track.findings.items():
        yield history.visits[visit].title, "; ".join(_told(finding))


def _told(finding: Finding) -> Iterator[str]:
    """What is known of a lesion at a date."""
    if finding.long is not None and finding.is_seen:
        yield f"{size_text(finding)}, {source_text(finding.long.source)}"
    else:
        yield status_text(finding)
    if finding.carried_long is not None and finding.is_seen:
        yield f"carried only {finding.carried_long.length_mm:.1f} mm"
    if finding.volume_mm3 is not None:
        yield f"{finding.volume_mm3 / 1000:.1f} ml"
    if finding.confidence < 1:
        yield f"confidence {finding.confidence:.0%}"


def _anchor(history: LesionHistory, track: Track) -> str:
    return f"lesion-{history.tracks.index(track)}"
