"""One landmark of the report: its crops in template and follow-up, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.grey_windows import GreyWindow
from ..core.volume import Volume
from ..review.item import Decision, Point, ReviewItem
from .crop_pictures import Crops, crops_around, picture_address
from .views import Figure, LandmarkCard

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
    """What a card tells: `anchor` is what links to it name, `reviewed` adds the decision, `same_patient` displacements.

    Without `has_template` an atlas found the landmark, and nothing is shown of a template.
    """

    anchor: str = ""
    reviewed: bool = True
    same_patient: bool = True
    has_template: bool = True

    @property
    def scan(self) -> str:
        """What the scan is to its template."""
        return "follow-up" if self.has_template else "scan"


def card(
    item: ReviewItem,
    template: Volume | None,
    follow_up: Volume | None,
    relative_mm: float | None,
    view: CardView,
) -> LandmarkCard:
    """The card of a landmark; `relative_mm` is its displacement relative to the others of the scan.

    Without both volumes it has no room for pictures.
    """
    return LandmarkCard(
        label=item.label,
        status=item.status,
        decision=item.decision.value,
        decision_text=_DECISIONS[item.decision] if view.reviewed else "",
        notes="; ".join(note for note in (item.reason, _candidate_note(item)) if note),
        anchor=view.anchor,
        figures=_figures(item, template, follow_up, view),
        facts=_facts(item, relative_mm, view),
    )


def _candidate_note(item: ReviewItem) -> str:
    """Tells that the reader moved the landmark to another candidate."""
    if not item.candidate_index:
        return ""
    return f"moved to candidate {item.candidate_index + 1} of {len(item.candidates)}"


# ---- pictures


def _figures(
    item: ReviewItem, template: Volume | None, follow_up: Volume | None, view: CardView
) -> list[Figure]:
    if template is None and follow_up is None:
        return []
    place, reason = _shown_place(item)
    before, after = crops_around(template, item.template_lps), crops_around(follow_up, place)
    # Chosen by the template alone, so that both scans are shown alike.
    window = before.window if before is not None else _usual_window(template or follow_up, after)
    no_template = _NO_VOLUME if template is None else "outside the template"
    no_follow_up = _NO_VOLUME if follow_up is None else reason
    shown = [(before, "template", no_template)] if view.has_template else []
    shown.append((after, view.scan, no_follow_up))
    return [
        _figure(crops, plane, scan, window, otherwise)
        for plane in ("axial", "coronal")
        for crops, scan, otherwise in shown
    ]


def _usual_window(scan: Volume | None, crops: Crops | None) -> GreyWindow | None:
    """The window of scans whose template shows nothing that could tell; None where nothing is shown at all."""
    if scan is None or scan.modality.display is None:
        return None if crops is None else crops.window
    return scan.modality.display.usual


def _shown_place(item: ReviewItem) -> tuple[Point | None, str]:
    """Where the follow-up's crops are, and what stands there instead where the landmark has no place."""
    if item.decision is Decision.REJECTED:
        return None, "rejected"
    if item.decision is Decision.SET_MISSING:
        return None, "not in this scan, says the reader"
    return item.position_lps, item.reason or "not found"


def _figure(crops: Crops | None, plane: str, scan: str, window: GreyWindow | None, otherwise: str) -> Figure:
    if crops is None or window is None:
        return Figure(plane, f"{scan}, {plane}", otherwise=otherwise)
    address = picture_address(getattr(crops, plane), window)
    return Figure(plane, f"{scan}, {plane} · {window.name}", address)


# ---- numbers


def _facts(item: ReviewItem, relative_mm: float | None, view: CardView) -> dict[str, object]:
    facts: dict[str, object] = {"Confidence": f"{item.confidence:.0%}"}
    if view.same_patient:
        facts["Displacement"] = _millimeters(item.displacement_mm)
        facts["… relative to the others"] = _millimeters(relative_mm)
    facts |= {
        "Cycle distance": _millimeters(item.cycle_error_mm),
        "Uncertainty": _millimeters(item.uncertainty_mm),
        "Similarity": "–" if item.similarity is None else f"{item.similarity:.2f}",
    }
    if view.has_template:
        facts["In the template"] = place_text(item.template_lps)
    facts[f"In the {view.scan}"] = place_text(item.position_lps)
    if item.position_lps != item.transferred_lps:
        facts["The engine's place"] = place_text(item.transferred_lps)
    return facts


def _millimeters(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} mm"


def place_text(point: Point | None) -> str:
    """A point in words, LPS mm.

    >>> place_text((-0.04, 1.25, -3.0)), place_text(None)
    ('0.0, 1.2, -3.0', '–')
    """
    # Adding 0 turns a rounded "-0.0" into "0.0".
    return "–" if point is None else ", ".join(f"{round(value, 1) + 0.0:.1f}" for value in point)
