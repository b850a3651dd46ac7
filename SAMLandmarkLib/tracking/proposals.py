"""Diameters of lesions that nobody measured: carried by the map around them, and measured again on the image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..core.lesions import Diameter, Finding, LesionStatus, Source, plain_point
from ..core.volume import Volume
from ..utils.translation import _
from .carried import Carried
from .chain import out_of_view
from .ellipse import Ellipse
from .measure import DEFAULTS, Look, MeasureOptions, look_of, measure
from .recist import TOO_SMALL_MM

SURE = 0.5
"""A lesion is only measured where this is at least the confidence that it lies there."""


class Proposer:
    """Proposes findings in scans that nobody marked; `volumes` gives the scan of a visit.

    What a lesion looks like is learnt from the scan in which a reader measured it.
    """

    def __init__(self, volumes: Callable[[int], Volume], options: MeasureOptions = DEFAULTS) -> None:
        self._volumes, self._options = volumes, options

    def __call__(self, source: int, before: Finding, target: int, carried: Carried, row: int) -> Finding:
        """What is proposed at a visit for a lesion, from its finding at another one."""
        look = None
        if before.long is not None:
            look = look_of(self._volumes(source), Ellipse.of(before.long, before.short), self._options)
        return proposed_finding(self._volumes(target), before, look, carried, row, self._options)


def carried_diameter(
    diameter: Diameter | None, carried: Carried, row: int, centre_lps: np.ndarray
) -> Diameter | None:
    """A diameter as the map around a lesion turns and stretches it: both ends by one affine map."""
    if diameter is None:
        return None
    steps = carried.steps(row, diameter.ends - centre_lps)
    return Diameter.between(carried.positions_lps[row] + steps, Source.CARRIED)


def proposed_finding(
    volume: Volume,
    before: Finding,
    look: Look | None,
    carried: Carried,
    row: int,
    options: MeasureOptions = DEFAULTS,
) -> Finding:
    """What is proposed for a lesion in a scan that nobody marked, from its finding and look in the scan before."""
    centre = before.position
    long = carried_diameter(before.long, carried, row, centre)
    short = carried_diameter(before.short, carried, row, centre)
    place = carried.positions_lps[row]
    finding = Finding(
        LesionStatus.PRESENT,
        plain_point(place),
        carried_long=long,
        carried_short=short,
        confidence=float(carried.confidence[row]),
        source=Source.CARRIED,
    )
    if carried.border_mm[row] <= 0:
        return out_of_view(finding)
    if finding.confidence < SURE:
        return _refused(finding, _("it is not sure where it lies"), LesionStatus.UNCERTAIN)
    if long is None or look is None:
        return _refused(finding, _("it was not measured before"))
    if carried.border_mm[row] < long.length_mm / 2:
        return _refused(finding, _("it is partly outside of the scan"))
    return _measured(volume, finding, Ellipse.of(long, short, place), look, options)


def _measured(
    volume: Volume, finding: Finding, ellipse: Ellipse, look: Look, options: MeasureOptions
) -> Finding:
    found = measure(volume, ellipse, look, options)
    if found.long is None or found.centre_lps is None:
        return _refused(finding, found.refusal)
    small = found.long.length_mm < TOO_SMALL_MM
    return finding.changed(
        status=LesionStatus.TOO_SMALL if small else LesionStatus.PRESENT,
        position_lps=plain_point(found.centre_lps),
        long=found.long,
        short=found.short,
        source=Source.IMAGE,
    )


def _refused(finding: Finding, reason: str, status: LesionStatus = LesionStatus.PRESENT) -> Finding:
    told = _("measure by hand: {reason}")
    return finding.changed(status=status, note=told.format(reason=reason))
