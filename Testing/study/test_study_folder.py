"""What lies in a study's folder beside its results, and what can't be written there."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace

import pytest
from study_states import states

from SAMLandmarkLib.study.ledger import Ledger, State
from SAMLandmarkLib.study.manifest import read_manifest
from SAMLandmarkLib.study.outcome import StudyOutcome
from SAMLandmarkLib.study.output_folder import study_lock
from SAMLandmarkLib.study.plan import PatientPlan, StudyPlan, Template
from SAMLandmarkLib.utils.errors import SAMLandmarkError, UsageError


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


def test_results_that_can_not_be_written_are_told_and_the_others_go_on(own_study, run_study, tmp_path):
    plan = read_manifest(own_study).plan
    (first, *_others) = plan.patients
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / first.patient).write_text("where the folder of the patient should be")
    run_study(plan, tmp_path / "out")
    found = states(tmp_path / "out")
    for scan in first.follow_ups:
        state, reason = found.pop(scan.key)
        assert state is State.FAILED
        assert reason
    assert {state for state, _ in found.values()} == {State.DONE}


@pytest.mark.parametrize("name", ["study.csv", "study.json"])
def test_a_folder_where_a_table_belongs_is_not_a_result(own_study, run_study, tmp_path, name):
    (tmp_path / "out" / name).mkdir(parents=True)
    with pytest.raises(UsageError, match=f"{name} is not the result of a study and would be overwritten"):
        run_study(read_manifest(own_study).plan, tmp_path / "out")


def test_a_name_longer_than_files_may_have_is_cut_and_the_scan_is_done(own_study, run_study, tmp_path):
    (first, *others) = read_manifest(own_study).plan.patients
    long = replace(first.follow_ups[0], name="x" * 250)
    plan = StudyPlan((replace(first, follow_ups=(long, *first.follow_ups[1:])), *others))
    run_study(plan, tmp_path / "out")
    assert {state for state, _ in states(tmp_path / "out").values()} == {State.DONE}


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


def test_what_a_killed_run_was_writing_is_removed(own_study, run_study, tmp_path):
    run_study(own_study, tmp_path / "out")
    left = tmp_path / "out" / "patient-001" / ".0123456789ab.mrk.json"
    left.write_text("half")
    users = tmp_path / "out" / "patient-001" / ".notes.json"
    users.write_text("mine")
    run_study(own_study, tmp_path / "out", resume=True)
    assert not left.exists()
    assert users.exists()
