"""Which series of a DICOM tree become the template and the follow-ups, and why the others don't."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dicom_files import SeriesHeader, write_series

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.study.dicom_tree import index_dicom_tree
from SAMLandmarkLib.study.plan import PatientPlan, StudyPlan
from SAMLandmarkLib.study.selection import plan_dicom_study
from SAMLandmarkLib.utils.errors import UsageError

Plan = Callable[..., StudyPlan]
FIRST = SeriesHeader("P1", "20240101", 3, "Abdomen 1.5")
SECOND = SeriesHeader("P1", "20240601", 3, "Abdomen 1.5")


@pytest.fixture(scope="module")
def scan(sample_template: Volume) -> Volume:
    """A coarse piece of the sample's template: 42 slices, 1.5 mm apart, 63 mm in all."""
    return Volume(
        sample_template.array[:42, ::16, ::16], sample_template.ijk_to_lps @ np.diag([16, 16, 1, 1])
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "tree"


@pytest.fixture
def landmarks(tmp_path: Path, sample_folder: Path) -> Path:
    """A folder with landmarks of the patients P1 and P2."""
    folder = tmp_path / "landmarks"
    folder.mkdir()
    content = (sample_folder / "template.mrk.json").read_bytes()
    for patient in ("P1", "P2"):
        (folder / f"{patient}.mrk.json").write_bytes(content)
    return folder


@pytest.fixture
def write(tree: Path, scan: Volume) -> Callable[..., None]:
    """Write series of the scan into the tree, each into a folder of its own."""

    def write_all(*headers: SeriesHeader, volume: Volume = scan) -> None:
        for header in headers:
            write_series(tree / f"{header.series_uid}", volume, header)

    return write_all


@pytest.fixture
def plan(tree: Path, landmarks: Path) -> Plan:
    """Plan the study of the tree."""

    def make(landmarks: Path = landmarks, template: Path | None = None) -> StudyPlan:
        return plan_dicom_study(index_dicom_tree(tree), landmarks, template)

    return make


def only_patient(study: StudyPlan) -> PatientPlan:
    (patient,) = study.patients
    return patient


def reason(patient: PatientPlan, what: str) -> str:
    """Why the one scan of which `what` is told was left out."""
    (found,) = (item.reason for item in patient.excluded if what in item.what)
    return found


def with_fewer_slices(scan: Volume, step: int) -> Volume:
    return Volume(scan.array[::step], scan.ijk_to_lps @ np.diag([1, 1, step, 1]))


# ---- one patient over time


def test_the_earliest_study_is_the_template_and_the_later_ones_are_follow_ups(
    write, plan: Plan, landmarks: Path
) -> None:
    write(replace(SECOND, date="20250115"), SECOND, FIRST)
    study = plan()
    patient = only_patient(study)
    assert patient.own_baseline
    assert patient.templates[0].scan.name == "2024-01-01 Abdomen 1.5"
    assert patient.templates[0].landmarks == landmarks / "P1.mrk.json"
    assert [follow_up.name for follow_up in patient.follow_ups] == [
        "2024-06-01 Abdomen 1.5",
        "2025-01-15 Abdomen 1.5",
    ]
    assert [follow_up.date for follow_up in patient.follow_ups] == ["2024-06-01", "2025-01-15"]
    assert "earliest study of each patient is the template" in study.rule
    assert StudyPlan.from_document(json.loads(json.dumps(study.to_document()))) == study


def test_scans_of_the_plan_can_be_read(write, plan: Plan, scan: Volume) -> None:
    write(FIRST, SECOND)
    (follow_up,) = only_patient(plan()).follow_ups
    volume = follow_up.read()
    assert volume.name == "2024-06-01 Abdomen 1.5"
    assert np.array_equal(volume.array, scan.array)


def test_studies_of_one_day_come_by_their_time(write, plan: Plan) -> None:
    write(
        replace(FIRST, time="150000", description="later"),
        replace(FIRST, time="080000", description="earlier"),
    )
    patient = only_patient(plan())
    assert patient.templates[0].scan.name == "2024-01-01 earlier"
    assert [follow_up.name for follow_up in patient.follow_ups] == ["2024-01-01 later"]


def test_scans_of_the_same_day_and_description_get_different_names(write, plan: Plan) -> None:
    write(FIRST, SECOND, replace(SECOND, time="120000"))
    names = [follow_up.name for follow_up in only_patient(plan()).follow_ups]
    assert names == ["2024-06-01 Abdomen 1.5", "2024-06-01 Abdomen 1.5_2"]


def test_of_a_study_the_thinnest_series_is_used(write, plan: Plan, scan: Volume) -> None:
    write(FIRST, SECOND)
    write(replace(FIRST, number=2, description="Abdomen 3.0"), volume=with_fewer_slices(scan, 2))
    patient = only_patient(plan())
    assert patient.templates[0].scan.description == "Abdomen 1.5"
    assert "has slices closer together, every 1.50 mm" in reason(patient, "Abdomen 3.0")


def test_a_follow_up_has_the_description_of_the_template_before_thin_slices(
    write, plan: Plan, scan: Volume
) -> None:
    write(replace(FIRST, description="Abdomen 3.0"), volume=with_fewer_slices(scan, 2))
    write(replace(SECOND, number=2, description="abdomen 3.0"), volume=with_fewer_slices(scan, 2))
    write(SECOND)
    patient = only_patient(plan())
    assert [follow_up.description for follow_up in patient.follow_ups] == ["abdomen 3.0"]
    assert "has the description of the template's series" in reason(patient, "Abdomen 1.5")


def test_more_slices_then_the_lower_number_decide_between_like_series(
    write, plan: Plan, scan: Volume
) -> None:
    shorter = Volume(scan.array[:-1], scan.ijk_to_lps)
    write(replace(FIRST, number=2, description="short"), volume=shorter)
    write(replace(FIRST, number=9, description="sharp"), replace(FIRST, number=8, description="soft"), SECOND)
    patient = only_patient(plan())
    assert patient.templates[0].scan.description == "soft"
    assert "has more slices" in reason(patient, "(short")
    assert "has the lower series number" in reason(patient, "(sharp")


def test_a_derived_series_is_used_only_where_there_is_no_original(write, plan: Plan) -> None:
    derived = ("DERIVED", "SECONDARY", "REFORMATTED")
    disguised = ("ORIGINAL", "PRIMARY", "AXIAL", "MPR")
    write(replace(FIRST, number=1, description="coronal", image_type=derived), FIRST)
    write(replace(FIRST, number=2, description="oblique", image_type=disguised))
    write(replace(SECOND, description="only this", image_type=derived))
    patient = only_patient(plan())
    assert patient.templates[0].scan.description == "Abdomen 1.5"
    assert [follow_up.description for follow_up in patient.follow_ups] == ["only this"]
    assert "is an original axial one" in reason(patient, "coronal")
    assert "is an original axial one" in reason(patient, "oblique")


def test_what_is_no_ct_volume_is_left_out_with_its_reason(write, plan: Plan, scan: Volume) -> None:
    write(FIRST, SECOND)
    write(replace(FIRST, number=1, description="scout", image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")))
    write(replace(FIRST, number=20, description="report", modality="SR"))
    few = Volume(scan.array[:19], scan.ijk_to_lps @ np.diag([1, 1, 4, 1]))
    write(replace(FIRST, number=21, description="few"), volume=few)
    write(replace(FIRST, number=22, description="flat"), volume=Volume(scan.array[:39], scan.ijk_to_lps))
    patient = only_patient(plan())
    assert reason(patient, "scout") == "it is a scout view (image type LOCALIZER)"
    assert reason(patient, "report") == "its modality is SR, not CT"
    assert reason(patient, "few") == "it has fewer than 20 slices: 19"
    assert reason(patient, "flat") == "its slices cover 58 mm, less than 60 mm"


def test_a_series_that_cannot_be_read_gives_way_to_one_that_can(write, plan: Plan, tree: Path) -> None:
    write(FIRST, SECOND)
    phases = replace(SECOND, number=1, description="two phases")
    write(phases)
    again = replace(phases, changes={"SOPInstanceUID": "1.2.3"})
    other_phase = Volume(np.zeros((42, 16, 16), np.int16), np.eye(4))
    write_series(tree / "phase 2", other_phase, again)
    patient = only_patient(plan())
    assert [follow_up.description for follow_up in patient.follow_ups] == ["Abdomen 1.5"]
    assert reason(patient, "two phases").startswith("its slices differ in orientation or pixel spacing")


# ---- several patients


def test_each_patient_gets_the_landmarks_of_the_same_name(write, plan: Plan, landmarks: Path) -> None:
    for name in ("P1", "P2", "P3"):
        write(replace(FIRST, patient=name), replace(SECOND, patient=name))
    study = plan()
    assert {patient.patient: patient.templates[0].landmarks.name for patient in study.patients} == {
        "P1": "P1.mrk.json",
        "P2": "P2.mrk.json",
    }
    (excluded,) = study.excluded
    assert excluded.what == "patient P3 (2 series)"
    assert excluded.reason == f"there is no P3.mrk.json, .fcsv or .csv in {landmarks}"


def test_a_patient_with_one_study_is_left_out(write, plan: Plan) -> None:
    write(FIRST, SECOND, replace(FIRST, patient="P2"))
    study = plan()
    assert only_patient(study).patient == "P1"
    assert "only one of its studies has a usable CT series" in study.excluded[0].reason


def test_landmarks_that_could_be_of_either_of_two_patients_are_of_none(
    write, plan: Plan, landmarks: Path
) -> None:
    (landmarks / "P_1.csv").write_text("label,x,y,z\na,1,2,3\n")
    for name in ("P1", "P/1", "P_1"):
        write(replace(FIRST, patient=name), replace(SECOND, patient=name))
    made = plan()
    assert [patient.patient for patient in made.patients] == ["P1"]
    assert sum("could be of either" in item.reason for item in made.excluded) == 2


def test_patients_whose_folders_would_be_the_same_are_numbered(
    write, plan: Plan, landmarks: Path, sample_folder: Path
) -> None:
    for name in ("P1", "p1"):
        write(replace(FIRST, patient=name))
    made = plan(landmarks / "P1.mrk.json", sample_folder / "template.nii.gz")
    assert [patient.patient for patient in made.patients] == ["P1", "p1_2"]


@pytest.mark.parametrize(
    ("patient_id", "name"), [("..", "unnamed"), ("a/../b", "a_.._b"), ("12 .", "12"), ("HD:7", "HD_7")]
)
def test_no_patient_id_leads_out_of_the_folder_of_results(
    write, plan: Plan, landmarks: Path, patient_id: str, name: str
) -> None:
    write(replace(FIRST, patient=patient_id), replace(SECOND, patient=patient_id))
    patient = only_patient(plan(landmarks / "P1.mrk.json"))
    assert patient.patient == name
    assert {follow_up.patient for follow_up in patient.follow_ups} == {name}


def test_one_file_of_landmarks_is_not_taken_for_several_patients(write, plan: Plan, landmarks: Path) -> None:
    write(FIRST, SECOND, replace(FIRST, patient="P2"), replace(SECOND, patient="P2"))
    with pytest.raises(
        UsageError, match=r"is one file, but there are 2 patients; give a folder .* P1\.mrk\.json"
    ):
        plan(landmarks / "P1.mrk.json")


def test_landmarks_of_nobody_are_refused(write, plan: Plan) -> None:
    write(replace(FIRST, patient="X"), replace(SECOND, patient="X"))
    with pytest.raises(UsageError, match=r"none of the 1 patients; .* X\.mrk\.json"):
        plan()


def test_two_files_of_landmarks_of_one_patient_are_refused(write, plan: Plan, landmarks: Path) -> None:
    (landmarks / "P1.csv").write_text("label,x,y,z\na,1,2,3\n")
    write(FIRST, SECOND)
    with pytest.raises(UsageError, match=r"P1\.mrk\.json and P1\.csv are both of patient P1"):
        plan()


# ---- one template for all


def test_a_given_template_is_carried_to_every_study(
    write, plan: Plan, landmarks: Path, sample_folder: Path
) -> None:
    write(FIRST, SECOND, replace(FIRST, patient="P2"))
    study = plan(landmarks / "P1.mrk.json", sample_folder / "template.nii.gz")
    assert [(patient.patient, len(patient.follow_ups)) for patient in study.patients] == [
        ("P1", 2),
        ("P2", 1),
    ]
    assert {patient.templates[0].scan.name for patient in study.patients} == {"template"}
    assert not any(patient.own_baseline for patient in study.patients)
    assert "follow-up of the template that was given" in study.rule


def test_a_dicom_template_says_which_description_to_look_for(
    write, plan: Plan, landmarks: Path, scan: Volume, tmp_path: Path
) -> None:
    write_series(tmp_path / "atlas", scan, SeriesHeader("atlas", description="Abdomen 3.0"))
    write(SECOND)
    write(replace(SECOND, number=5, description="Abdomen 3.0"), volume=with_fewer_slices(scan, 2))
    patient = only_patient(plan(landmarks / "P1.mrk.json", tmp_path / "atlas"))
    assert [follow_up.description for follow_up in patient.follow_ups] == ["Abdomen 3.0"]
    assert patient.templates[0].scan.name == "2024-05-01 Abdomen 3.0"


def test_a_template_in_the_tree_is_not_carried_to_itself(
    write, plan: Plan, landmarks: Path, tree: Path
) -> None:
    write(FIRST, SECOND)
    patient = only_patient(plan(landmarks / "P1.mrk.json", tree / FIRST.series_uid))
    assert [follow_up.date for follow_up in patient.follow_ups] == ["2024-06-01"]
    assert reason(patient, "2024-01-01") == "its study is the template's"


def test_a_folder_of_landmarks_for_one_template_is_refused(write, plan: Plan, sample_folder: Path) -> None:
    write(FIRST)
    with pytest.raises(UsageError, match="is a folder; give the one file with the landmarks of the template"):
        plan(template=sample_folder / "template.nii.gz")


# ---- nothing to do


def test_files_that_are_no_images_are_told_of(write, plan: Plan, tree: Path) -> None:
    write(FIRST, SECOND)
    for number in range(7):
        (tree / f"note{number}.txt").write_text("no image")
    (excluded,) = plan().excluded
    assert excluded.what == "7 files (note0.txt, note1.txt, note2.txt, note3.txt, note4.txt, …)"
    assert excluded.reason == "no DICOM images, or damaged"


def test_a_tree_without_anything_to_do_says_why(write, plan: Plan, tree: Path) -> None:
    tree.mkdir()
    with pytest.raises(UsageError, match="It holds no DICOM files; give the folder in which they lie"):
        plan()
    write(replace(FIRST, modality="PT"))
    with pytest.raises(UsageError, match=r"patient P1: 2024-01-01 series 3 .*: its modality is PT, not CT\."):
        plan()


def test_mr_is_used_of_a_patient_without_ct_alone(write, plan: Plan) -> None:
    write(*(replace(header, number=4, modality="MR") for header in (FIRST, SECOND)))
    (patient,) = plan().patients
    assert "MR" in patient.templates[0].scan.details and "MR" in patient.follow_ups[0].details
    write(FIRST, SECOND)
    (patient,) = plan().patients
    assert "CT" in patient.templates[0].scan.details
    assert {item.reason for item in patient.excluded} >= {"its modality is MR, not CT"}
