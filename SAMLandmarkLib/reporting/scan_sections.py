"""A scan's part of a report: what its landmarks have in common, then a card for each, what is doubtful first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.volume import Volume
from ..review.item import Decision, Point, ReviewItem
from ..review.order import review_queue
from ..review.state import ReviewState
from .landmark_cards import CardView, card
from .pictures import Pictures
from .views import Section


@dataclass(frozen=True, eq=False)
class ReportScan:
    """A scan in the report: `volume` for the pictures (None: without), `provenance` how its landmarks were made."""

    key: str
    name: str
    date: str | None = None
    volume: Volume | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Date and name, or the name where the date is unknown."""
        return f"{self.date} · {self.name}" if self.date else self.name


def section(
    template: ReportScan | None,
    scan: ReportScan,
    state: ReviewState,
    notes: tuple[str, ...] = (),
    reviewed: bool = True,
    same_patient: bool = True,
    pictures: Pictures = Pictures.ALL,
    on_card: Callable[[], None] = lambda: None,
) -> Section:
    """The part about a scan; `notes` come before its cards, each of which has the id of `card_id`.

    Without `template` the landmarks were found by an atlas, and nothing is said of a template.
    Without `reviewed` nothing is said of decisions, and without `same_patient` nothing of displacements. `on_card` is
    called after each card.
    """
    items = most_urgent_first(scan.key, state)
    if not items:
        return Section(scan.key, scan.title, ("No landmarks were transferred to this scan.",))
    shift = [shift_text(state.shift_lps(scan.key))] if same_patient else []
    numbers = {label: number for number, label in enumerate(state.labels)}
    cards = []
    for item in items:
        shown = pictures.include(item)
        cards.append(
            card(
                item,
                template.volume if shown and template else None,
                scan.volume if shown else None,
                state.relative_displacement_mm(scan.key, item.label),
                CardView(f"{scan.key}-{numbers[item.label]}", reviewed, same_patient, template is not None),
            )
        )
        on_card()
    return Section(scan.key, scan.title, (*shift, *notes), cards)


def card_id(key: str, label: str, state: ReviewState) -> str:
    """What a link to the card of a landmark goes to."""
    return f"{key}-{state.labels.index(label)}"


def most_urgent_first(key: str, state: ReviewState) -> list[ReviewItem]:
    """What waits for a decision, the doubtful first; then what is decided, in the template's order."""
    items = state.items(key)
    waiting = [items[label] for scan, label in review_queue(state) if scan == key]
    decided = [item for item in items.values() if item.decision is not Decision.OPEN]
    return [
        *(item for item in waiting if item.needs_review),
        *decided,
        *(i for i in waiting if not i.needs_review),
    ]


def shift_text(shift_lps: Point | None) -> str:
    """The shift that all landmarks of a scan have in common (LPS mm), in words."""
    if shift_lps is None:
        return "Too few landmarks for the shift that they have in common."
    parts = zip(
        shift_lps, (("left", "right"), ("posterior", "anterior"), ("superior", "inferior")), strict=True
    )
    steps = [f"{abs(step):.1f} mm {names[int(step < 0)]}" for step, names in parts]
    return f"All landmarks together lie {', '.join(steps)} of the template's, which is usually how the patient lay."
