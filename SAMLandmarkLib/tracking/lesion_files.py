"""Files of lesions in any format, told apart by their names and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from ..core.landmarks import LandmarkSet
from ..core.lesions import Finding, LesionHistory, LesionStatus, Mark, Source, plain_point
from ..io.landmark_json import read_document
from ..io.lesion_details import lesion_from
from ..io.lesion_json import FORMAT, read_history
from ..io.lesion_lines import read_lesion_lines
from ..io.lesion_masks import read_lesion_masks
from ..io.volume_paths import DICOM_SUFFIXES, VOLUME_SUFFIXES
from ..utils.errors import LesionError
from ..utils.translation import _
from .structured_reports import read_lesion_report

BASELINE = ""
"""The visit of a file that is about one scan and does not say which."""
KINDS = "line markups or points (.mrk.json), lesions.json, a label map (.nrrd, .nii.gz, ...), a DICOM SR (.dcm), .fcsv or .csv"


def read_lesions(path: Path, csv_frame: str | None = None) -> dict[str, list[Mark]]:
    """The lesions of a file by the name of their visit, BASELINE where the file is of one scan.

    Of a document of lesions only what a reader drew is taken: proposals are proposed anew. Raises LesionError,
    LandmarkError, VolumeError and UsageError, which name the file and say what to do.
    """
    name = path.name.lower()
    if not path.exists():
        raise LesionError(_("{path} does not exist; check the path.").format(path=str(path)))
    if name.endswith(VOLUME_SUFFIXES):
        return {BASELINE: read_lesion_masks(path)}
    if name.endswith(DICOM_SUFFIXES):
        return {BASELINE: read_lesion_report(path)}
    if name.endswith((".csv", ".fcsv")):
        return {BASELINE: _points(path, csv_frame)}
    if not name.endswith(".json"):
        raise LesionError(
            _("{path} is no file of lesions; give {kinds}.").format(path=str(path), kinds=KINDS)
        )
    document = read_document(path)
    if isinstance(document, Mapping) and document.get("format") == FORMAT:
        return _marked(read_history(path))
    return {BASELINE: read_lesion_lines(path)}


def _points(path: Path, csv_frame: str | None) -> list[Mark]:
    """Points without sizes."""
    frame: Literal["LPS", "RAS"] | None = (
        "RAS" if csv_frame == "RAS" else "LPS" if csv_frame == "LPS" else None
    )
    return [
        Mark(
            lesion_from(item.label, item.description, str(path)),
            Finding(LesionStatus.PRESENT, plain_point(item.position_lps)),
        )
        for item in LandmarkSet.read(path, frame)
        if item.position_lps is not None
    ]


def _marked(history: LesionHistory) -> dict[str, list[Mark]]:
    """What a reader drew at each visit; a visit at which nobody looked is not in it."""
    marks: dict[str, list[Mark]] = {}
    for number, visit in enumerate(history.visits):
        told = [(track.lesion, finding) for track in history if (finding := track.at(number))]
        if any(finding.source is Source.HAND for _lesion, finding in told):
            marks[visit.name] = [
                Mark(lesion, finding)
                for lesion, finding in told
                if finding.is_seen and finding.source is Source.HAND
            ]
    return marks
