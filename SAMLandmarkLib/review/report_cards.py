"""One landmark of the report: its crops in template and follow-up, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..crops import SOFT_TISSUE, Window
from ..volume import Volume
from .item import Decision, Point, ReviewItem
from .report_html import Html, element, join
from .report_pictures import Crops, crops_around, picture_address

_DECISIONS = {
    Decision.OPEN: "not reviewed",
    Decision.ACCEPTED: "accepted",
    Decision.CORRECTED: "corrected",
    Decision.REJECTED: "rejected",
    Decision.SET_MISSING: "set missing",
}
_NO_VOLUME = "no picture of this scan"


@dataclass(frozen=True)
class CardView:
    """What a card tells: `anchor` is what links to it name, `reviewed` adds the decision, `same_patient` displacements."""

    anchor: str = ""
    reviewed: bool = True
    same_patient: bool = True


def card(
    item: ReviewItem,
    template: Volume | None,
    follow_up: Volume | None,
    relative_mm: float | None,
    view: CardView,
) -> Html:
    """The HTML of a landmark; `relative_mm` is its displacement relative to the others of the scan.

    Without both volumes it has no room for pictures.
    """
    kind = f"card {item.status} {item.decision.value}"
    parts = [_header(item, view), *_crops(item, template, follow_up), _facts(item, relative_mm, view)]
    return element("article", *parts, kind=kind, id=view.anchor)


def _header(item: ReviewItem, view: CardView) -> Html:
    notes = "; ".join(note for note in (item.reason, _candidate_note(item)) if note)
    parts = [element("h3", item.label), status_badge(item.status)]
    if view.reviewed:
        kind = "OPEN" if item.decision is Decision.OPEN else "decision"
        parts.append(element("span", _DECISIONS[item.decision], kind=f"badge {kind}"))
    if notes:
        parts.append(element("span", notes, kind="faint"))
    return element("header", *parts)


def status_badge(status: str) -> Html:
    """The engine's verdict on coloured ground."""
    return element("span", status.lower(), kind=f"badge {status}")


def _candidate_note(item: ReviewItem) -> str:
    """Tells that the reader moved the landmark to another candidate."""
    if not item.candidate_index:
        return ""
    return f"moved to candidate {item.candidate_index + 1} of {len(item.candidates)}"


# ---- pictures


def _crops(item: ReviewItem, template: Volume | None, follow_up: Volume | None) -> list[Html]:
    if template is None and follow_up is None:
        return []
    place, reason = _shown_place(item)
    before, after = crops_around(template, item.template_lps), crops_around(follow_up, place)
    # Chosen by the template alone, so that both scans are shown alike.
    window = before.window if before is not None else SOFT_TISSUE
    no_template = _NO_VOLUME if template is None else "outside the template"
    no_follow_up = _NO_VOLUME if follow_up is None else reason
    figures = [
        _figure(crops, plane, scan, window, otherwise)
        for plane in ("axial", "coronal")
        for crops, scan, otherwise in ((before, "template", no_template), (after, "follow-up", no_follow_up))
    ]
    return [element("div", *figures, kind="crops")]


def _shown_place(item: ReviewItem) -> tuple[Point | None, str]:
    """Where the follow-up's crops are, and what stands there instead where the landmark has no place."""
    if item.decision is Decision.REJECTED:
        return None, "rejected"
    if item.decision is Decision.SET_MISSING:
        return None, "not in this scan, says the reader"
    return item.position_lps, item.reason or "not found"


def _figure(crops: Crops | None, plane: str, scan: str, window: Window, otherwise: str) -> Html:
    caption = f"{scan}, {plane} · {window.name}" if crops else f"{scan}, {plane}"
    picture = element("div", _picture(crops, plane, window, otherwise), kind="crop")
    return element("figure", picture, element("figcaption", caption))


def _picture(crops: Crops | None, plane: str, window: Window, otherwise: str) -> str:
    if crops is None:
        return otherwise
    return Html(
        f'<img alt="" src="{picture_address(getattr(crops, plane), window)}">'
        f'<svg viewBox="0 0 200 200"><use href="#{plane}"/></svg>'
    )


# ---- numbers


def _facts(item: ReviewItem, relative_mm: float | None, view: CardView) -> Html:
    facts = {"Confidence": f"{item.confidence:.0%}"}
    if view.same_patient:
        facts["Displacement"] = _millimeters(item.displacement_mm)
        facts["… relative to the others"] = _millimeters(relative_mm)
    facts |= {
        "Cycle distance": _millimeters(item.cycle_mm),
        "Similarity": "–" if item.similarity is None else f"{item.similarity:.2f}",
        "In the template": place_text(item.template_lps),
        "In the follow-up": place_text(item.position_lps),
    }
    if item.position_lps != item.transferred_lps:
        facts["The engine's place"] = place_text(item.transferred_lps)
    return facts_list(facts)


def facts_list(facts: dict[str, object]) -> Html:
    """Names with their values, one below the other."""
    pairs = (
        element("div", element("dt", name), element("dd", value), kind="fact")
        for name, value in facts.items()
    )
    return element("dl", join(pairs))


def _millimeters(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} mm"


def place_text(point: Point | None) -> str:
    """A point in words, LPS mm.

    >>> place_text((-0.04, 1.25, -3.0)), place_text(None)
    ('0.0, 1.2, -3.0', '–')
    """
    # Adding 0 turns a rounded "-0.0" into "0.0".
    return "–" if point is None else ", ".join(f"{round(value, 1) + 0.0:.1f}" for value in point)
