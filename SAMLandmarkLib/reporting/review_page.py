"""The review as one HTML page that needs nothing else: pictures, styles and numbers are all inside."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from .. import __version__
from ..review import LogEntry, ReviewState
from ..review.words import error_limits_text
from ..utils.files import write_atomically
from .environment import render
from .landmark_cards import place_text
from .pictures import Pictures
from .scan_sections import ReportScan, section
from .views import Cell, Section, Table

_DECISION_COLUMNS = ("accepted", "corrected", "rejected", "set_missing", "open")
_CROPS = "Crops are 80 mm wide and show the landmark in the middle; both crops of a pair have the same gray levels."
DISPLACEMENT_NOTES = (
    "Displacement compares the positions as the scans count them, so it contains how the patient lay; the displacement "
    "relative to the other landmarks is without what all landmarks of the scan have in common. "
)
NO_TEMPLATE_NOTES = (
    "There is no template: the landmarks were found by the vote of an atlas's marked patients, so displacements since a "
    "template are not told. "
)
LAST_NOTES = "Positions are LPS millimeters. For research; not a medical device."


def write_report(
    path: str | os.PathLike[str],
    template: ReportScan | None,
    follow_ups: Sequence[ReportScan],
    state: ReviewState,
    pictures: Pictures = Pictures.ALL,
    progress: Callable[[float], None] = lambda fraction: None,
) -> None:
    """Write the report of a review as an HTML page; OutputError where `path` can't be written."""
    write_atomically(path, report_page(template, follow_ups, state, pictures, progress))


def report_page(
    template: ReportScan | None,
    follow_ups: Sequence[ReportScan],
    state: ReviewState,
    pictures: Pictures = Pictures.ALL,
    progress: Callable[[float], None] = lambda fraction: None,
) -> str:
    """The text of the page: what each follow-up shows, what is doubtful first, and the log of decisions."""
    titles = {scan.key: scan.title for scan in follow_ups}
    has_template = template is not None
    atlases = dict.fromkeys(atlas_name(scan.provenance) for scan in follow_ups)
    on_card = _card_counter(sum(len(state.items(scan.key)) for scan in follow_ups), progress)
    sections = [
        section(template, scan, state, same_patient=has_template, pictures=pictures, on_card=on_card)
        for scan in follow_ups
    ]
    about = DISPLACEMENT_NOTES if has_template else NO_TEMPLATE_NOTES + attributions(follow_ups)
    return render(
        "review.html",
        title=f"Landmark review: {template.title if template else ', '.join(filter(None, atlases))}",
        origin=origin([scan.provenance for scan in follow_ups]),
        summary=_summary(follow_ups, state, "Follow-up" if has_template else "Scan"),
        sections=[*sections, _log(state, titles)],
        footnote=crop_notes([scan.provenance for scan in follow_ups]) + about + LAST_NOTES,
    )


def atlas_name(provenance: Mapping[str, Any]) -> str:
    """What stands in the place of the template's name where an atlas found the landmarks; empty elsewhere."""
    atlas = provenance.get("atlas")
    return f"atlas {atlas['protocol']}" if atlas else ""


def atlas_patients(provenances: Iterable[Mapping[str, Any]]) -> str:
    """The marked patients who voted, with their licences and whom to name; empty where a template was used."""
    voted = [each for about in provenances for each in about.get("atlas", {}).get("patients", ())]
    texts = (", ".join(filter(None, (each["name"], each["licence"], each["attribution"]))) for each in voted)
    return "; ".join(dict.fromkeys(texts))


def attributions(scans: Sequence[ReportScan]) -> str:
    """A sentence that names the marked patients who voted; empty where none did."""
    patients = atlas_patients(scan.provenance for scan in scans)
    return f"Atlas patients: {patients.rstrip('.')}. " if patients else ""


def _card_counter(count: int, progress: Callable[[float], None]) -> Callable[[], None]:
    """What is called for every finished card, and tells the fraction of them."""
    numbers = itertools.count(1)
    return lambda: progress(next(numbers) / max(count, 1))


def crop_notes(provenances: Sequence[Mapping[str, Any]]) -> str:
    """What the crops show, and which error the confidence of these landmarks speaks of."""
    limits = error_limits_text(provenances)
    return f"{_CROPS} Confidence is the engine's probability that its own answer is within {limits}. "


def origin(provenances: Sequence[Mapping[str, Any]]) -> str:
    """In a line what made the landmarks, and when this was written."""
    versions = {provenance.get("model", {}).get("version") for provenance in provenances} - {None}
    model = f", model {', '.join(sorted(versions))}" if versions else ""
    written = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return f"SAMLandmark {__version__}{model} · written {written}"


# ---- tables


def _summary(follow_ups: Sequence[ReportScan], state: ReviewState, role: str) -> Table:
    names = (
        role,
        "Found",
        "Doubtful",
        "Missing",
        "Accepted",
        "Corrected",
        "Rejected",
        "Set missing",
        "Open",
    )
    return Table(names, [_summary_row(scan, state) for scan in follow_ups], numbers=range(1, len(names)))


def _summary_row(scan: ReportScan, state: ReviewState) -> list[object]:
    items = list(state.items(scan.key).values())
    counts = [sum(item.status == status for item in items) for status in ("FOUND", "DOUBTFUL", "MISSING")]
    decisions = [sum(item.decision.value.lower() == name for item in items) for name in _DECISION_COLUMNS]
    return [Cell(scan.title, href=f"#{scan.key}"), *counts, *decisions]


def _log(state: ReviewState, titles: Mapping[str, str]) -> Section:
    if not state.log:
        return Section("", "Decisions", ("Nobody has decided anything yet.",))
    head = ("When (UTC)", "Who", "Scan", "Landmark", "What", "Before", "After")
    rows = [_log_row(entry, titles) for entry in state.log]
    return Section("", "Decisions", blocks=[Table(head, rows, kind="log")])


def _log_row(entry: LogEntry, titles: Mapping[str, str]) -> list[str]:
    when = entry.when.replace("T", " ").removesuffix("+00:00")
    scan = titles.get(entry.scan, "another scan") if entry.scan else "all"
    places = (place_text(entry.before_lps), place_text(entry.after_lps))
    return [when, entry.who, scan, entry.label, entry.action, *places]
