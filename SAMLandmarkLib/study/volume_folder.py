"""A study of volume files in a folder: a template's landmarks are carried to each of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..io.target_names import distinct_names, folder_name
from ..io.volume_paths import VOLUME_SUFFIXES, files_ending, printable
from ..utils.errors import UsageError
from .plan import PatientPlan, StudyPlan, StudyScan, Template

_RULE = (
    "Every volume file is a follow-up of the template that was given; the scans in a folder of their own below the "
    "study's are those of one patient."
)


def volumes_below(folder: Path) -> list[Path]:
    """The volume files in a folder and all below it, none of them DICOM, by their paths."""
    return files_ending(sorted(folder.rglob("*")), VOLUME_SUFFIXES)


def plan_volume_files(
    root: Path, files: Sequence[Path], template: Template, left_out: Sequence[Path] = ()
) -> StudyPlan:
    """The plan that carries a template's landmarks to volume files below `root`, but the template's own and `left_out`.

    The first folder below `root` is the patient; files that lie in `root` itself are of one called as `root` is. Raises
    UsageError where nothing is left to be done.
    """
    unwanted = {path.resolve() for path in (template.scan.path, *left_out)}
    patients: dict[str, list[Path]] = {}
    for file in files:
        if file.resolve() not in unwanted:
            patients.setdefault(_patient_of(file, root), []).append(file)
    if not patients:
        raise UsageError(
            f"{root} holds no other volume than the template; choose the folder of the follow-ups."
        )
    return StudyPlan(tuple(_plan(patient, paths, template) for patient, paths in patients.items()), _RULE)


def _patient_of(file: Path, root: Path) -> str:
    parts = file.relative_to(root).parts
    return folder_name(printable(parts[0] if len(parts) > 1 else root.resolve().name))


def _plan(patient: str, paths: Sequence[Path], template: Template) -> PatientPlan:
    scans = (StudyScan(patient, name, path) for name, path in zip(distinct_names(paths), paths, strict=True))
    return PatientPlan(patient, (template,), tuple(scans))
