"""A study gives each scan its result or its reason, and computes again only what has changed."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SAMLandmarkLib.errors import SAMLandmarkError, UsageError
from SAMLandmarkLib.landmarks import LandmarkSet
from SAMLandmarkLib.study.inputs import InputState, files_of_scan
from SAMLandmarkLib.study.jobs import Job
from SAMLandmarkLib.study.ledger import Entry, Ledger, State
from SAMLandmarkLib.study.manifest import read_manifest
from SAMLandmarkLib.study.outcome import StudyOutcome
from SAMLandmarkLib.study.output_folder import study_lock
from SAMLandmarkLib.study.plan import PatientPlan, StudyPlan, StudyScan, Template, keeping_names
from SAMLandmarkLib.volume import Volume


def table(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "study.csv").read_text().splitlines()))


def attempts(folder: Path) -> dict[str, int]:
    with Ledger.read(folder) as ledger:
        return {key: entry.attempts for key, entry in ledger.entries().items()}


def states(folder: Path) -> dict[str, tuple[State, str]]:
    with Ledger.read(folder) as ledger:
        return ledger.states()


def appended(manifest: Path, *lines: str) -> Path:
    manifest.write_text(manifest.read_text() + "".join(f"{line}\n" for line in lines))
    return manifest


def test_every_scan_has_what_transfer_writes_for_it(undisturbed, engine):
    patient = undisturbed.patients[1]
    scan = patient.plan.follow_ups[2]
    template = patient.plan.templates[0]
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


@pytest.fixture
def resumed(own_study, run_study, tmp_path):
    """A function that changes something after a first run and returns which scans the second run computed."""

    def resume(change=lambda folder, output: None, **settings) -> set[str]:
        output = tmp_path / "out"
        run_study(own_study, output)
        change(own_study.parent, output)
        run_study(own_study, output, resume=True, **settings)
        assert {state for state, _ in states(output).values()} == {State.DONE}
        return {key for key, count in attempts(output).items() if count > 1}

    return resume


FIRST = {"patient-001/patient-001-followup-001", "patient-001/patient-001-followup-002"}
SECOND = {"patient-002/patient-002-followup-001", "patient-002/patient-002-followup-002"}


def test_nothing_is_computed_where_nothing_has_changed(resumed):
    assert resumed() == set()


def test_another_time_of_a_file_alone_is_no_change(resumed):
    assert resumed(lambda folder, output: [os.utime(file, (1, 1)) for file in folder.iterdir()]) == set()


def test_what_a_file_browser_leaves_in_a_series_is_no_change(tmp_path):
    scan = StudyScan("Anna", "june", tmp_path)
    (tmp_path / "IM0001").write_bytes(b"slice")
    before = InputState.of(files_of_scan(scan))
    (tmp_path / ".DS_Store").write_bytes(b"where the icons are")
    assert InputState.of(files_of_scan(scan)) == before
    (tmp_path / "IM0002").write_bytes(b"slice")
    assert InputState.of(files_of_scan(scan)).sha256 != before.sha256


def test_changed_landmarks_concern_their_patient(resumed):
    def move_a_point(folder: Path, output: Path) -> None:
        points = folder / "patient-002.mrk.json"
        document = json.loads(points.read_text())
        document["markups"][0]["controlPoints"][0]["position"][0] += 1.0
        points.write_text(json.dumps(document))

    assert resumed(move_a_point) == SECOND


def test_a_changed_scan_is_computed_again(resumed):
    def replace(folder: Path, output: Path) -> None:
        shutil.copy(folder / "patient-001-followup-001.nrrd", folder / "patient-001-followup-002.nrrd")

    assert resumed(replace) == {"patient-001/patient-001-followup-002"}


def test_other_settings_concern_all(resumed):
    assert resumed(profile="fast") == FIRST | SECOND


def test_settings_that_change_no_result_concern_nothing(resumed):
    assert resumed(max_memory=2**30, threads=1) == set()


def test_lost_and_damaged_results_are_made_again(resumed):
    def spoil(folder: Path, output: Path) -> None:
        (output / "patient-001" / "patient-001-followup-001.mrk.json").unlink()
        (output / "patient-002" / "patient-002-followup-002.json").write_text("{}")

    assert resumed(spoil) == {
        "patient-001/patient-001-followup-001",
        "patient-002/patient-002-followup-002",
    }


def test_markups_that_a_reader_has_corrected_are_kept(resumed, tmp_path):
    corrected = tmp_path / "out" / "patient-001" / "patient-001-followup-001.mrk.json"
    text = []

    def correct(folder: Path, output: Path) -> None:
        text.append(corrected.read_text().replace('"defined"', '"defined" ', 1))
        corrected.write_text(text[0])

    assert resumed(correct) == set()
    assert corrected.read_text() == text[0]


def test_corrected_markups_are_put_aside_where_the_scan_is_computed_again(resumed, tmp_path):
    folder = tmp_path / "out" / "patient-001"
    markups = folder / "patient-001-followup-001.mrk.json"
    text = []

    def correct(_folder: Path, output: Path) -> None:
        text.append(markups.read_text().replace('"defined"', '"defined" ', 1))
        markups.write_text(text[0])

    assert resumed(correct, profile="fast") == FIRST | SECOND
    assert (folder / "patient-001-followup-001.edited-1.mrk.json").read_text() == text[0]
    assert markups.read_text() != text[0]
    assert len(list(folder.glob("*.edited-*"))) == 1


def test_markups_of_a_run_that_died_before_it_recorded_them_are_nobodys_corrections(
    own_study, run_study, tmp_path, monkeypatch
):
    real_end, ended = Ledger.end, []

    def end(ledger: Ledger, entry: Entry) -> None:
        ended.append(entry.key)
        if len(ended) == 2:
            raise KeyboardInterrupt
        real_end(ledger, entry)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Ledger, "end", end)
        run_study(own_study, tmp_path / "out")
    assert (tmp_path / "out" / f"{ended[1]}.mrk.json").is_file()
    run_study(own_study, tmp_path / "out", resume=True)
    assert {state for state, _ in states(tmp_path / "out").values()} == {State.DONE}
    assert not list((tmp_path / "out").rglob("*.edited-*"))


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


def test_a_folder_with_a_study_is_not_run_again_without_being_asked(own_study, run_study, tmp_path):
    run_study(own_study, tmp_path / "out")
    before = (tmp_path / "out" / "study.csv").read_bytes()
    with pytest.raises(UsageError, match="already holds a study.*--resume"):
        run_study(own_study, tmp_path / "out")
    assert (tmp_path / "out" / "study.csv").read_bytes() == before


def test_two_runs_never_share_a_folder(own_study, run_study, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    with study_lock(output), pytest.raises(UsageError, match="Another run is at work"):
        run_study(own_study, output)
    run_study(own_study, output)


def test_embeddings_are_computed_once_for_all_studies(own_study, run_study, tmp_path):
    cache = tmp_path / "cache"
    run_study(own_study, tmp_path / "first", cache_folder=cache)
    entries = {path.name: path.stat().st_ino for path in cache.glob("*.npz")}
    assert len(entries) == 6
    run_study(own_study, tmp_path / "second", cache_folder=cache, profile="fast")
    assert {path.name: path.stat().st_ino for path in cache.glob("*.npz")} == entries


def test_without_a_cache_nothing_is_kept_on_the_disk(own_study, run_study, tmp_path):
    run_study(own_study, tmp_path / "out", cache_folder=tmp_path / "cache", cache_limit_bytes=0)
    assert not list((tmp_path / "cache").glob("*.npz"))
    assert {state for state, _ in states(tmp_path / "out").values()} == {State.DONE}


def test_a_lost_document_is_a_failure_with_a_remedy_and_not_a_crash(own_study, run_study, tmp_path):
    run_study(own_study, tmp_path / "out")
    (tmp_path / "out" / "patient-001" / "patient-001-followup-001.json").write_text('{"targets": []}')
    lost, *others = [
        scan for patient in StudyOutcome.read(tmp_path / "out").patients for scan in patient.scans
    ]
    assert lost.state is State.FAILED
    assert "--resume" in lost.reason
    assert {scan.state for scan in others} == {State.DONE}


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"no ledger" * 999), lambda path: None])
def test_a_folder_without_a_study_is_told(tmp_path, spoil):
    with Ledger.write(tmp_path):
        pass
    spoil(tmp_path / "ledger.sqlite")
    with pytest.raises(SAMLandmarkError, match="damaged|has not begun"):
        StudyOutcome.read(tmp_path)
    with pytest.raises(UsageError, match="holds no study"):
        StudyOutcome.read(tmp_path / "elsewhere")


def test_a_ledger_of_another_version_is_refused(own_study, run_study, tmp_path):
    run_study(own_study, tmp_path / "out")
    with sqlite3.connect(tmp_path / "out" / "ledger.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(UsageError, match="another version of SAMLandmark"):
        run_study(own_study, tmp_path / "out", resume=True)


def test_a_worker_that_outlives_a_change_of_landmarks_carries_the_new_ones(resumed, tmp_path):
    def move_a_point(folder: Path, output: Path) -> None:
        points = folder / "patient-002.mrk.json"
        document = json.loads(points.read_text())
        document["markups"][0]["controlPoints"][0]["position"][0] += 3.0
        points.write_text(json.dumps(document))

    before = {}

    def remember_and_move(folder: Path, output: Path) -> None:
        before.update({(row["scan"], row["label"]): row["template_x_lps"] for row in table(output)})
        move_a_point(folder, output)

    assert resumed(remember_and_move) == SECOND
    moved = [
        float(row["template_x_lps"]) - float(before[row["scan"], row["label"]])
        for row in table(tmp_path / "out")
    ]
    assert sorted({round(step, 3) for step in moved}) == [0.0, 3.0]


def test_a_template_that_was_mended_is_used_by_the_same_worker(own_study, run_study, tmp_path):
    baseline = own_study.parent / "patient-001-baseline.nrrd"
    whole = baseline.read_bytes()
    baseline.write_bytes(whole[:200])
    run_study(own_study, tmp_path / "out")
    assert sum(state is State.SKIPPED for state, _ in states(tmp_path / "out").values()) == 2
    baseline.write_bytes(whole)
    run_study(own_study, tmp_path / "out", resume=True)
    assert {state for state, _ in states(tmp_path / "out").values()} == {State.DONE}


def test_files_that_are_no_results_are_never_overwritten(own_study, run_study, tmp_path):
    output = tmp_path / "out"
    sidecar = output / "patient-001" / "patient-001-followup-001.json"
    sidecar.parent.mkdir(parents=True)
    for path, content in (
        (output / "study.csv", own_study.read_text()),
        (output / "study.json", '{"a": 1}'),
        (sidecar, '{"Modality": "CT"}'),
    ):
        path.write_text(content)
        with pytest.raises(UsageError, match=f"{path.name} is not the result of a study"):
            run_study(own_study, output)
        assert path.read_text() == content
        path.unlink()
    run_study(own_study, output)
    run_study(own_study, output, resume=True)


def test_landmarks_are_never_taken_for_results(own_study, run_study, tmp_path):
    (patient,) = read_manifest(own_study).plan.patients[:1]
    landmarks = tmp_path / "out" / "patient-001" / "patient-001-followup-001.mrk.json"
    landmarks.parent.mkdir(parents=True)
    shutil.copy(patient.templates[0].landmarks, landmarks)
    templates = (Template(patient.templates[0].scan, landmarks),)
    plan = StudyPlan((PatientPlan(patient.patient, templates, patient.follow_ups),))
    with pytest.raises(UsageError, match="would be overwritten"):
        run_study(plan, tmp_path / "out")


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


def test_a_result_that_can_not_be_written_is_told_and_the_others_go_on(own_study, run_study, tmp_path):
    (first, *others) = read_manifest(own_study).plan.patients
    long = replace(first.follow_ups[0], name="x" * 250)
    plan = StudyPlan((replace(first, follow_ups=(long, *first.follow_ups[1:])), *others))
    run_study(plan, tmp_path / "out")
    found = states(tmp_path / "out")
    state, reason = found.pop(long.key)
    assert state is State.FAILED
    assert "name is too long" in reason
    assert {state for state, _ in found.values()} == {State.DONE}


@pytest.mark.parametrize("limit", [0, 2**30])
def test_a_cache_that_can_not_be_used_costs_nothing_but_the_cache(own_study, run_study, tmp_path, limit):
    (tmp_path / "file").write_text("")
    outcome = run_study(
        own_study, tmp_path / "out", cache_folder=tmp_path / "file" / "cache", cache_limit_bytes=limit
    )
    assert {scan.state for patient in outcome.patients for scan in patient.scans} == {State.DONE}
    notes = outcome.patients[-1].scans[-1].provenance["notes"]
    assert [note for note in notes if "not kept" in note] == notes
    assert bool(notes) == bool(limit)


def test_the_frame_of_csv_files_concerns_only_studies_that_have_some(own_study, run_study, tmp_path):
    plan = read_manifest(own_study).plan
    for patient, frame in ((plan.patients[0], "LPS"), (plan.patients[0], None)):
        assert Job.of(patient, patient.follow_ups[0], frame).csv_frame is None
    templates = (replace(plan.patients[0].templates[0], landmarks=Path("points.csv")),)
    assert (
        Job.of(
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


def test_what_a_killed_run_was_writing_is_removed(own_study, run_study, tmp_path):
    run_study(own_study, tmp_path / "out")
    left = tmp_path / "out" / "patient-001" / ".0123456789ab.mrk.json"
    left.write_text("half")
    users = tmp_path / "out" / "patient-001" / ".notes.json"
    users.write_text("mine")
    run_study(own_study, tmp_path / "out", resume=True)
    assert not left.exists()
    assert users.exists()
