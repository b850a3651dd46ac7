"""The review as one HTML page that needs nothing else: pictures, styles and numbers are all inside."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from html import escape

from .. import __version__
from ..files import write_atomically
from ..volume import Volume
from .item import Decision, Point, ReviewItem
from .order import review_queue
from .report_cards import card, place_text
from .report_style import STYLE, SYMBOLS
from .state import LogEntry, ReviewState

_DECISION_COLUMNS = ("accepted", "corrected", "rejected", "set_missing", "open")


@dataclass(frozen=True, eq=False)
class ReportScan:
    """A scan in the report: `volume` for the pictures (None: without), `provenance` how its landmarks were made."""

    key: str
    name: str
    date: str | None = None
    volume: Volume | None = None
    provenance: Mapping = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Date and name, or the name where the date is unknown."""
        return f"{self.date} · {self.name}" if self.date else self.name


def write_report(
    path: str | os.PathLike, template: ReportScan, follow_ups: Sequence[ReportScan], state: ReviewState
) -> None:
    """Write the report of a review as an HTML page; OutputError where `path` can't be written."""
    write_atomically(path, report_page(template, follow_ups, state))


def report_page(template: ReportScan, follow_ups: Sequence[ReportScan], state: ReviewState) -> str:
    """The text of the page: what each follow-up shows, what is doubtful first, and the log of decisions."""
    title = f"Landmark review: {template.title}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="faint">{_origin(follow_ups)}</p>',
        _summary(follow_ups, state),
        *(_section(template, scan, state) for scan in follow_ups),
        _log(state, {scan.key: scan.title for scan in follow_ups}),
        f'<p class="faint small">{_notes()}</p>',
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body>{SYMBOLS}<main>{''.join(parts)}</main></body></html>\n"
    )


def _origin(follow_ups: Sequence[ReportScan]) -> str:
    versions = {scan.provenance.get("model", {}).get("version") for scan in follow_ups} - {None}
    model = f", model {', '.join(sorted(versions))}" if versions else ""
    written = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return escape(f"SAMLandmark {__version__}{model} · written {written}")


def _notes() -> str:
    return (
        "Crops are 80 mm wide and show the landmark in the middle; both crops of a pair have the same gray levels. "
        "Confidence is the engine's probability that its own answer is within 10 mm. Displacement compares the "
        "positions as the scans count them, so it contains how the patient lay; the displacement relative to the "
        "other landmarks is without what all landmarks of the scan have in common. Positions are LPS millimeters. "
        "For research; not a medical device."
    )


# ---- tables


def _summary(follow_ups: Sequence[ReportScan], state: ReviewState) -> str:
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
    head = "".join(
        f'<th class="{"number" if number else ""}">{name}</th>' for number, name in enumerate(names)
    )
    rows = "".join(f"<tr>{_summary_row(scan, state)}</tr>" for scan in follow_ups)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _summary_row(scan: ReportScan, state: ReviewState) -> str:
    items = list(state.items(scan.key).values())
    counts = [sum(item.status == status for item in items) for status in ("FOUND", "DOUBTFUL", "MISSING")]
    decisions = [sum(item.decision.value.lower() == name for item in items) for name in _DECISION_COLUMNS]
    numbers = "".join(f'<td class="number">{count}</td>' for count in (*counts, *decisions))
    return f'<td><a href="#{escape(scan.key)}">{escape(scan.title)}</a></td>{numbers}'


def _section(template: ReportScan, scan: ReportScan, state: ReviewState) -> str:
    items = _most_urgent_first(scan.key, state)
    shift = state.shift_lps(scan.key)
    cards = "".join(
        card(item, template.volume, scan.volume, state.relative_displacement_mm(scan.key, item.label))
        for item in items
    )
    heading = f'<h2 id="{escape(scan.key)}">{escape(scan.title)}</h2>'
    if not items:
        return f'{heading}<p class="faint">No landmarks were transferred to this scan.</p>'
    return f'{heading}<p class="faint">{escape(_shift_text(shift))}</p>{cards}'


def _most_urgent_first(key: str, state: ReviewState) -> list[ReviewItem]:
    """What waits for a decision, the doubtful first; then what is decided, in the template's order."""
    waiting = [state.item(scan, label) for scan, label in review_queue(state) if scan == key]
    decided = [item for item in state.items(key).values() if item.decision is not Decision.OPEN]
    return [
        *(item for item in waiting if item.needs_review),
        *decided,
        *(i for i in waiting if not i.needs_review),
    ]


def _shift_text(shift_lps: Point | None) -> str:
    if shift_lps is None:
        return "Too few landmarks for the shift that they have in common."
    parts = zip(
        shift_lps, (("left", "right"), ("posterior", "anterior"), ("superior", "inferior")), strict=True
    )
    steps = [f"{abs(step):.1f} mm {names[int(step < 0)]}" for step, names in parts]
    return f"All landmarks together lie {', '.join(steps)} of the template's, which is usually how the patient lay."


def _log(state: ReviewState, titles: Mapping[str, str]) -> str:
    if not state.log:
        return '<h2>Decisions</h2><p class="faint">Nobody has decided anything yet.</p>'
    head = "".join(
        f"<th>{name}</th>" for name in ("When (UTC)", "Who", "Scan", "Landmark", "What", "Before", "After")
    )
    rows = "".join(f"<tr>{_log_row(entry, titles)}</tr>" for entry in state.log)
    return f'<h2>Decisions</h2><table class="log"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _log_row(entry: LogEntry, titles: Mapping[str, str]) -> str:
    when = entry.when.replace("T", " ").removesuffix("+00:00")
    scan = titles.get(entry.scan, "another scan") if entry.scan else "all"
    places = (place_text(entry.before_lps), place_text(entry.after_lps))
    values = (when, entry.who, scan, entry.label, entry.action, *places)
    return "".join(f"<td>{escape(value)}</td>" for value in values)
