"""The lesions of a patient followed through all dates: from scans and marks to tracks."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..core.lesions import LesionHistory, LesionStatus, Mark, Track, Visit, require_different
from ..core.volume import Volume
from ..utils.errors import LesionError
from ..utils.progress import Progress
from ..utils.recently_used import RecentlyUsed
from ..utils.translation import _
from .assignment import DEFAULTS, AssignmentOptions
from .chain import Chain, Marks
from .measure import DEFAULTS as MEASURING
from .measure import MeasureOptions
from .proposals import Proposer
from .response import target_doubts
from .scan_carrier import ScanCarrier

if TYPE_CHECKING:
    from ..engine.runtime import EngineRuntime

VOLUMES_KEPT = 2


@dataclass(frozen=True)
class DatedScan:
    """A scan of a patient: `read` gives its volume, `marks` the lesions that a reader marked in it, None where nobody did."""

    visit: Visit
    read: Callable[[], Volume]
    marks: Marks | None = None


def track_lesions(
    runtime: EngineRuntime,
    patient: str,
    scans: Sequence[DatedScan],
    progress: Progress | None = None,
    pairing: AssignmentOptions = DEFAULTS,
    measuring: MeasureOptions = MEASURING,
) -> LesionHistory:
    """Follow the lesions of the first scan, the baseline, through the others, which come in the order of time.

    A scan with marks has its lesions paired with the earlier ones; in one without, places and diameters are proposed.
    Raises LesionError where the baseline has no lesions, and what reading and the engine raise.
    """
    if not scans or not scans[0].marks:
        raise LesionError(
            _("{patient}: the baseline has no lesions; mark at least one in its scan.").format(
                patient=patient
            )
        )
    for scan in scans:
        require_different([mark.lesion.name for mark in scan.marks or ()], f"{patient}, {scan.visit.title}")
    volumes = _Volumes(scans)
    carrier = ScanCarrier(runtime, [partial(volumes, visit) for visit in range(len(scans))], progress)
    chain = Chain(carrier, Proposer(volumes, measuring), pairing)
    notes: list[str] = []
    for visit, scan in enumerate(scans):
        marks = None if scan.marks is None else _inside(scan, volumes(visit), notes)
        if visit == 0:
            chain.begin(marks or ())
        else:
            chain.follow(visit, marks)
    visits = tuple(
        _with_slices(scan.visit, volumes.slice_mm.get(number)) for number, scan in enumerate(scans)
    )
    tracks = tuple(map(_with_uid, chain.tracks))
    history = LesionHistory(patient, visits, tracks, (*notes, *chain.notes))
    return replace(history, notes=(*history.notes, *target_doubts(history)))


class _Volumes:
    """The volumes of the visits, of which the last few stay in memory."""

    def __init__(self, scans: Sequence[DatedScan]) -> None:
        self._scans = scans
        self._kept = RecentlyUsed[int, Volume](VOLUMES_KEPT)
        self.slice_mm: dict[int, float] = {}

    def __call__(self, visit: int) -> Volume:
        volume: Volume = self._kept.get(visit, self._scans[visit].read)
        self.slice_mm[visit] = float(volume.spacing_mm[2])
        return volume


def _inside(scan: DatedScan, volume: Volume, notes: list[str]) -> list[Mark]:
    """The marks of a scan; one that lies outside of it is kept, but neither carried nor paired."""
    marks = list(scan.marks or ())
    for number, mark in enumerate(marks):
        place = mark.finding.position_lps
        if place is None or volume.contains_lps(np.array(place)):
            continue
        told = _(
            "{visit}: {lesion} lies outside of the scan, so it is not followed; is the file of another scan?"
        )
        notes.append(told.format(visit=scan.visit.title, lesion=mark.lesion.name))
        outside = mark.finding.changed(status=LesionStatus.OUT_OF_VIEW, note=_("marked outside of the scan"))
        marks[number] = replace(mark, finding=outside)
    return marks


def _with_slices(visit: Visit, slice_mm: float | None) -> Visit:
    return replace(visit, slice_mm=slice_mm)


def _with_uid(track: Track) -> Track:
    """The track of a lesion that has a tracking UID, by which all reports name it."""
    if track.lesion.uid:
        return track
    return replace(track, lesion=replace(track.lesion, uid=f"2.25.{uuid.uuid4().int}"))
