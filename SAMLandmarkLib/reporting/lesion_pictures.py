"""Crops of a lesion at every date: the same cut, the same width and the same grey-level window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..core.crops import axial_crop
from ..core.grey_windows import GreyWindow
from ..core.lesions import Diameter, Finding, Source, Track, Visit
from ..core.volume import Volume
from .crop_pictures import CROP_MM, PIXELS, picture_address
from .lesion_words import size_text, status_text
from .views import Figure, Line

_AROUND = 1.5
_SIDES = "sides"
"""The drawing that tells right from left and leaves the lesion free."""


class LesionFigures:
    """The crops of the lesions of a patient, made scan by scan, so that only one volume is in memory at a time.

    A lesion's window is chosen by the first scan in which it has a place, its width so that it fits in at all dates.
    """

    def __init__(self, visits: tuple[Visit, ...]) -> None:
        self._visits = visits
        self._windows: dict[str, GreyWindow] = {}
        self._figures: dict[str, list[Figure]] = {}

    def add(self, visit: int, read: Callable[[], Volume | None], tracks: tuple[Track, ...]) -> None:
        """Make the crops of one scan; None where it can't be read."""
        volume = read()
        for track in tracks:
            finding = track.at(visit)
            if finding is not None:
                figure = self._figure(self._visits[visit], volume, track, finding)
                self._figures.setdefault(track.lesion.name, []).append(figure)

    def of(self, name: str) -> list[Figure]:
        """The crops of a lesion in the order of time."""
        return self._figures.get(name, [])

    def _figure(self, visit: Visit, volume: Volume | None, track: Track, finding: Finding) -> Figure:
        measured = finding.is_seen and finding.long is not None
        caption = f"{visit.title} · {size_text(finding) if measured else status_text(finding)}"
        if volume is None:
            return Figure(_SIDES, caption, otherwise="no picture of this scan")
        if finding.position_lps is None or not volume.contains_lps(finding.position):
            return Figure(_SIDES, caption, otherwise=status_text(finding))
        width_mm = _width_mm(track)
        crop = axial_crop(volume, finding.position, width_mm, PIXELS)
        window = self._windows.setdefault(track.lesion.name, volume.modality.window_for(crop))
        lines = [_line(item, finding.position, width_mm) for item in _drawn(finding) if item is not None]
        return Figure(_SIDES, f"{caption} · {window.name}", picture_address(crop, window), lines=lines)


def _drawn(finding: Finding) -> tuple[Diameter | None, ...]:
    if not finding.is_seen:
        return ()
    if finding.long is None:
        return finding.carried_long, finding.carried_short
    return finding.long, finding.short


def _width_mm(track: Track) -> float:
    """The width of a lesion's crops: 80 mm, more where it is longer than a good half of that."""
    lengths = [finding.size_mm for finding in track.findings.values() if finding.size_mm is not None]
    return max(CROP_MM, _AROUND * max(lengths, default=0.0))


def _line(diameter: Diameter, centre_lps: np.ndarray, width_mm: float) -> Line:
    places = (diameter.ends - centre_lps)[:, :2] / width_mm + 0.5
    (x1, y1), (x2, y2) = places.tolist()
    return Line((x1, y1), (x2, y2), "" if diameter.source is Source.HAND else "proposed")
