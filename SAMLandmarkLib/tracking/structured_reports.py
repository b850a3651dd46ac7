"""Lesions as DICOM structured reports, one for each date, and back from them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.lesions import Diameter, Finding, LesionHistory, LesionStatus, Mark, plain_point
from ..io.lesion_details import lesion_from
from ..io.target_names import file_name
from ..io.writers.dicom_sr import REPORT_SUFFIX, require_libraries, write_content
from ..utils.errors import LesionError, SAMLandmarkError
from ..utils.translation import _
from .response import assess

if TYPE_CHECKING:
    from ..io.writers.sr_source import SourceSeries

DESCRIPTION = "SAMLandmark lesions"


def write_lesion_reports(
    folder: Path, history: LesionHistory, source_of: Callable[[int], SourceSeries]
) -> tuple[list[Path], dict[str, str]]:
    """Write `VISIT.sr.dcm` for each date whose scan was read from DICOM; the files, and why other dates have none.

    `source_of` gives the series of a visit. Raises UsageError where pydicom or highdicom is not installed.
    """
    require_libraries()
    from ..io.writers.sr_content import uid_from_name
    from .sr_content import lesion_report, texts_of

    files, reasons = [], {}
    for assessment in assess(history):
        visit = history.visits[assessment.visit]
        path = folder / file_name(visit.name, REPORT_SUFFIX)
        uid = uid_from_name(_namespace(history), "response")
        content = partial(lesion_report, history, assessment, uid)
        try:
            source = source_of(assessment.visit)
            write_content(path, content, texts_of(history, assessment.visit), source, DESCRIPTION)
            files.append(path)
        except SAMLandmarkError as error:
            reasons[visit.name] = str(error)
    return files, reasons


def _namespace(history: LesionHistory) -> Any:
    """What the UIDs of a patient's reports are made from: the lesions' own, which no other patient has."""
    import uuid

    return uuid.uuid5(uuid.NAMESPACE_OID, "".join(track.lesion.uid for track in history))


def read_lesion_report(path: Path) -> list[Mark]:
    """The lesions of a report that `write_lesion_reports` wrote, or another program by the same template.

    A group that has a longest diameter or a region is a lesion. Raises LesionError, which names the file.
    """
    require_libraries()
    from highdicom.sr import srread

    try:
        report: Any = srread(str(path)).content
        groups = report.get_planar_roi_measurement_groups()
        marks = [_mark(group, str(path)) for group in groups]
    except LesionError:
        raise
    except Exception as error:
        # what a damaged or foreign report breaks in the readers is not known beforehand
        told = _(
            "{path} is no report of measurements that can be read ({reason}); give one by template TID 1500."
        )
        raise LesionError(told.format(path=str(path), reason=str(error)[:200])) from error
    if not marks:
        raise LesionError(_("{path} holds no lesion with a place.").format(path=str(path)))
    return marks


def _mark(group: Any, path: str) -> Mark:
    name = str(group.tracking_identifier)
    where = f"{path}, {name}"
    comments = [str(item.TextValue) for item in group[0].ContentSequence if item.name.meaning == "Comment"]
    details = next((text for text in comments if text.startswith("role=")), "")
    lesion = lesion_from(name, f"{details}; uid={group.tracking_uid}", where)
    axes = {item.name.value: item for item in group.get_measurements()}
    long, short = (_diameter(axes.get(code)) for code in ("103339001", "103340004"))
    region = np.asarray(group.roi.value, dtype=float)
    if long is None and len(region) == 2:
        long = Diameter.between(region)
    place = region.mean(axis=0) if long is None else long.middle_lps
    return Mark(lesion, Finding(LesionStatus.PRESENT, plain_point(place), long, short))


def _diameter(measurement: Any) -> Diameter | None:
    """The line that an axis was measured from, None where it has none."""
    if measurement is None:
        return None
    for line in measurement.referenced_coordinates:
        points = np.asarray(line.value, dtype=float)
        if len(points) == 2:
            return Diameter.between(points)
    return None
