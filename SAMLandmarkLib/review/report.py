"""The review as one HTML page that needs nothing else: pictures, styles and numbers are all inside."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from .. import __version__
from ..files import write_atomically
from .report_cards import place_text
from .report_html import Html, element, join, page, table
from .report_sections import ReportScan, section
from .state import LogEntry, ReviewState

_DECISION_COLUMNS = ("accepted", "corrected", "rejected", "set_missing", "open")
CROP_NOTES = (
    "Crops are 80 mm wide and show the landmark in the middle; both crops of a pair have the same gray levels. "
    "Confidence is the engine's probability that its own answer is within 10 mm. "
)
DISPLACEMENT_NOTES = (
    "Displacement compares the positions as the scans count them, so it contains how the patient lay; the displacement "
    "relative to the other landmarks is without what all landmarks of the scan have in common. "
)
LAST_NOTES = "Positions are LPS millimeters. For research; not a medical device."


def write_report(
    path: str | os.PathLike, template: ReportScan, follow_ups: Sequence[ReportScan], state: ReviewState
) -> None:
    """Write the report of a review as an HTML page; OutputError where `path` can't be written."""
    write_atomically(path, report_page(template, follow_ups, state))


def report_page(template: ReportScan, follow_ups: Sequence[ReportScan], state: ReviewState) -> str:
    """The text of the page: what each follow-up shows, what is doubtful first, and the log of decisions."""
    title = f"Landmark review: {template.title}"
    parts = [
        element("h1", title),
        element("p", origin([scan.provenance for scan in follow_ups]), kind="faint"),
        _summary(follow_ups, state),
        *(section(template, scan, state) for scan in follow_ups),
        _log(state, {scan.key: scan.title for scan in follow_ups}),
        element("p", CROP_NOTES + DISPLACEMENT_NOTES + LAST_NOTES, kind="faint small"),
    ]
    return page(title, parts)


def origin(provenances: Sequence[Mapping]) -> str:
    """In a line what made the landmarks, and when this was written."""
    versions = {provenance.get("model", {}).get("version") for provenance in provenances} - {None}
    model = f", model {', '.join(sorted(versions))}" if versions else ""
    written = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return f"SAMLandmark {__version__}{model} · written {written}"


# ---- tables


def _summary(follow_ups: Sequence[ReportScan], state: ReviewState) -> Html:
    names = (
        "Follow-up",
        "Found",
        "Doubtful",
        "Missing",
        "Accepted",
        "Corrected",
        "Rejected",
        "Set missing",
        "Open",
    )
    return table(names, (_summary_row(scan, state) for scan in follow_ups), numbers=range(1, len(names)))


def _summary_row(scan: ReportScan, state: ReviewState) -> list[object]:
    items = list(state.items(scan.key).values())
    counts = [sum(item.status == status for item in items) for status in ("FOUND", "DOUBTFUL", "MISSING")]
    decisions = [sum(item.decision.value.lower() == name for item in items) for name in _DECISION_COLUMNS]
    return [element("a", scan.title, href=f"#{scan.key}"), *counts, *decisions]


def _log(state: ReviewState, titles: Mapping[str, str]) -> Html:
    heading = element("h2", "Decisions")
    if not state.log:
        return join([heading, element("p", "Nobody has decided anything yet.", kind="faint")])
    head = ("When (UTC)", "Who", "Scan", "Landmark", "What", "Before", "After")
    return join([heading, table(head, (_log_row(entry, titles) for entry in state.log), kind="log")])


def _log_row(entry: LogEntry, titles: Mapping[str, str]) -> list[str]:
    when = entry.when.replace("T", " ").removesuffix("+00:00")
    scan = titles.get(entry.scan, "another scan") if entry.scan else "all"
    places = (place_text(entry.before_lps), place_text(entry.after_lps))
    return [when, entry.who, scan, entry.label, entry.action, *places]
