"""A study gives each scan its result or its reason, and computes again only what has changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from study_states import appended, attempts, states, table

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.study.inputs import files_of_scan
from SAMLandmarkLib.study.jobs import StudyJob
from SAMLandmarkLib.study.ledger import State
from SAMLandmarkLib.study.manifest import read_manifest
from SAMLandmarkLib.study.plan import PatientPlan, StudyPlan, StudyScan, keeping_names
from SAMLandmarkLib.utils.threads import torch_threads


def test_every_scan_has_what_transfer_writes_for_it(undisturbed, engine):
    patient = undisturbed.patients[1]
    scan = patient.plan.follow_ups[1]
    template = patient.plan.templates[0]
    # with as many threads as the study, since others add in another order
    with torch_threads(1):
        expected = engine.transfer(
            Volume.read(template.scan.path), LandmarkSet.read(template.landmarks), Volume.read(scan.path)
        )
    rows = [row for row in table(undisturbed.folder) if row["scan"] == scan.name]
    assert [(row["label"], row["status"]) for row in rows] == [
        (item.label, item.status.value) for item in expected
    ]
    found = [item.position_lps is not None for item in expected]
    places = np.array([[row[f"{axis}_lps"] or "nan" for axis in "xyz"] for row in rows], dtype=float)
    np.testing.assert_allclose(
        places[found], [item.position_lps for item in expected if item.position_lps is not None], atol=2e-3
    )
    folder = undisturbed.folder / patient.patient
    markups = LandmarkSet.read(folder / f"{scan.name}.mrk.json")
    np.testing.assert_allclose(markups.positions_lps[found], places[found], atol=2e-3)
    document = json.loads((folder / f"{scan.name}.json").read_text())
    assert document["format"] == "samlandmark-transfer"
    assert document["targets"][0]["inputs"]["target"]["sha256"]


def test_the_table_has_a_row_for_each_patient_scan_and_landmark_in_the_order_of_the_plan(undisturbed):
    expected = [
        (patient.patient, scan.name, scan.date, label)
        for patient in undisturbed.patients
        for scan in patient.plan.follow_ups
        for label in LandmarkSet.read(patient.plan.templates[0].landmarks).labels
    ]
    rows = table(undisturbed.folder)
    assert [(row["patient"], row["scan"], row["date"], row["label"]) for row in rows] == expected
    places = {
        (patient.patient, item.label): item.position_lps
        for patient in undisturbed.patients
        for item in LandmarkSet.read(patient.plan.templates[0].landmarks)
    }
    for row in rows:
        written = [float(row[f"template_{axis}_lps"]) for axis in "xyz"]
        assert written == pytest.approx(places[row["patient"], row["label"]], abs=1e-3)


def test_bad_scans_are_told_and_the_others_go_on(own_study, run_study, tmp_path):
    folder = own_study.parent
    (folder / "cut.nrrd").write_bytes((folder / "patient-001-followup-001.nrrd").read_bytes()[:4000])
    (folder / "text.nii.gz").write_text("no scan")
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((2, 9, 9), np.int16)), str(folder / "tiny.nrrd"))
    sitk.WriteImage(sitk.Image([9, 9, 9], sitk.sitkVectorUInt8, 3), str(folder / "colour.nrrd"))
    (folder / "empty-series").mkdir()
    bad = ("cut.nrrd", "text.nii.gz", "tiny.nrrd", "colour.nrrd", "empty-series", "gone.nrrd")
    appended(own_study, *(f"patient-001,follow-up,,{name}," for name in bad))
    output = tmp_path / "out"
    run_study(own_study, output)
    reasons = states(output)
    failed = {key: reason for key, (state, reason) in reasons.items() if state is State.FAILED}
    assert sorted(key.removeprefix("patient-001/") for key in failed) == sorted(
        ["cut", "text", "tiny", "colour", "empty-series", "gone"]
    )
    assert all(name.split(".")[0] in " ".join(failed.values()) for name in bad)
    assert sum(state is State.DONE for state, _ in reasons.values()) == 4
    rows = [row for row in table(output) if row["status"] == "FAILED"]
    assert {row["reason"] for row in rows} == set(failed.values())
    # they come out the same again, so they are not tried again
    before = attempts(output)
    run_study(own_study, output, resume=True)
    tried_again = {key for key, count in attempts(output).items() if count > before[key]}
    assert tried_again <= {"patient-001/gone"}


def test_a_scan_that_was_mended_is_done_by_resuming(own_study, run_study, tmp_path):
    scan = own_study.parent / "patient-002-followup-002.nrrd"
    whole = scan.read_bytes()
    scan.write_bytes(whole[: len(whole) // 2])
    run_study(own_study, tmp_path / "out")
    assert states(tmp_path / "out")["patient-002/patient-002-followup-002"][0] is State.FAILED
    scan.write_bytes(whole)
    run_study(own_study, tmp_path / "out", resume=True)
    assert {state for state, _ in states(tmp_path / "out").values()} == {State.DONE}
    assert set(attempts(tmp_path / "out").values()) == {1, 2}


def test_follow_ups_of_a_bad_template_are_skipped_with_the_reason(own_study, run_study, tmp_path):
    (own_study.parent / "patient-001-baseline.nrrd").write_bytes(b"NRRD0004\n")
    run_study(own_study, tmp_path / "out")
    skipped = [reason for state, reason in states(tmp_path / "out").values() if state is State.SKIPPED]
    assert len(skipped) == 2
    assert all("template can't be used" in reason and "baseline.nrrd" in reason for reason in skipped)
    assert sum(state is State.DONE for state, _ in states(tmp_path / "out").values()) == 2


def test_landmarks_that_lie_outside_their_template_are_no_template(own_study, run_study, tmp_path):
    points = own_study.parent / "patient-001.mrk.json"
    document = json.loads(points.read_text())
    for point in document["markups"][0]["controlPoints"]:
        point["position"] = [-5000.0, 0.0, 0.0]
    points.write_text(json.dumps(document))
    run_study(own_study, tmp_path / "out")
    skipped = [reason for state, reason in states(tmp_path / "out").values() if state is State.SKIPPED]
    assert len(skipped) == 2
    assert "lies inside" in skipped[0]


def test_a_study_that_has_grown_computes_what_is_new(own_study, run_study, tmp_path):
    whole = read_manifest(own_study).plan
    first, second = whole.patients
    run_study(StudyPlan((first,)), tmp_path / "out")
    run_study(whole, tmp_path / "out", resume=True)
    assert set(attempts(tmp_path / "out").values()) == {1}
    # and one that has shrunk forgets what is no longer in it
    run_study(StudyPlan((second,)), tmp_path / "out", resume=True)
    assert {row["patient"] for row in table(tmp_path / "out")} == {second.patient}


def test_one_template_goes_to_everybody(small_study, run_study, tmp_path):
    first, *others = read_manifest(small_study).plan.patients
    plan = StudyPlan(
        tuple(PatientPlan(other.patient, first.templates, other.follow_ups[:1]) for other in others)
    )
    outcome = run_study(plan, tmp_path / "out")
    assert {row["template"] for row in table(tmp_path / "out")} == {first.templates[0].scan.name}
    assert len(table(tmp_path / "out")) == len(others) * len(outcome.patients[0].labels)


def test_further_templates_of_a_patient_are_asked_together(small_study, run_study, tmp_path):
    first, second = read_manifest(small_study).plan.patients[:2]
    plan = StudyPlan((PatientPlan("both", (*first.templates, *second.templates), first.follow_ups[:1]),))
    outcome = run_study(plan, tmp_path / "out")
    provenance = outcome.patients[0].scans[0].provenance
    assert provenance["extra_templates"] == [second.templates[0].scan.name]


def test_a_template_that_was_mended_is_used_by_the_same_worker(own_study, run_study, tmp_path):
    baseline = own_study.parent / "patient-001-baseline.nrrd"
    whole = baseline.read_bytes()
    baseline.write_bytes(whole[:200])
    run_study(own_study, tmp_path / "out")
    assert sum(state is State.SKIPPED for state, _ in states(tmp_path / "out").values()) == 2
    baseline.write_bytes(whole)
    run_study(own_study, tmp_path / "out", resume=True)
    assert {state for state, _ in states(tmp_path / "out").values()} == {State.DONE}


def test_scans_keep_their_names_when_a_manifest_grows(small_study, tmp_path):
    (first, *_), folder = read_manifest(small_study).plan.patients, tmp_path
    old, new = (
        replace(scan, path=folder / place / "chest.nrrd", name=name)
        for scan, place, name in zip(first.follow_ups, ("may", "june"), ("may_chest", "chest"), strict=False)
    )
    earlier = StudyPlan((replace(first, follow_ups=(replace(old, name="chest"),)),))
    grown = keeping_names(StudyPlan((replace(first, follow_ups=(old, new)),)), earlier)
    assert [scan.name for scan in grown.patients[0].follow_ups] == ["chest", "chest_2"]
    assert grown.patients[0].templates == first.templates


def test_scans_that_leave_the_plan_and_come_back_are_not_computed_again(own_study, run_study, tmp_path):
    whole = read_manifest(own_study).plan
    run_study(whole, tmp_path / "out")
    run_study(StudyPlan(whole.patients[:1]), tmp_path / "out", resume=True)
    assert {row["patient"] for row in table(tmp_path / "out")} == {"patient-001"}
    run_study(whole, tmp_path / "out", resume=True)
    assert set(attempts(tmp_path / "out").values()) == {1}
    assert {row["patient"] for row in table(tmp_path / "out")} == {"patient-001", "patient-002"}


def test_the_frame_of_csv_files_concerns_only_studies_that_have_some(own_study, run_study, tmp_path):
    plan = read_manifest(own_study).plan
    for patient, frame in ((plan.patients[0], "LPS"), (plan.patients[0], None)):
        assert StudyJob.of(patient, patient.follow_ups[0], frame).csv_frame is None
    templates = (replace(plan.patients[0].templates[0], landmarks=Path("points.csv")),)
    assert (
        StudyJob.of(
            replace(plan.patients[0], templates=templates), plan.patients[0].follow_ups[0], "RAS"
        ).csv_frame
        == "RAS"
    )


def test_voxels_beside_their_header_are_part_of_a_scan(own_study, run_study, tmp_path):
    folder = own_study.parent
    image = sitk.ReadImage(str(folder / "patient-001-followup-001.nrrd"))
    sitk.WriteImage(image, str(folder / "scan.mhd"))
    (folder / "scan.raw").rename(folder / "voxels.bin")
    header = (folder / "scan.mhd").read_text().replace("scan.raw", "voxels.bin")
    (folder / "scan.mhd").write_text(header)
    (folder / "scan.mrk.json").write_text("{}")
    scan = StudyScan("A", "scan", folder / "scan.mhd")
    assert files_of_scan(scan) == [folder / "scan.mhd", folder / "voxels.bin"]
