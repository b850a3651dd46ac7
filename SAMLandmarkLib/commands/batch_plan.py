"""From what `samlandmark batch` was given to the plan of a study."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from ..landmarks import LandmarkSet
from ..study.manifest import read_manifest
from ..study.output_folder import earlier_plan
from ..study.plan import StudyPlan, StudyScan, Template, keeping_names
from ..volume_paths import volume_name
from .terminal import messages


def study_plan(
    study: Path, output: Path, template: Path | None, landmarks: Path | None, csv_frame: str | None
) -> StudyPlan:
    """The plan of a manifest or of a DICOM tree, with the names that scans have in `output` already.

    Raises UsageError and LandmarkError where there is none.
    """
    if template is not None and landmarks is None:
        raise UsageError("--template is given without --landmarks; give the file of its landmarks.")
    if template is not None and not template.exists():
        raise UsageError(f"--template {template} does not exist; check the path.")
    make = _dicom_plan if study.is_dir() else _manifest_plan
    plan = make(study, template, landmarks, csv_frame)
    earlier = earlier_plan(output)
    return plan if earlier is None else keeping_names(plan, earlier)


def _manifest_plan(
    study: Path, template: Path | None, landmarks: Path | None, csv_frame: str | None
) -> StudyPlan:
    if landmarks is not None and template is None:
        raise UsageError("--landmarks is given without --template; with a manifest it belongs to one.")
    common = ()
    if template is not None:
        LandmarkSet.read(landmarks, csv_frame)
        common = (Template(StudyScan("", volume_name(template), template), landmarks),)
    manifest = read_manifest(study, common, csv_frame)
    for doubt in manifest.doubts:
        messages().print(f"Warning: {study}, {doubt}", style="yellow")
    return manifest.plan


def _dicom_plan(
    study: Path, template: Path | None, landmarks: Path | None, csv_frame: str | None
) -> StudyPlan:
    from ..study.dicom_tree import index_dicom_tree
    from ..study.selection import plan_dicom_study

    if landmarks is None:
        raise UsageError(
            f"{study} is a folder of DICOM files, so --landmarks must name the landmarks of the baseline scan, or a "
            "folder with a file for each patient, named by the patient's ID."
        )
    messages().print(f"Looking through {study} ...")
    plan = plan_dicom_study(index_dicom_tree(study), landmarks, template)
    for patient in plan.patients:
        for item in patient.templates:
            LandmarkSet.read(item.landmarks, csv_frame)
    return plan
