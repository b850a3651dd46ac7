"""From scans, a template and landmarks to the plan of a study, whatever front end asks for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..core.landmarks import LandmarkSet
from ..engine.settings import WorkerSettings
from ..io.volume_paths import volume_name
from ..utils.errors import UsageError
from ..utils.progress import Progress
from .dicom_tree import DicomIndex, index_dicom_files, index_dicom_tree
from .manifest import Manifest, read_manifest
from .output_folder import earlier_plan
from .plan import StudyPlan, StudyScan, Template, keeping_names
from .protocol import StudyProtocol
from .selection import plan_dicom_protocol, plan_dicom_study
from .volume_folder import plan_volume_files, volumes_below

Warn = Callable[[str], None]


def study_plan(
    study: Path,
    output: Path,
    template: Path | None,
    landmarks: Path | None,
    csv_frame: str | None,
    warn: Warn,
    left_out: Sequence[Path] = (),
) -> StudyPlan:
    """The plan of a manifest or of a folder of scans, with the names that scans have in `output` already.

    `warn` is called for what is odd but does not stop it; volume files in `left_out` are no follow-ups. Raises UsageError
    and LandmarkError where there is no plan.
    """
    if template is not None and landmarks is None:
        raise UsageError("--template is given without --landmarks; give the file of its landmarks.")
    if template is not None and not template.exists():
        raise UsageError(f"--template {template} does not exist; check the path.")
    if not study.is_dir():
        return with_earlier_names(_manifest_plan(study, template, landmarks, csv_frame, warn), output)
    if landmarks is None:
        raise UsageError(
            f"{study} is a folder of scans, so --landmarks must name the landmarks of the baseline scan, or a "
            "folder with a file for each patient, named by the patient's ID; or give a --protocol instead of them."
        )
    index = index_dicom_tree(study)
    if index.series or template is None:
        plan = _dicom_plan(index, template, landmarks, csv_frame, warn)
    else:
        common = common_template(template, landmarks, csv_frame)
        plan = plan_volume_files(study, _volumes_of(study, output), common, left_out)
    return with_earlier_names(plan, output)


def protocol_plan(
    study: Path,
    output: Path,
    protocol: str,
    settings: WorkerSettings,
    warn: Warn,
    left_out: Sequence[Path] = (),
) -> StudyPlan:
    """The plan of a study without templates: a protocol's landmarks in every scan of a manifest or folder.

    `protocol` is as `StudyProtocol.named` takes it; the rest, and what is raised, is as for `study_plan`, and AtlasError.
    """
    chosen = StudyProtocol.named(protocol, settings)
    if not study.is_dir():
        manifest = read_manifest(study, protocol=chosen)
        _tell_doubts(manifest, study, warn)
        return with_earlier_names(manifest.plan, output)
    index = index_dicom_tree(study)
    if index.series:
        plan = plan_dicom_protocol(index, chosen)
        _tell_doubts_about_patients(plan, warn)
    else:
        plan = plan_volume_files(study, _volumes_of(study, output), chosen, left_out)
    return with_earlier_names(plan, output)


def dicom_files_plan(
    files: Sequence[Path], template: Path, landmarks: Path, warn: Warn, progress: Progress | None = None
) -> StudyPlan:
    """The plan that carries a template's landmarks to every study in DICOM files; raises as `study_plan` does."""
    return _dicom_plan(_index_of_files(files, progress), template, landmarks, None, warn)


def protocol_files_plan(
    files: Sequence[Path], protocol: str, settings: WorkerSettings, warn: Warn
) -> StudyPlan:
    """The plan that finds a protocol's landmarks in every study in DICOM files; raises as `protocol_plan` does."""
    plan = plan_dicom_protocol(_index_of_files(files), StudyProtocol.named(protocol, settings))
    _tell_doubts_about_patients(plan, warn)
    return plan


def _index_of_files(files: Sequence[Path], progress: Progress | None = None) -> DicomIndex:
    if not files:
        raise UsageError("There are no DICOM files of CT series; import the scans first.")
    root = Path(os.path.commonpath([file.parent for file in files]))
    return index_dicom_files(root, files, progress)


def with_earlier_names(plan: StudyPlan, output: Path) -> StudyPlan:
    """The plan with the names that its scans have in the study that was begun in a folder, if any."""
    earlier = earlier_plan(output)
    return plan if earlier is None else keeping_names(plan, earlier)


def common_template(template: Path, landmarks: Path, csv_frame: str | None) -> Template:
    """A template for scans of other people; raises LandmarkError where its landmarks can't be read."""
    LandmarkSet.read(landmarks, csv_frame)
    return Template(StudyScan("", volume_name(template), template), landmarks)


def _manifest_plan(
    study: Path, template: Path | None, landmarks: Path | None, csv_frame: str | None, warn: Warn
) -> StudyPlan:
    if landmarks is not None and template is None:
        raise UsageError("--landmarks is given without --template; with a manifest it belongs to one.")
    common = ()
    if template is not None and landmarks is not None:
        common = (common_template(template, landmarks, csv_frame),)
    manifest = read_manifest(study, common, csv_frame)
    _tell_doubts(manifest, study, warn)
    return manifest.plan


def _dicom_plan(
    index: DicomIndex, template: Path | None, landmarks: Path, csv_frame: str | None, warn: Warn
) -> StudyPlan:
    plan = plan_dicom_study(index, landmarks, template)
    _tell_doubts_about_patients(plan, warn)
    for patient in plan.patients:
        for item in patient.templates:
            LandmarkSet.read(item.landmarks, csv_frame)
    return plan


def _volumes_of(study: Path, output: Path) -> list[Path]:
    """The volume files of a study; what is computed into a folder of it is no scan of it."""
    return [path for path in volumes_below(study) if not path.is_relative_to(output)]


def _tell_doubts(manifest: Manifest, study: Path, warn: Warn) -> None:
    for doubt in manifest.doubts:
        warn(f"{study}, {doubt}")


def _tell_doubts_about_patients(plan: StudyPlan, warn: Warn) -> None:
    for patient in plan.patients:
        for doubt in patient.doubts:
            warn(f"patient {patient.patient}: {doubt}")
