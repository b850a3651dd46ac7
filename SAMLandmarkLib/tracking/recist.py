"""RECIST 1.1: the response at a date from numbers, as the published tables have it.

Eisenhauer et al., New response evaluation criteria in solid tumours: revised RECIST guideline (version 1.1), European
Journal of Cancer 45 (2009) 228-247; its tables 1 to 3. Nothing here knows images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from ..utils.translation import _

PARTIAL_RESPONSE = 0.7
"""A sum of at most this part of the baseline's is a partial response."""
PROGRESSION, PROGRESSION_MM = 1.2, 5.0
"""A sum of at least this many times the nadir, and this much more in mm, is progression."""
TOO_SMALL_MM = 5.0
"""What a lesion counts that is seen but too small to be measured."""
NORMAL_NODE_MM, TARGET_NODE_MM = 10.0, 15.0
"""Short axis below which a node is normal, and from which on it can be a target."""
MEASURABLE_MM, THICK_SLICES = 10.0, 2.0
"""Longest diameter from which on a lesion is measurable, and the same as a multiple of the slice thickness."""
MOST_TARGETS, MOST_TARGETS_OF_ORGAN = 5, 2
SHORTEST_STABLE_DAYS = 42
"""Six weeks: how long after the baseline stable disease must be seen, where a protocol says nothing else."""
_ROUNDING = 1e-6


class Response(str, Enum):
    """A response at a date, or the best one of all."""

    CR = "CR"
    PR = "PR"
    SD = "SD"
    NON_CR_NON_PD = "NON_CR_NON_PD"
    PD = "PD"
    NE = "NE"

    @property
    def text(self) -> str:
        """As people write it."""
        return "non-CR/non-PD" if self is Response.NON_CR_NON_PD else self.value


@dataclass(frozen=True)
class Judged:
    """A response and the rule that led to it."""

    response: Response
    rule: str


@dataclass(frozen=True)
class TargetMeasure:
    """A target at a date: its length in mm (short axis of a node), None where it was not evaluated."""

    millimeters: float | None
    is_node: bool = False

    @property
    def is_gone(self) -> bool:
        """Whether it does not stand against a complete response: disappeared, a node of normal size."""
        if self.millimeters is None:
            return False
        limit = NORMAL_NODE_MM if self.is_node else _ROUNDING
        return self.millimeters < limit


def sum_of_diameters(measures: Sequence[TargetMeasure]) -> float | None:
    """The sum in mm, None where a target was not evaluated."""
    known = [measure.millimeters for measure in measures if measure.millimeters is not None]
    return sum(known) if len(known) == len(measures) else None


def target_response(
    measures: Sequence[TargetMeasure], baseline_mm: float, nadir_mm: float, complete_before: bool = False
) -> Judged:
    """The response of the targets.

    `baseline_mm` is the sum at baseline, `nadir_mm` the smallest sum up to the date before, that of the baseline
    included. `complete_before` tells that there was a complete response already: a target other than a node that is
    seen again then is progression. Progression goes before everything else.
    """
    partial_mm = sum(measure.millimeters or 0.0 for measure in measures)
    evaluated = all(measure.millimeters is not None for measure in measures)
    if _has_grown(partial_mm, nadir_mm):
        missing = "" if evaluated else _(", though not all targets were evaluated")
        told = _("sum {sum} mm is 20 % and 5 mm above the nadir of {nadir} mm")
        return Judged(Response.PD, told.format(sum=_mm(partial_mm), nadir=_mm(nadir_mm)) + missing)
    again = [item for item in measures if not item.is_node and (item.millimeters or 0.0) > _ROUNDING]
    if complete_before and again:
        return Judged(Response.PD, _("a target is seen again after a complete response"))
    if not evaluated:
        return Judged(Response.NE, _("not all targets were evaluated"))
    if all(measure.is_gone for measure in measures):
        return Judged(Response.CR, _("all targets are gone, and nodes are below 10 mm"))
    if partial_mm <= PARTIAL_RESPONSE * baseline_mm + _ROUNDING:
        told = _("sum {sum} mm is 30 % or more below the baseline of {baseline} mm")
        return Judged(Response.PR, told.format(sum=_mm(partial_mm), baseline=_mm(baseline_mm)))
    told = _(
        "sum {sum} mm: neither 30 % below the baseline of {baseline} mm nor 20 % and 5 mm above the nadir of {nadir} mm"
    )
    values = {"sum": _mm(partial_mm), "baseline": _mm(baseline_mm), "nadir": _mm(nadir_mm)}
    return Judged(Response.SD, told.format(**values))


def _has_grown(sum_mm: float, nadir_mm: float) -> bool:
    relative = sum_mm >= PROGRESSION * nadir_mm - _ROUNDING
    return relative and sum_mm - nadir_mm >= PROGRESSION_MM - _ROUNDING


class NonTarget(str, Enum):
    """A lesion at a date that is no target."""

    GONE = "GONE"
    SEEN = "SEEN"
    PROGRESSED = "PROGRESSED"
    NOT_EVALUATED = "NOT_EVALUATED"


def non_target_response(states: Sequence[NonTarget]) -> Judged | None:
    """The response of the lesions that are no targets, None where there are none."""
    if not states:
        return None
    if NonTarget.PROGRESSED in states:
        return Judged(Response.PD, _("a lesion that is no target has unequivocally progressed"))
    if NonTarget.NOT_EVALUATED in states:
        return Judged(Response.NE, _("not all lesions that are no targets were evaluated"))
    if all(state is NonTarget.GONE for state in states):
        return Judged(Response.CR, _("all lesions that are no targets are gone, and nodes are below 10 mm"))
    return Judged(Response.NON_CR_NON_PD, _("lesions that are no targets persist"))


def overall_response(target: Judged | None, non_target: Judged | None, has_new: bool) -> Judged:
    """The response at a date: table 1 with targets, table 2 without; `has_new` of unequivocal new lesions.

    Either part is None where the patient had no such lesion at baseline.
    """
    if has_new:
        return Judged(Response.PD, _("a new lesion"))
    for part in (target, non_target):
        if part is not None and part.response is Response.PD:
            return part
    if target is None:
        return non_target or Judged(Response.NE, _("there is no lesion at baseline"))
    if target.response is not Response.CR:
        return target
    if non_target is None or non_target.response is Response.CR:
        return target
    return Judged(
        Response.PR, _("the targets are gone, but {rest}").format(rest=_decapitalised(non_target.rule))
    )


@dataclass(frozen=True)
class Dated:
    """A response and how many days after the baseline it was seen; None where dates are unknown."""

    response: Response
    days: int | None = None


def best_response(
    seen: Sequence[Dated], confirmed: bool = False, shortest_stable_days: int = SHORTEST_STABLE_DAYS
) -> Judged:
    """The best overall response of all dates after the baseline, in their order.

    `confirmed` asks for CR and PR to be seen again at the next date that can be evaluated (table 3), as trials do in
    which the response rate is the primary endpoint. Responses after progression do not count.
    """
    counted = _up_to_progression(seen)
    if not counted:
        return Judged(Response.NE, _("no date after the baseline"))
    if not confirmed:
        best = min((item.response for item in counted), key=_ORDER.index)
        if best in (Response.CR, Response.PR):
            return Judged(best, _("the best response that was seen; not asked to be confirmed"))
        return _stable_or_worse(counted, shortest_stable_days)
    evaluated = [item for item in counted if item.response is not Response.NE]
    pairs = list(pairwise(evaluated))
    for wanted in (Response.CR, Response.PR):
        if any(_confirms(first, second, wanted) for first, second in pairs):
            return Judged(wanted, _("seen and confirmed at the next date"))
    return _stable_or_worse(counted, shortest_stable_days)


_ORDER = (Response.CR, Response.PR, Response.SD, Response.NON_CR_NON_PD, Response.PD, Response.NE)


def _up_to_progression(seen: Sequence[Dated]) -> list[Dated]:
    """What is seen up to the first progression; any disease after a complete response is one (table 3, note a)."""
    counted: list[Dated] = []
    complete = False
    for item in seen:
        after_complete = complete and item.response in (Response.PR, Response.SD, Response.NON_CR_NON_PD)
        counted.append(Dated(Response.PD, item.days) if after_complete else item)
        complete = complete or item.response is Response.CR
        if counted[-1].response is Response.PD:
            break
    return counted


def _confirms(first: Dated, second: Dated, wanted: Response) -> bool:
    if wanted is Response.CR:
        return first.response is Response.CR and second.response is Response.CR
    return first.response is Response.PR and second.response in (Response.CR, Response.PR)


def _stable_or_worse(counted: Sequence[Dated], shortest_stable_days: int) -> Judged:
    """SD where it lasted long enough, else what came last."""
    lasting = (Response.CR, Response.PR, Response.SD, Response.NON_CR_NON_PD)
    stable = [item for item in counted if item.response in lasting]
    if any(item.days is None or item.days >= shortest_stable_days for item in stable):
        kinds = {item.response for item in stable}
        response = Response.NON_CR_NON_PD if kinds == {Response.NON_CR_NON_PD} else Response.SD
        return Judged(response, _("stable for at least {days} days").format(days=shortest_stable_days))
    last = next((item for item in counted if item.response is Response.PD), None)
    if last is not None:
        return Judged(Response.PD, _("progression before anything had lasted"))
    return Judged(
        Response.NE, _("nothing was seen {days} days after the baseline").format(days=shortest_stable_days)
    )


def least_measurable_mm(is_node: bool, slice_mm: float | None) -> float:
    """From which length on a lesion can be a target: the short axis of a node, else the longest diameter."""
    if is_node:
        return TARGET_NODE_MM
    return max(MEASURABLE_MM, THICK_SLICES * slice_mm) if slice_mm and slice_mm > 5.0 else MEASURABLE_MM


def _mm(value: float) -> str:
    return f"{value:.1f}"


def _decapitalised(text: str) -> str:
    return text[:1].lower() + text[1:]
