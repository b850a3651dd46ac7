"""A study of volume files in a folder: a template's landmarks, or a protocol's, are found in each of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..io.target_names import distinct_names, folder_name
from ..io.volume_paths import VOLUME_SUFFIXES, files_ending, printable
from ..utils.errors import UsageError
from .plan import PatientPlan, StudyPlan, StudyScan, Template
from .protocol import StudyProtocol

_TEMPLATE_RULE = "Every volume file is a follow-up of the template that was given; "
_PROTOCOL_RULE = "The landmarks of the protocol are found in every volume file; "
_PATIENTS_RULE = "the scans in a folder of their own below the study's are those of one patient."


def volumes_below(folder: Path) -> list[Path]:
    """The volume files in a folder and all below it, none of them DICOM, by their paths."""
    return files_ending(sorted(folder.rglob("*")), VOLUME_SUFFIXES)


def plan_volume_files(
    root: Path, files: Sequence[Path], source: Template | StudyProtocol, left_out: Sequence[Path] = ()
) -> StudyPlan:
    """The plan that finds landmarks in volume files below `root`, but the template's own and `left_out`.

    The first folder below `root` is the patient; files that lie in `root` itself are of one called as `root` is. Raises
    UsageError where nothing is left to be done.
    """
    from_template = isinstance(source, Template)
    unwanted = {path.resolve() for path in left_out} | (
        {source.scan.path.resolve()} if from_template else set()
    )
    patients: dict[str, list[Path]] = {}
    for file in files:
        if file.resolve() not in unwanted:
            patients.setdefault(_patient_of(file, root), []).append(file)
    if not patients:
        nothing = (
            "no other volume than the template" if from_template else "no DICOM series and no volume file"
        )
        raise UsageError(f"{root} holds {nothing}; choose the folder of the scans.")
    rule = (_TEMPLATE_RULE if from_template else _PROTOCOL_RULE) + _PATIENTS_RULE
    return StudyPlan(tuple(_plan(patient, paths, source) for patient, paths in patients.items()), rule)


def _patient_of(file: Path, root: Path) -> str:
    parts = file.relative_to(root).parts
    return folder_name(printable(parts[0] if len(parts) > 1 else root.resolve().name))


def _plan(patient: str, paths: Sequence[Path], source: Template | StudyProtocol) -> PatientPlan:
    scans = (StudyScan(patient, name, path) for name, path in zip(distinct_names(paths), paths, strict=True))
    return PatientPlan.of(patient, source, tuple(scans))
