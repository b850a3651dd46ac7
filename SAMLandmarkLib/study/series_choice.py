"""Which series of a study can be used, which of them is the best, and why not the others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .dicom_tree import DicomSeries

MODALITIES = ("CT", "MR")
"""Those of volumes that there are models for, the one before that is preferred."""
FEWEST_SLICES = 20
SMALLEST_EXTENT_MM = 60.0
_ORIGINAL_AXIAL = ("ORIGINAL", "PRIMARY", "AXIAL")
# What says that a series was computed from another one although it calls itself original.
_COMPUTED = {
    "MPR",
    "MIP",
    "MINIP",
    "PROJECTION IMAGE",
    "AVERAGE",
    "DERIVED",
    "SECONDARY",
    "CSA MPR",
    "CSA MIP",
}
# Spacings that differ by less are the same; headers round them.
_SAME_SPACING_MM = 0.01


def modality_to_use(series: Iterable[DicomSeries]) -> str:
    """The modality, in DICOM's words, of which series of a patient are used: CT, or MR where none of them is usable CT."""
    known = list(series)
    return next((name for name in MODALITIES if any(not why_unusable(one, name) for one in known)), "CT")


def why_unusable(series: DicomSeries, modality: str = "CT") -> str:
    """Why a series is no volume of a modality that landmarks can be found in; empty where it is one."""
    if series.modality != modality:
        return f"its modality is {series.modality or 'unknown'}, not {modality}"
    if "LOCALIZER" in series.image_type:
        return "it is a scout view (image type LOCALIZER)"
    if series.no_volume:
        return series.no_volume
    if series.slices < FEWEST_SLICES:
        return f"it has fewer than {FEWEST_SLICES} slices: {series.slices}"
    if series.extent_mm < SMALLEST_EXTENT_MM:
        return f"its slices cover {series.extent_mm:.0f} mm, less than {SMALLEST_EXTENT_MM:g} mm"
    return ""


def best_series(study: Sequence[DicomSeries], description: str = "") -> DicomSeries:
    """The series to use out of the usable ones of a study; `description` is that of the template's series."""
    return min(study, key=lambda series: [merit for merit, _words in _merits(series, description)])


def why_not(series: DicomSeries, chosen: DicomSeries, description: str = "") -> str:
    """Why `chosen` and not `series`, which is usable too, was taken of a study."""
    pairs = zip(_merits(chosen, description), _merits(series, description), strict=True)
    words = next(words for (of_chosen, words), (of_series, _words) in pairs if of_chosen != of_series)
    return f"{chosen} of the same study was taken: it {words}"


def _merits(series: DicomSeries, description: str) -> list[tuple[float | str, str]]:
    """What makes a series better, the smaller the better and the most important first, each with words for it."""
    spacing = series.spacing_mm[2]
    return [
        (
            not _same_description(series.description, description),
            "has the description of the template's series",
        ),
        (not _is_original_axial(series), "is an original axial one, the other a derived one"),
        (round(spacing / _SAME_SPACING_MM), f"has slices closer together, every {spacing:.2f} mm"),
        (-series.slices, "has more slices"),
        (math.inf if series.number is None else series.number, "has the lower series number"),
        (series.series_uid, "has the lower series UID"),
    ]


def _same_description(one: str, other: str) -> bool:
    return bool(one) and one.casefold() == other.casefold()


def _is_original_axial(series: DicomSeries) -> bool:
    return series.image_type[:3] == _ORIGINAL_AXIAL and not _COMPUTED.intersection(series.image_type)
