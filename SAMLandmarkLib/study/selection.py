"""Which series of a DICOM tree take part in a study: one rule, which the plan tells in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..io.target_names import file_name, numbered_names
from ..io.volume_paths import volume_name
from ..utils.errors import UsageError
from .dicom_exclusions import excluded_files, series_name, unused_series, why_nothing
from .dicom_tree import DicomIndex, DicomSeries, index_dicom_tree
from .identity import doubts_about_order, doubts_about_person
from .plan import Excluded, PatientPlan, StudyPlan, StudyScan, Template
from .protocol import StudyProtocol
from .series_choice import FEWEST_SLICES, SMALLEST_EXTENT_MM, best_series, modality_to_use, why_unusable
from .study_landmarks import landmarks_of_patients

_USABLE = (
    f"Of each study one series of CT images is used (of MR for a patient without any), with at least {FEWEST_SLICES} "
    f"slices over {SMALLEST_EXTENT_MM:g} mm that lie evenly, no scout view. Of several it is "
)
_BEST = (
    "an original axial one before a derived one; then the one whose slices lie closest together (thin slices place points "
    "better), then the one with most slices, then the one with the lowest series number. "
)
_RULE = f"{_USABLE}the one with the description of the template's series; else {_BEST}"
_SHARED_NAME = "the ids of two patients give the same file name, so a file of landmarks could be of either; write a manifest"
_BASELINE_RULE = "The earliest study of each patient is the template, the later ones are the follow-ups."
_TEMPLATE_RULE = _RULE + "Every study of every patient is a follow-up of the template that was given."
_PROTOCOL_RULE = _USABLE + _BEST + "The landmarks of the protocol are found in every study of every patient."


@dataclass(frozen=True)
class _PatientSeries:
    """All series of a patient; `patient` is the name in the study, which differs from ids that are no folder names.

    Without `has_own_name` another patient's id leads to the same name, so that a file of that name could be of either.
    """

    patient: str
    series: tuple[DicomSeries, ...]
    has_own_name: bool = True

    @property
    def modality(self) -> str:
        """The modality of the series that are used."""
        return modality_to_use(self.series)

    def studies(self) -> list[list[DicomSeries]]:
        """The usable series of each study, earliest study first."""
        studies: dict[str, list[DicomSeries]] = {}
        for series in self.series:
            if not why_unusable(series, self.modality):
                studies.setdefault(series.study_uid, []).append(series)
        return sorted(studies.values(), key=_time_of_study)


def plan_dicom_study(index: DicomIndex, landmarks: Path, template: Path | None = None) -> StudyPlan:
    """What is to be done with the series of a DICOM tree; `rule` and `excluded` of the plan tell why.

    Without `template` the earliest study of each patient is the template of the later ones, and `landmarks` is one
    file where there is one patient, else a folder with a file for each, named by the patient's id. `template` is a
    volume file, or the folder of one DICOM series, whose `landmarks` are carried to every study. Raises UsageError
    where nothing is to be done, or the landmarks don't fit the patients.
    """
    patients = _patients(index)
    if template is None:
        return _with_excluded_files(_plan_over_time(index, patients, landmarks), index)
    return _with_excluded_files(_plan_of_template(patients, landmarks, template), index)


def plan_dicom_protocol(index: DicomIndex, protocol: StudyProtocol) -> StudyPlan:
    """The plan that finds a protocol's landmarks in every study of a DICOM tree; UsageError where there is none."""
    return _with_excluded_files(_plan_of_all(_patients(index), protocol, None, _PROTOCOL_RULE), index)


def _with_excluded_files(plan: StudyPlan, index: DicomIndex) -> StudyPlan:
    excluded = (*plan.excluded, *excluded_files(index))
    if not plan.patients:
        raise UsageError(f"{index.root}: there is no scan to find landmarks in. {why_nothing(excluded)}")
    return StudyPlan(plan.patients, plan.rule, excluded)


# ---- the two uses


def _plan_over_time(index: DicomIndex, patients: Sequence[_PatientSeries], landmarks: Path) -> StudyPlan:
    names = [patient.patient for patient in patients if patient.studies()]
    files = landmarks_of_patients(landmarks, names)
    plans, excluded = [], []
    for patient in patients:
        if len(patient.studies()) < 2:
            excluded += _without_follow_up(patient)
        elif not patient.has_own_name and landmarks.is_dir():
            excluded.append(Excluded(_all_of(patient), _SHARED_NAME))
        elif patient.patient in files:
            plans.append(_over_time(patient, files[patient.patient]))
        else:
            reason = f"there is no {file_name(patient.patient, '.mrk.json')}, .fcsv or .csv in {landmarks}"
            excluded.append(Excluded(_all_of(patient), reason))
    return StudyPlan(tuple(plans), _RULE + _BASELINE_RULE, tuple(excluded))


def _over_time(patient: _PatientSeries, landmarks: Path) -> PatientPlan:
    first, *later = patient.studies()
    baseline = best_series(first)
    chosen = [baseline, *(best_series(study, baseline.description) for study in later)]
    template, *follow_ups = _scans(patient.patient, chosen)
    wanted = {study[0].study_uid: baseline.description for study in later}
    excluded = unused_series(patient.series, chosen, wanted)
    doubts = (*doubts_about_person(patient.series), *doubts_about_order(chosen))
    return PatientPlan(patient.patient, (Template(template, landmarks),), tuple(follow_ups), excluded, doubts)


def _plan_of_template(patients: Sequence[_PatientSeries], landmarks: Path, path: Path) -> StudyPlan:
    if landmarks.is_dir():
        raise UsageError(
            f"{landmarks} is a folder; give the one file with the landmarks of the template {path}."
        )
    series = _series_of_template(path)
    template = Template(_scan_of_template(path, series), landmarks)
    return _plan_of_all(patients, template, series, _TEMPLATE_RULE)


def _plan_of_all(
    patients: Sequence[_PatientSeries],
    source: Template | StudyProtocol,
    series: DicomSeries | None,
    rule: str,
) -> StudyPlan:
    """The plan with every study of every patient; `series` is that of the template where it is DICOM."""
    plans = [_all_studies(patient, source, series) for patient in patients]
    nothing = [item for plan in plans if not plan.follow_ups for item in _with_patient(plan)]
    return StudyPlan(tuple(plan for plan in plans if plan.follow_ups), rule, tuple(nothing))


def _all_studies(
    patient: _PatientSeries, source: Template | StudyProtocol, series: DicomSeries | None
) -> PatientPlan:
    description = series.description if series else ""
    chosen = [best_series(study, description) for study in patient.studies()]
    # The template may lie in the tree; it shows nothing new about itself.
    kept = [one for one in chosen if series is None or one.series_uid != series.series_uid]
    excluded = unused_series(patient.series, kept, {one.study_uid: description for one in kept})
    doubts = doubts_about_person(patient.series)
    return PatientPlan.of(patient.patient, source, tuple(_scans(patient.patient, kept)), excluded, doubts)


def _series_of_template(path: Path) -> DicomSeries | None:
    """The template's series, None where it is no folder of one; what is wrong with it is told when it is read."""
    series = index_dicom_tree(path).series if path.is_dir() else ()
    return series[0] if len(series) == 1 else None


def _scan_of_template(path: Path, series: DicomSeries | None) -> StudyScan:
    if series is None:
        return StudyScan("", volume_name(path.absolute()), path)
    return _scans("", [series])[0]


# ---- patients, scans and their names


def _patients(index: DicomIndex) -> list[_PatientSeries]:
    of_id: dict[str, list[DicomSeries]] = {}
    for series in index.series:
        of_id.setdefault(series.patient, []).append(series)
    safe = [_safe_name(patient) for patient in of_id]
    counts = Counter(name.casefold() for name in safe)
    return [
        _PatientSeries(name, tuple(series), counts[before.casefold()] == 1)
        for name, before, series in zip(numbered_names(safe), safe, of_id.values(), strict=True)
    ]


def _scans(patient: str, chosen: Sequence[DicomSeries]) -> list[StudyScan]:
    names = numbered_names([_safe_name(f"{series.date} {series.description}") for series in chosen])
    return [
        StudyScan(
            patient, name, series.folder, series.date, series.files, series.description, _details(series)
        )
        for name, series in zip(names, chosen, strict=True)
    ]


def _details(series: DicomSeries) -> str:
    steps = " x ".join(f"{step:.2f}" for step in series.spacing_mm or ())
    return ", ".join(
        part for part in (series.modality, f"{series.slices} slices", steps and f"{steps} mm") if part
    )


def _safe_name(text: str) -> str:
    """A name of one line that may be a file's or folder's on every system."""
    # Windows drops dots at the end of names, and a name of dots alone is another folder.
    return file_name(" ".join(text.split()), "").strip(" .") or "unnamed"


def _time_of_study(study: Sequence[DicomSeries]) -> tuple:
    """Unknown dates come last, since what is carried from them may not be earlier."""
    first = study[0]
    number = min(float("inf") if series.number is None else series.number for series in study)
    return (not first.date, first.date, first.time, number, first.study_uid)


# ---- patients that take no part


def _without_follow_up(patient: _PatientSeries) -> list[Excluded]:
    """Why a patient with one usable study or none takes no part."""
    if patient.studies():
        reason = f"only one of its studies has a usable {patient.modality} series, and landmarks are carried to later ones"
        return [Excluded(_all_of(patient), reason)]
    return [
        Excluded(f"patient {patient.patient}: {series_name(series)}", why_unusable(series, patient.modality))
        for series in patient.series
    ]


def _all_of(patient: _PatientSeries) -> str:
    return f"patient {patient.patient} ({len(patient.series)} series)"


def _with_patient(plan: PatientPlan) -> list[Excluded]:
    return [Excluded(f"patient {plan.patient}: {item.what}", item.reason) for item in plan.excluded]
