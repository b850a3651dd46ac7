"""What a study that is run again computes: only what has changed, and never over a reader's corrections."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from dicom_files import SeriesHeader, write_series
from study_states import attempts, states, table

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.study.inputs import InputState, files_of_scan, is_unchanged
from SAMLandmarkLib.study.ledger import Entry, Ledger, State
from SAMLandmarkLib.study.plan import StudyScan

SCOUT = SeriesHeader(number=1, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))


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


def test_what_lies_beside_a_series_is_no_change_and_is_not_read_again(tmp_path):
    volume = Volume(np.arange(6 * 8 * 8).reshape(6, 8, 8), np.diag([2.0, 2.0, 3.0, 1.0]))
    slices = write_series(tmp_path, volume)
    scan = StudyScan("Anna", "june", tmp_path)
    before = InputState.of_scan(scan)
    (tmp_path / "notes.txt").write_text("no image")
    write_series(tmp_path, Volume(volume.array[:4], volume.ijk_to_lps), SCOUT, name="scout{}")
    assert files_of_scan(scan) == slices
    after = InputState.of_scan(scan)
    assert after.sha256 == before.sha256
    assert is_unchanged(scan, before.sha256)
    # that something has come is seen without opening a file
    assert after.stamp != before.stamp
    # up to version 0.3 all that lay there counted
    assert is_unchanged(scan, InputState.of(sorted(tmp_path.iterdir())).sha256)
    slices[0].write_bytes(slices[0].read_bytes()[:-2] + b"\1\1")
    assert InputState.of_scan(scan).sha256 != before.sha256
    assert not is_unchanged(scan, before.sha256)


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
    assert resumed(max_memory=2**30, threads=2) == set()


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
