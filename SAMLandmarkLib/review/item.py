"""One landmark in one follow-up: what the engine said of it, and what the user made of that."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..worker.messages import TransferAnswer

Point = tuple[float, float, float]
"""LPS millimetres in the own frame of one scan."""


class Decision(str, Enum):
    """What the user decided about a landmark."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    CORRECTED = "CORRECTED"
    REJECTED = "REJECTED"
    SET_MISSING = "SET_MISSING"


@dataclass(frozen=True)
class ReviewItem:
    """A landmark in a follow-up.

    `status`, `confidence`, `similarity`, `cycle_mm` and `reason` are the engine's answer and never change by a
    decision. `transferred_lps` is where the engine put it, `position_lps` where it is now (None: nowhere),
    `template_lps` where it was in the template when it was transferred. `candidates` are pairs of a point and its
    similarity, best first; `candidate_index` tells which of them is shown, None where it is none of them.

    >>> item = ReviewItem("carina", "FOUND", 0.9, template_lps=(0.0, 0.0, 0.0), position_lps=(3.0, 4.0, 0.0))
    >>> item = replace(item, transferred_lps=item.position_lps)
    >>> item.displacement_mm, item.decision.value, item.needs_review
    (5.0, 'OPEN', False)
    """

    label: str
    status: str
    confidence: float
    similarity: float | None = None
    cycle_mm: float | None = None
    reason: str = ""
    template_lps: Point | None = None
    transferred_lps: Point | None = None
    position_lps: Point | None = None
    candidates: tuple[tuple[Point, float], ...] = ()
    candidate_index: int | None = None
    decision: Decision = Decision.OPEN

    @classmethod
    def from_answer(cls, answer: TransferAnswer, template_lps: Point) -> ReviewItem:
        """The undecided item for the engine's answer about the template's point `template_lps` (LPS mm)."""
        position = point_or_none(answer.position_lps)
        return cls(
            label=answer.label,
            status=answer.status,
            confidence=float(answer.confidence),
            similarity=_finite_or_none(answer.similarity),
            cycle_mm=_finite_or_none(answer.cycle_mm),
            reason=answer.reason,
            template_lps=template_lps,
            transferred_lps=position,
            position_lps=position,
            candidates=answer.candidates,
            candidate_index=0 if position is not None and len(answer.candidates) else None,
        )

    def with_label(self, label: str) -> ReviewItem:
        """The same under another name."""
        return replace(self, label=label)

    @property
    def displacement_mm(self) -> float | None:
        """How far it is from the template's point, mm; the scans' own frames are compared as they are."""
        if self.position_lps is None or self.template_lps is None:
            return None
        return math.dist(self.position_lps, self.template_lps)

    @property
    def needs_review(self) -> bool:
        """Whether nobody has decided yet, and the engine was not sure or its place isn't the one shown."""
        moved = self.position_lps != self.transferred_lps
        return self.decision is Decision.OPEN and (self.status != "FOUND" or moved)

    @property
    def usable(self) -> bool:
        """Whether it has a position that counts."""
        return self.position_lps is not None

    @property
    def place_of_interest(self) -> Point | None:
        """Where to look for it: where it is, was, or may be."""
        first_candidate = self.candidates[0][0] if self.candidates else None
        return self.position_lps or self.transferred_lps or first_candidate

    def with_next_candidate(self) -> ReviewItem:
        """Moved on to the next candidate, after the last one to the first; undecided again."""
        if not self.has_other_candidate:
            return self
        index = 0 if self.candidate_index is None else (self.candidate_index + 1) % len(self.candidates)
        # The engine refines its first choice, so that is not exactly the first candidate.
        refined = self.transferred_lps if index == 0 else None
        position = refined or self.candidates[index][0]
        return replace(self, position_lps=position, candidate_index=index, decision=Decision.OPEN)

    @property
    def has_other_candidate(self) -> bool:
        """Whether there is a candidate other than the one shown."""
        return len(self.candidates) > (0 if self.candidate_index is None else 1)

    def reopened(self) -> ReviewItem:
        """As the engine answered, undecided."""
        index = 0 if self.transferred_lps is not None and self.candidates else None
        return replace(self, position_lps=self.transferred_lps, candidate_index=index, decision=Decision.OPEN)


def point_or_none(values) -> Point | None:
    """Three numbers as a tuple of floats, None for None."""
    return None if values is None else tuple(float(value) for value in values)


def _finite_or_none(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
