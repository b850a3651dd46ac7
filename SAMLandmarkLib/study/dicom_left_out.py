"""What of a DICOM tree takes no part in a study, and why, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .dicom_tree import DicomIndex, DicomSeries
from .plan import LeftOut
from .series_choice import why_not, why_unusable

# Longer lists are cut off.
_NAMED = 5


def unused_series(
    series: Iterable[DicomSeries], chosen: Sequence[DicomSeries], wanted: Mapping[str, str]
) -> tuple[LeftOut, ...]:
    """Each series that was not chosen; `wanted` is the description looked for by study, for those it counts in."""
    by_study = {one.study_uid: one for one in chosen}
    unused = (one for one in series if one not in chosen)
    return tuple(
        LeftOut(series_name(one), _reason(one, by_study.get(one.study_uid), wanted.get(one.study_uid, "")))
        for one in unused
    )


def series_name(series: DicomSeries) -> str:
    """What a reader tells a series by."""
    return f"{series.date or 'unknown date'} {series}"


def left_out_files(index: DicomIndex) -> list[LeftOut]:
    """The files that are no images, and those that hold the same image as another one."""
    files = (
        (index.unreadable, "no DICOM images, or damaged"),
        (index.copies, "copies of images that are used already"),
    )
    return [LeftOut(_listed(paths), reason) for paths, reason in files if paths]


def why_nothing(left_out: Sequence[LeftOut]) -> str:
    """Why nothing of a tree takes part."""
    if not left_out:
        return "It holds no DICOM files; give the folder in which they lie, or one above it."
    rest = f" And {len(left_out) - _NAMED} more." if len(left_out) > _NAMED else ""
    return " ".join(f"{item.what}: {item.reason.rstrip('.')}." for item in left_out[:_NAMED]) + rest


def _reason(series: DicomSeries, chosen: DicomSeries | None, description: str) -> str:
    if reason := why_unusable(series):
        return reason
    return why_not(series, chosen, description) if chosen else "its study is the template's"


def _listed(paths: Sequence[Path]) -> str:
    rest = ", …" if len(paths) > _NAMED else ""
    noun = "file" if len(paths) == 1 else "files"
    return f"{len(paths)} {noun} ({', '.join(path.as_posix() for path in paths[:_NAMED])}{rest})"
