"""What of a DICOM tree takes no part in a study, and why, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .dicom_tree import DicomIndex, DicomSeries
from .plan import Excluded
from .series_choice import modality_to_use, why_not, why_unusable

# Longer lists are cut off.
_NAMED = 5


def unused_series(
    series: Iterable[DicomSeries], chosen: Sequence[DicomSeries], wanted: Mapping[str, str]
) -> tuple[Excluded, ...]:
    """Each series that was not chosen; `wanted` is the description looked for by study, for those it counts in."""
    series = list(series)
    by_study, modality = {one.study_uid: one for one in chosen}, modality_to_use(series)
    unused = (one for one in series if one not in chosen)
    return tuple(
        Excluded(
            series_name(one),
            why_unusable(one, modality)
            or _why_other(one, by_study.get(one.study_uid), wanted.get(one.study_uid, "")),
        )
        for one in unused
    )


def series_name(series: DicomSeries) -> str:
    """What a reader tells a series by."""
    return f"{series.date or 'unknown date'} {series}"


def excluded_files(index: DicomIndex) -> list[Excluded]:
    """The files that are no images, and those that hold the same image as another one."""
    files = (
        (index.unreadable, "no DICOM images, or damaged"),
        (index.copies, "copies of images that are used already"),
    )
    return [Excluded(_listed(paths), reason) for paths, reason in files if paths]


def why_nothing(excluded: Sequence[Excluded]) -> str:
    """Why nothing of a tree takes part."""
    if not excluded:
        return "It holds no DICOM files; give the folder in which they lie, or one above it."
    rest = f" And {len(excluded) - _NAMED} more." if len(excluded) > _NAMED else ""
    return " ".join(f"{item.what}: {item.reason.rstrip('.')}." for item in excluded[:_NAMED]) + rest


def _why_other(series: DicomSeries, chosen: DicomSeries | None, description: str) -> str:
    return why_not(series, chosen, description) if chosen else "its study is the template's"


def _listed(paths: Sequence[Path]) -> str:
    rest = ", …" if len(paths) > _NAMED else ""
    noun = "file" if len(paths) == 1 else "files"
    return f"{len(paths)} {noun} ({', '.join(path.as_posix() for path in paths[:_NAMED])}{rest})"
