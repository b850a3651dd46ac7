"""One landmark of the report: its crops in template and follow-up, and what is known of it."""

from __future__ import annotations

from html import escape

from ..crops import SOFT_TISSUE, Window
from ..volume import Volume
from .item import Decision, Point, ReviewItem
from .report_pictures import Crops, crops_around, picture_address

_DECISIONS = {
    Decision.OPEN: "not reviewed",
    Decision.ACCEPTED: "accepted",
    Decision.CORRECTED: "corrected",
    Decision.REJECTED: "rejected",
    Decision.SET_MISSING: "set missing",
}


def card(
    item: ReviewItem, template: Volume | None, follow_up: Volume | None, relative_mm: float | None
) -> str:
    """The HTML of a landmark; `relative_mm` is its displacement relative to the others of the scan."""
    place, otherwise = _shown_place(item)
    before, after = crops_around(template, item.template_lps), crops_around(follow_up, place)
    # Chosen by the template alone, so that both scans are shown alike.
    window = before.window if before is not None else SOFT_TISSUE
    pictures = "".join(
        _figure(before, plane, "template", window, "outside the template")
        + _figure(after, plane, "follow-up", window, otherwise)
        for plane in ("axial", "coronal")
    )
    return (
        f'<article class="card {escape(item.status)} {item.decision.value}">{_header(item)}<div class="crops">{pictures}</div>'
        f"{_facts(item, relative_mm)}</article>"
    )


def _header(item: ReviewItem) -> str:
    kind = "OPEN" if item.decision is Decision.OPEN else "decision"
    notes = "; ".join(note for note in (item.reason, _candidate_note(item)) if note)
    reason = f'<span class="faint">{escape(notes)}</span>' if notes else ""
    return (
        f'<header><h3>{escape(item.label)}</h3><span class="badge {escape(item.status)}">'
        f'{escape(item.status.lower())}</span><span class="badge {kind}">{_DECISIONS[item.decision]}</span>'
        f"{reason}</header>"
    )


def _candidate_note(item: ReviewItem) -> str:
    """Tells that the reader moved the landmark to another candidate."""
    if not item.candidate_index:
        return ""
    return f"moved to candidate {item.candidate_index + 1} of {len(item.candidates)}"


def _shown_place(item: ReviewItem) -> tuple[Point | None, str]:
    """Where the follow-up's crops are, and what stands there instead where the landmark has no place."""
    if item.decision is Decision.REJECTED:
        return None, "rejected"
    if item.decision is Decision.SET_MISSING:
        return None, "not in this scan, says the reader"
    return item.position_lps, item.reason or "not found"


def _figure(crops: Crops | None, plane: str, scan: str, window: Window, otherwise: str) -> str:
    caption = f"{scan}, {plane} · {window.name}" if crops else f"{scan}, {plane}"
    picture = _picture(crops, plane, window, otherwise)
    return f'<figure><div class="crop">{picture}</div><figcaption>{caption}</figcaption></figure>'


def _picture(crops: Crops | None, plane: str, window: Window, otherwise: str) -> str:
    if crops is None:
        return escape(otherwise)
    return f'<img alt="" src="{picture_address(getattr(crops, plane), window)}"><svg viewBox="0 0 200 200"><use href="#{plane}"/></svg>'


def _facts(item: ReviewItem, relative_mm: float | None) -> str:
    facts = {
        "Confidence": f"{item.confidence:.0%}",
        "Displacement": _millimeters(item.displacement_mm),
        "… relative to the others": _millimeters(relative_mm),
        "Cycle distance": _millimeters(item.cycle_mm),
        "Similarity": "–" if item.similarity is None else f"{item.similarity:.2f}",
        "In the template": place_text(item.template_lps),
        "In the follow-up": place_text(item.position_lps),
    }
    if item.position_lps != item.transferred_lps:
        facts["The engine's place"] = place_text(item.transferred_lps)
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return f"<dl>{rows}</dl>"


def _millimeters(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} mm"


def place_text(point: Point | None) -> str:
    """A point in words, LPS mm.

    >>> place_text((-0.04, 1.25, -3.0)), place_text(None)
    ('0.0, 1.2, -3.0', '–')
    """
    # Adding 0 turns a rounded "-0.0" into "0.0".
    return "–" if point is None else ", ".join(f"{round(value, 1) + 0.0:.1f}" for value in point)
