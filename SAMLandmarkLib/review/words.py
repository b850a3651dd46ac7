"""A landmark of a follow-up in words and colors; nothing is told by color alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..utils.translation import _
from .item import Decision, ReviewItem
from .reasons import reason_in_words

TEXT_COLOR = "#101010"
_OPEN_COLORS = {"FOUND": "#dcf0de", "DOUBTFUL": "#ffdf94", "MISSING": "#dedede"}
_DECIDED_COLORS = {
    Decision.ACCEPTED: "#93d3a2",
    Decision.CORRECTED: "#a9cdf3",
    Decision.REJECTED: "#f2b5b1",
    Decision.SET_MISSING: "#c4c4c4",
}
OUTDATED_COLOR = "#e6d5f5"
_FORMER_LIMIT_MM = 10.0
"""What the confidence of models spoke of that did not name their error limit."""


def error_limit_mm(provenance: Mapping[str, Any]) -> float:
    """The error that the confidence of landmarks speaks of, as their provenance tells."""
    model = provenance.get("model")
    limit = model.get("error_limit_mm") if isinstance(model, Mapping) else None
    return float(limit) if isinstance(limit, (int, float)) else _FORMER_LIMIT_MM


def limit_text(limit_mm: float) -> str:
    """An error limit as short as it can be written.

    >>> limit_text(10.0), limit_text(2.5)
    ('10', '2.5')
    """
    return f"{limit_mm:g}"


def error_limits_text(provenances: Iterable[Mapping[str, Any]]) -> str:
    """The error limits of the models that made some landmarks, in English, as reports have it.

    >>> error_limits_text([{"model": {"error_limit_mm": 10}}, {"model": {"error_limit_mm": 5}}])
    '5 mm or 10 mm'
    """
    limits = sorted({error_limit_mm(provenance) for provenance in provenances}) or [_FORMER_LIMIT_MM]
    return " or ".join(f"{limit_text(limit)} mm" for limit in limits)


def cell_color(item: ReviewItem, outdated: bool = False) -> str:
    """The background of a cell, as #rrggbb."""
    if outdated:
        return OUTDATED_COLOR
    return _DECIDED_COLORS.get(item.decision) or _OPEN_COLORS[item.status]


def cell_text(item: ReviewItem, outdated: bool = False) -> str:
    """Two short lines: status and confidence; cycle distance and displacement, or the reason."""
    if outdated:
        return f"{_('Outdated')}\n{_('transfer again')}"
    return "\n".join(line for line in (_status_text(item), _evidence_text(item)) if line)


def _status_text(item: ReviewItem) -> str:
    words = status_word(item)
    if item.position_lps is None or item.decision is Decision.CORRECTED:
        return words
    return _("{status}  {confidence} %").format(status=words, confidence=round(100 * item.confidence))


def status_word(item: ReviewItem) -> str:
    """What an item is, in a word or two."""
    decided = {
        Decision.ACCEPTED: _("✓ Accepted"),
        Decision.CORRECTED: _("✎ Corrected"),
        Decision.REJECTED: _("✗ Rejected"),
        Decision.SET_MISSING: _("✓ Not on scan"),
    }
    found = {"FOUND": _("Found"), "DOUBTFUL": _("Doubtful"), "MISSING": _("Not found")}
    return decided.get(item.decision) or found[item.status]


def _evidence_text(item: ReviewItem) -> str:
    if item.position_lps is None:
        return reason_in_words(item.reason) if item.decision is Decision.OPEN else ""
    moved = "" if item.displacement_mm is None else _("moved {mm} mm").format(mm=round(item.displacement_mm))
    if item.cycle_error_mm is None or item.decision is Decision.CORRECTED:
        return moved
    cycle = _("cycle {mm}").format(mm=f"{item.cycle_error_mm:.1f}")
    return f"{cycle} · {moved}" if moved else cycle


def detail_text(
    item: ReviewItem,
    scan: str,
    outdated: bool = False,
    relative_mm: float | None = None,
    limit_mm: float = _FORMER_LIMIT_MM,
) -> str:
    """Everything about one landmark of one follow-up, in sentences.

    `relative_mm`: how far it moved beyond the others; `limit_mm`: the error that its confidence speaks of.
    """
    title = _("{label} on {scan}: {status}.").format(label=item.label, scan=scan, status=status_word(item))
    parts = [title, *_evidence_sentences(item, limit_mm), *_displacement_sentences(item, relative_mm)]
    if outdated:
        parts.append(_("The point was moved on the template since; transfer again."))
    return " ".join(parts)


def _evidence_sentences(item: ReviewItem, limit_mm: float) -> list[str]:
    corrected = item.decision is Decision.CORRECTED
    return _correction_sentences(item) if corrected else _engine_sentences(item, limit_mm)


def _displacement_sentences(item: ReviewItem, relative_mm: float | None) -> list[str]:
    if item.displacement_mm is None:
        return []
    millimeters = f"{item.displacement_mm:.1f}"
    if relative_mm is None:
        return [_("Displacement {mm} mm.").format(mm=millimeters)]
    text = _("Displacement {mm} mm; against the other points {relative} mm.")
    return [text.format(mm=millimeters, relative=f"{relative_mm:.1f}")]


def _correction_sentences(item: ReviewItem) -> list[str]:
    if item.position_lps is None or item.transferred_lps is None:
        return []
    moved = math.dist(item.position_lps, item.transferred_lps)
    return [_("You moved it by {mm} mm.").format(mm=f"{moved:.1f}")]


def _engine_sentences(item: ReviewItem, limit_mm: float) -> list[str]:
    parts: list[str] = []
    if item.position_lps is not None:
        sure = _("{percent} % sure to be within {limit} mm.")
        parts.append(sure.format(percent=round(100 * item.confidence), limit=limit_text(limit_mm)))
    if item.reason:
        parts.append(_("Reason: {reason}.").format(reason=reason_in_words(item.reason)))
    if item.cycle_error_mm is not None and item.position_lps is not None:
        cycle = _("There and back it misses itself by {mm} mm.")
        parts.append(cycle.format(mm=f"{item.cycle_error_mm:.1f}"))
    if item.uncertainty_mm is not None and item.position_lps is not None:
        uncertain = _("Uncertainty {mm} mm.")
        parts.append(uncertain.format(mm=f"{item.uncertainty_mm:.1f}"))
    if item.candidate_index is not None and len(item.candidates) > 1:
        place = _("Candidate {number} of {count}.")
        parts.append(place.format(number=item.candidate_index + 1, count=len(item.candidates)))
    return parts


def summary_text(counts: dict[str, int]) -> str:
    """How far the review is, in one line; `counts` as ReviewState.counts() gives them."""
    if not counts.get("total"):
        return ""
    text = _(
        "{total} results: {doubtful} doubtful, {missing} not found, {decided} decided by you, {open} open."
    )
    return text.format(
        total=counts["total"],
        doubtful=counts["doubtful"],
        missing=counts["missing"],
        decided=counts["total"] - counts["open"],
        open=counts["open"],
    )
