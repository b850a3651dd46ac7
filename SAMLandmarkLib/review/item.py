"""One landmark in one follow-up: the engine's answer, and what the user made of that."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np

from ..core.results import Candidate, Point, Status, TransferredLandmark

__all__ = ["Decision", "Point", "ReviewItem", "point_or_none"]


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

    `answer` is the engine's record and never changes by a decision. `position_lps` is where the landmark is now (None:
    nowhere), `template_lps` where it was in the template when it was transferred, both LPS mm. `candidate_index` tells
    which of the answer's candidates is shown, None where it is none of them. What follows from these is computed once:
    an item never changes, and a table of many asks again after every decision.

    >>> item = ReviewItem.of("carina", "FOUND", 0.9, template_lps=(0.0, 0.0, 0.0), position_lps=(3.0, 4.0, 0.0))
    >>> item.displacement_mm, item.decision.value, item.needs_review, item.reopened().position_lps
    (5.0, 'OPEN', True, None)
    """

    answer: TransferredLandmark
    template_lps: Point | None = None
    position_lps: Point | None = None
    candidate_index: int | None = None
    decision: Decision = Decision.OPEN

    @classmethod
    def from_answer(cls, answer: TransferredLandmark, template_lps: Point | None) -> ReviewItem:
        """The undecided item for the engine's answer about the template's point `template_lps` (LPS mm)."""
        position = point_or_none(answer.position_lps)
        index = 0 if position is not None and answer.candidates else None
        return cls(answer, template_lps, position, index)

    @classmethod
    def of(
        cls,
        label: str,
        status: str,
        confidence: float,
        similarity: float | None = None,
        cycle_error_mm: float | None = None,
        reason: str = "",
        template_lps: Point | None = None,
        transferred_lps: Point | None = None,
        position_lps: Point | None = None,
        candidates: Sequence[tuple[Point, float]] = (),
        candidate_index: int | None = None,
        decision: Decision = Decision.OPEN,
        uncertainty_mm: float | None = None,
    ) -> ReviewItem:
        """An item from plain values: `transferred_lps` is where the engine put it, the rest as the properties say."""
        answer = TransferredLandmark(
            label=label,
            position_lps=None if transferred_lps is None else np.array(transferred_lps, dtype=float),
            status=Status(status),
            confidence=confidence,
            similarity=_nan_for_none(similarity),
            cycle_error_mm=_nan_for_none(cycle_error_mm),
            candidates=tuple(Candidate(np.array(point, dtype=float), score) for point, score in candidates),
            reason=reason,
            uncertainty_mm=_nan_for_none(uncertainty_mm),
        )
        return cls(answer, template_lps, position_lps, candidate_index, decision)

    # ---- the engine's answer, in plain types

    @property
    def label(self) -> str:
        """The landmark's name."""
        return self.answer.label

    @property
    def status(self) -> str:
        """What the engine said became of it: "FOUND", "DOUBTFUL" or "MISSING"."""
        return self.answer.status.value

    @property
    def confidence(self) -> float:
        """The engine's probability that its answer is right."""
        return self.answer.confidence

    @property
    def similarity(self) -> float | None:
        """Mean cosine of the match, None where not computed."""
        return _finite_or_none(self.answer.similarity)

    @property
    def cycle_error_mm(self) -> float | None:
        """Cycle-consistency error, None where not computed."""
        return _finite_or_none(self.answer.cycle_error_mm)

    @property
    def uncertainty_mm(self) -> float | None:
        """How far the engine's position may be off, None where unknown."""
        return _finite_or_none(self.answer.uncertainty_mm)

    @property
    def reason(self) -> str:
        """Why the engine did not simply find it."""
        return self.answer.reason

    @cached_property
    def transferred_lps(self) -> Point | None:
        """Where the engine put it, LPS mm."""
        return point_or_none(self.answer.position_lps)

    @cached_property
    def candidates(self) -> tuple[tuple[Point, float], ...]:
        """The places where it may be (LPS mm) with their similarities, best first."""
        return tuple((_point(found.position_lps), found.similarity) for found in self.answer.candidates)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The engine's record and the decision side by side, for JSON; where the engine put it is `transferred_lps`."""
        answer = self.answer.to_document()
        return {
            **answer,
            "transferred_lps": answer["position_lps"],
            "template_lps": self.template_lps,
            "position_lps": self.position_lps,
            "candidate_index": self.candidate_index,
            "decision": self.decision.value,
        }

    @cached_property
    def text(self) -> str:
        """`document` as JSON; a review is written after every decision, and all but one of its items are as before."""
        return json.dumps(self.document, ensure_ascii=False, allow_nan=False)

    # ---- where it is now

    def with_label(self, label: str) -> ReviewItem:
        """The same under another name."""
        return replace(self, answer=replace(self.answer, label=label))

    @property
    def displacement_mm(self) -> float | None:
        """How far it is from the template's point, mm; the scans' own frames are compared as they are."""
        if self.position_lps is None or self.template_lps is None:
            return None
        return math.dist(self.position_lps, self.template_lps)

    @cached_property
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
        candidates = self.candidates
        index = 0 if self.candidate_index is None else (self.candidate_index + 1) % len(candidates)
        # The engine refines its first choice, so that is not exactly the first candidate.
        refined = self.transferred_lps if index == 0 else None
        position = refined or candidates[index][0]
        return replace(self, position_lps=position, candidate_index=index, decision=Decision.OPEN)

    @property
    def has_other_candidate(self) -> bool:
        """Whether there is a candidate other than the one shown."""
        return len(self.answer.candidates) > (0 if self.candidate_index is None else 1)

    def reopened(self) -> ReviewItem:
        """As the engine answered, undecided."""
        return ReviewItem.from_answer(self.answer, self.template_lps)


def point_or_none(values: Sequence[float] | np.ndarray | None) -> Point | None:
    """Three numbers as a tuple of floats, None for None."""
    return None if values is None else _point(values)


def _point(values: Sequence[float] | np.ndarray) -> Point:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _finite_or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _nan_for_none(value: float | None) -> float:
    return math.nan if value is None else value
