"""DICOM reports of a study that was computed from DICOM: read back, and judged by dicom3tools."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dicom_files import SeriesHeader, write_series
from pydicom import dcmread
from report_reading import coarse, content, points, tracking_uids
from typer.testing import CliRunner

from SAMLandmarkLib import __version__
from SAMLandmarkLib.cli import app
from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.io.landmark_files import write_markups
from SAMLandmarkLib.study.dicom_tree import index_dicom_tree
from SAMLandmarkLib.study.manifest import read_manifest
from SAMLandmarkLib.study.outcome import ScanOutcome, StudyOutcome, scan_file
from SAMLandmarkLib.study.plan import StudyPlan, StudyScan
from SAMLandmarkLib.study.selection import plan_dicom_study
from SAMLandmarkLib.study.structured_report import StructuredReports, write_structured_reports
from SAMLandmarkLib.utils.errors import UsageError

OUTSIDE = "außerhalb"
# What de-identification often takes away.
REMOVED = (
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyTime",
)
LATIN = {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Jörg"}


@pytest.fixture(scope="module")
def tree(sample_template: Volume, sample_followup: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patients with a baseline and a follow-up each, the second de-identified."""
    root = tmp_path_factory.mktemp("tree")
    for patient, changes in (("P1", LATIN), ("P2", dict.fromkeys(REMOVED))):
        for volume, date in ((sample_template, "20240301"), (sample_followup, "20240403")):
            header = SeriesHeader(patient, date, 3, "Abdomen 3.0", changes=changes)
            write_series(root / patient / date, coarse(volume), header)
    return root


@pytest.fixture(scope="module")
def study(
    tree: Path,
    sample_landmarks: LandmarkSet,
    small_study: Path,
    run_study: Callable[..., StudyOutcome],
    tmp_path_factory: pytest.TempPathFactory,
) -> StudyOutcome:
    """The study of the tree and of one scan that is no DICOM; P1 has a landmark that no scan shows."""
    landmarks = tmp_path_factory.mktemp("landmarks")
    labels, points = list(sample_landmarks.labels), sample_landmarks.positions_lps
    write_markups(landmarks / "P1.mrk.json", [*labels, OUTSIDE], np.vstack([points, [0, 0, 5000]]))
    write_markups(landmarks / "P2.mrk.json", labels[:3], points[:3])
    plan = plan_dicom_study(index_dicom_tree(tree), landmarks)
    other = read_manifest(small_study).plan.patients[0]
    other = replace(other, follow_ups=other.follow_ups[:1])
    return run_study(StudyPlan((*plan.patients, other), plan.rule), tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def reports(study: StudyOutcome) -> StructuredReports:
    return write_structured_reports(study.folder)


def scan_of(study: StudyOutcome, patient: str) -> ScanOutcome:
    (scan,) = next(one.scans for one in study.patients if one.patient == patient)
    return scan


def report_of(study: StudyOutcome, patient: str) -> Path:
    return scan_file(study.folder, scan_of(study, patient).scan, ".sr.dcm")


def baseline_report_of(study: StudyOutcome, patient: str) -> Path:
    return study.folder / patient / "2024-03-01 Abdomen 3.0.sr.dcm"


def source_files(scan: StudyScan) -> list[Path]:
    return [scan.path / file for file in scan.files]


# ---- what is in a report


def test_each_dicom_scan_has_a_report_with_its_points(
    study: StudyOutcome, reports: StructuredReports
) -> None:
    expected = {
        baseline_report_of(study, "P1"),
        report_of(study, "P1"),
        baseline_report_of(study, "P2"),
        report_of(study, "P2"),
    }
    assert set(reports.files) == expected
    for patient in ("P1", "P2"):
        computed = {item.label: item.position_lps for item in scan_of(study, patient).items if item.usable}
        told = points(report_of(study, patient))
        assert len(told) >= 3
        assert told == {label: pytest.approx(point, abs=1e-3) for label, point in computed.items()}


def test_a_baseline_has_a_report_with_the_landmarks_as_given(
    study: StudyOutcome, reports: StructuredReports, sample_landmarks: LandmarkSet
) -> None:
    told = points(baseline_report_of(study, "P1"))
    assert told.pop(OUTSIDE) == pytest.approx([0, 0, 5000])
    assert told == {mark.label: pytest.approx(mark.position_lps, abs=1e-3) for mark in sample_landmarks}


def test_points_lie_in_the_frame_of_reference_of_their_own_scan(
    study: StudyOutcome, reports: StructuredReports
) -> None:
    scan = scan_of(study, "P1").scan
    frame = dcmread(source_files(scan)[0], stop_before_pixels=True).FrameOfReferenceUID
    groups = content(report_of(study, "P1")).get_planar_roi_measurement_groups()
    assert {group.roi.frame_of_reference_uid for group in groups} == {frame}


def test_a_landmark_has_one_tracking_uid_through_all_scans_and_exports(
    study: StudyOutcome, reports: StructuredReports, tmp_path: Path
) -> None:
    first, later = tracking_uids(baseline_report_of(study, "P1")), tracking_uids(report_of(study, "P1"))
    assert first == later
    assert len(set(first.values())) == len(first) == 21
    of_other_patient = tracking_uids(report_of(study, "P2"))
    assert of_other_patient.keys() < first.keys()
    assert not set(of_other_patient.values()) & set(first.values())
    again = write_structured_reports(study.folder, tmp_path)
    by_name = {file.relative_to(tmp_path): tracking_uids(file) for file in again.files}
    assert by_name == {file.relative_to(study.folder): tracking_uids(file) for file in reports.files}


def test_two_exports_are_two_instances(
    study: StudyOutcome, reports: StructuredReports, tmp_path: Path
) -> None:
    files = (*reports.files, *write_structured_reports(study.folder, tmp_path).files)
    assert len({dcmread(file).SOPInstanceUID for file in files}) == len(files)


def test_confidence_status_and_cycle_distance_are_told(
    study: StudyOutcome, reports: StructuredReports
) -> None:
    items = {item.label: item for item in scan_of(study, "P1").items}
    for group in content(report_of(study, "P1")).get_planar_roi_measurement_groups():
        item = items[group.tracking_identifier]
        measured = {one.name.meaning: (one.value, one.unit.value) for one in group.get_measurements()}
        assert measured == {
            "Certainty of Finding": (pytest.approx(100 * item.confidence, abs=0.01), "%"),
            "Distance after matching there and back": (pytest.approx(item.cycle_error_mm, abs=0.001), "mm"),
        }
        statuses = [
            one.value.value for one in group.get_qualitative_evaluations() if one.name.value == "STATUS"
        ]
        assert statuses == [item.status]


def test_a_missing_landmark_is_told_with_its_reason_and_without_a_point(
    study: StudyOutcome, reports: StructuredReports
) -> None:
    (item,) = (item for item in scan_of(study, "P1").items if item.label == OUTSIDE)
    assert (item.status, item.position_lps) == ("MISSING", None)
    (group,) = (
        group
        for group in content(report_of(study, "P1")).get_image_measurement_groups()
        if group.tracking_identifier == OUTSIDE
    )
    assert [one.value.value for one in group.get_qualitative_evaluations() if one.name.value == "STATUS"] == [
        "MISSING"
    ]
    comments = [one.TextValue for one in group[0].ContentSequence if one.name.meaning == "Comment"]
    assert comments == [item.reason]


def test_the_report_tells_by_what_the_points_were_found(
    study: StudyOutcome, reports: StructuredReports
) -> None:
    model = scan_of(study, "P1").provenance["model"]
    found, given = (
        read(study, "P1").read_bytes().decode("latin-1") for read in (report_of, baseline_report_of)
    )
    assert f"{__version__}, model {model['version']}" in found
    assert model["sha256"] in found
    assert "Device Observer Name" in given
    assert model["sha256"] not in given


@pytest.mark.parametrize("patient", ["P1", "P2"])
def test_patient_and_study_are_those_of_the_scan(
    study: StudyOutcome, reports: StructuredReports, patient: str
) -> None:
    files = source_files(scan_of(study, patient).scan)
    report, source = dcmread(report_of(study, patient)), dcmread(files[0], stop_before_pixels=True)
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate"):
        assert report[keyword].value == source[keyword].value
    assert report.SeriesInstanceUID != source.SeriesInstanceUID
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = evidence.ReferencedSeriesSequence
    images = {item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence}
    assert images == {dcmread(file, stop_before_pixels=True).SOPInstanceUID for file in files}


# ---- what validators say


def errors_of(tool: str, *files: Path) -> list[str]:
    """The lines of a program of dicom3tools about errors."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} of dicom3tools is not installed")
    told = subprocess.run([tool, *files], capture_output=True, check=False)
    lines = (told.stdout + told.stderr).decode(errors="replace").splitlines()
    assert not [line for line in lines if line.startswith("Abort")]
    return [line for line in lines if line.startswith("Error")]


def test_reports_are_valid(reports: StructuredReports) -> None:
    for file in reports.files:
        assert errors_of("dciodvfy", file) == []


def test_the_validator_sees_what_is_wrong(reports: StructuredReports, tmp_path: Path) -> None:
    report = dcmread(reports.files[0])
    del report.CompletionFlag
    report.save_as(tmp_path / "wrong.dcm")
    assert errors_of("dciodvfy", tmp_path / "wrong.dcm")


def test_a_report_in_plain_letters_agrees_with_its_images_to_the_byte(
    study: StudyOutcome, reports: StructuredReports
) -> None:
    images = source_files(scan_of(study, "P2").scan)[:2]
    assert errors_of("dcentvfy", *images, report_of(study, "P2")) == []


# ---- scans without a report


def test_a_scan_that_was_no_dicom_is_named_and_does_not_stop_the_others(reports: StructuredReports) -> None:
    baseline, follow_up = reports.excluded
    assert baseline.what.endswith("-baseline")
    assert "it was not read from DICOM but from" in follow_up.reason
    assert follow_up.reason.endswith(".nrrd")


def test_the_command_writes_and_tells(study: StudyOutcome, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["export", str(study.folder), "--dicom-sr", "--output", str(tmp_path)])
    assert done.exit_code == 0
    files = list(map(Path, done.stdout.splitlines()))
    assert len(files) == 4
    assert all(tmp_path in file.parents and len(points(file)) >= 3 for file in files)
    assert "No report about" in done.stderr
    assert "it was not read from DICOM" in done.stderr


def test_the_command_fails_where_no_scan_was_dicom(undisturbed: StudyOutcome) -> None:
    done = CliRunner().invoke(app, ["export", str(undisturbed.folder), "--dicom-sr"])
    assert (done.exit_code, done.stdout) == (1, "")
    scans = len(undisturbed.plan) + len(undisturbed.patients)
    assert done.stderr.count("it was not read from DICOM") == scans


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "model.pt", "--dicom-sr"], "FILE (model.pt) is of a training run"),
        (["run", "--dicom-sr", "--version", "2"], "--version is of a training run"),
        (["run"], "Give the model FILE for a training run, or --dicom-sr"),
        (["run", "model.pt", "--output", "dir"], "--output goes with --dicom-sr"),
        (["run", "--dicom-sr"], "run holds no study"),
    ],
)
def test_wrong_usage_says_what_to_do(arguments: list[str], told: str) -> None:
    done = CliRunner().invoke(app, ["export", *arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())


def test_the_command_of_a_study_writes_what_the_old_form_writes(study: StudyOutcome, tmp_path: Path) -> None:
    old = CliRunner().invoke(app, ["export", str(study.folder), "--dicom-sr", "-o", str(tmp_path / "a")])
    new = CliRunner().invoke(
        app, ["study", "export", str(study.folder), "--dicom-sr", "-o", str(tmp_path / "b")]
    )
    assert (old.exit_code, new.exit_code) == (0, 0)
    assert [name.replace("/a/", "/b/") for name in old.stdout.splitlines()] == new.stdout.splitlines()
    nothing = CliRunner().invoke(app, ["study", "export", str(study.folder)], env={"COLUMNS": "200"})
    assert nothing.exit_code == 2 and "Give --dicom-sr" in nothing.stderr


def test_a_folder_without_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no study"):
        write_structured_reports(tmp_path)


def test_images_that_have_changed_get_no_report(
    study: StudyOutcome, reports: StructuredReports, tmp_path: Path
) -> None:
    (baseline, follow_up) = (study.patients[1].plan.templates[0].scan, scan_of(study, "P2").scan)
    changed = [source_files(baseline)[0], source_files(follow_up)[-1]]
    before = [file.read_bytes() for file in changed]
    try:
        for file, content in zip(changed, before, strict=True):
            file.write_bytes(content[:-2] + b"\1\1")
        again = write_structured_reports(study.folder, tmp_path)
    finally:
        for file, content in zip(changed, before, strict=True):
            file.write_bytes(content)
    assert {file.parent.name for file in again.files} == {"P1"}
    reasons = {item.what: item.reason for item in again.excluded}
    assert (
        reasons[baseline.key]
        == reasons[follow_up.key]
        == "its images have changed since the landmarks were found"
    )


# ---- the source of a scan
