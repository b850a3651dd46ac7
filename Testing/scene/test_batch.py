"""A study run inside Slicer on a folder of volumes, and its scans opened for review, on real MRML and the real engine."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scene_steps import LABELS, error_mm, fill, wait_for

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.registration.files import write_image
from SAMLandmarkLib.review import Decision
from SAMLandmarkLib.session import Change, TransferSession
from SAMLandmarkLib.study.batch_description import BatchScans
from SAMLandmarkLib.study.batch_job import TEMPLATE_FOLDER
from SAMLandmarkLib.study.ledger import State
from SAMLandmarkLib.study.outcome import StudyOutcome
from SAMLandmarkLib.utils.errors import UsageError

NEAR_MM = 6.0
SECONDS = 600.0
"""How long a study may take, whose process starts two more, on a busy machine."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory, scans) -> Path:
    """Two scans of Ann, one of Bob that is no volume, as files."""
    root = tmp_path_factory.mktemp("patients")
    for name in ("May", "June"):
        array, ijk_to_lps, _date = scans[name]
        (root / "Ann").mkdir(exist_ok=True)
        write_image(root / "Ann" / f"{name}.nrrd", Volume(array, ijk_to_lps, name=name))
    (root / "Bob").mkdir()
    (root / "Bob" / "broken.nii.gz").write_bytes(b"no volume at all")
    return root


@pytest.fixture
def planned(scene, session, scans, places) -> TransferSession:
    """A session with a template and its points, and no follow-ups."""
    fill(scene, {"April": scans["April"]}, places)
    session.set_template(scene.GetFirstNodeByName("April"), scene.GetFirstNodeByName("Landmarks"))
    return session


@pytest.fixture(scope="session")
def finished(_another_slicer_like, worker, scans, places, folder, tmp_path_factory) -> Path:
    """The folder of a study that has run to its end from another scene, which is closed now."""
    scene, output = _another_slicer_like.scene, tmp_path_factory.mktemp("study") / "results"
    fill(scene, {"April": scans["April"]}, places)
    session = TransferSession(scene, worker, "AB")
    session.set_template(scene.GetFirstNodeByName("April"), scene.GetFirstNodeByName("Landmarks"))
    session.batch.start(BatchScans(folder=str(folder)), output)
    fractions: list[float] = []
    wait_for(session, lambda: fractions.append(session.batch.fraction) or not session.batch.running, SECONDS)
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert session.batch.text.startswith("2 of 3 scans are done: ")
    session.close()
    scene.Clear(False)
    return output


def test_a_study_is_the_same_as_that_of_the_command_line(finished, folder):
    outcome = StudyOutcome.read(finished)
    states = {scan.scan.key: scan.state for patient in outcome.patients for scan in patient.scans}
    assert states == {"Ann/June": State.DONE, "Ann/May": State.DONE, "Bob/broken": State.FAILED}
    assert (finished / "study.csv").is_file() and (finished / "Ann" / "May.mrk.json").is_file()
    (template,) = (path for path in (finished / TEMPLATE_FOLDER).iterdir() if path.suffix == ".nrrd")
    assert template.name.startswith("April ")


def test_a_finished_scan_is_opened_beside_the_template_of_the_scene(planned, finished, truth):
    changes: list[Change] = []
    planned.batch.look_at(finished)
    wait_for(planned, lambda: len(planned.batch.scans) == 3)
    may, broken = (planned.batch.scans[key] for key in ("Ann/May", "Bob/broken"))
    assert may.done and may.found + may.doubtful + may.missing == len(LABELS)
    assert not broken.done and "broken.nii.gz" in broken.reason
    planned.add_listener(changes.append)
    template = planned.template_volume
    planned.batch.open("Ann/May")
    assert planned.batch.opening
    wait_for(planned, lambda: not planned.batch.opening)
    (column,) = planned.follow_ups
    assert Change.OPENED in changes and planned.template_volume is template
    assert column.name == "Ann May" and planned.current[0] == column.key
    for number, label in enumerate(LABELS):
        assert error_mm(planned, column, label, truth) < NEAR_MM
        item = planned.item(column.key, label)
        assert item.decision is Decision.OPEN and not planned.is_outdated(column.key, label)
        shown = column.markups_node.GetNthControlPointPositionWorld(number)
        np.testing.assert_allclose(np.array(shown) * (-1, -1, 1), item.position_lps, atol=1e-3)
    assert planned.error_limit_mm(column.key) == 10.0


def test_a_scan_that_was_reviewed_is_opened_again_as_it_was_left(planned, finished):
    planned.batch.look_at(finished)
    for _time in range(2):
        planned.batch.open("Ann/June")
        wait_for(planned, lambda: not planned.batch.opening)
        (column,) = planned.follow_ups
        planned.accept(column.key, LABELS[0])
    assert planned.item(column.key, LABELS[0]).decision is Decision.ACCEPTED
    planned.batch.open("Ann/May")
    wait_for(planned, lambda: not planned.batch.opening)
    assert [column.name for column in planned.follow_ups] == ["Ann June", "Ann May"]


def test_in_an_empty_scene_the_template_is_loaded_with_it(session, finished, places):
    session.batch.look_at(finished)
    session.batch.open("Ann/May")
    wait_for(session, lambda: not session.batch.opening)
    assert session.template_volume.GetName().startswith("April ")
    assert session.labels == LABELS and session.counts["total"] == len(LABELS)
    place = np.array(session.template_markups.GetNthControlPointPositionWorld(0)) * (-1, -1, 1)
    np.testing.assert_allclose(place, places[LABELS[0]], atol=1e-3)


def test_a_scan_without_results_is_not_opened_and_said(session, finished):
    session.batch.look_at(finished)
    session.batch.open("Bob/broken")
    wait_for(session, lambda: not session.batch.opening)
    assert session.follow_ups == () and "broken.nii.gz" in session.message


def test_a_study_that_is_done_is_gone_on_with_and_nothing_computed_again(planned, finished, folder, tmp_path):
    output = shutil.copytree(finished, tmp_path / "results")
    before = (output / "Ann" / "May.json").stat().st_mtime_ns
    planned.batch.start(BatchScans(folder=str(folder)), output)
    with pytest.raises(UsageError, match="A study is running"):
        planned.batch.start(BatchScans(folder=str(folder)), output)
    wait_for(planned, lambda: not planned.batch.running, SECONDS)
    assert planned.batch.text.startswith("2 of 3 scans are done: ")
    assert (output / "Ann" / "May.json").stat().st_mtime_ns == before


def test_a_study_is_canceled_while_it_plans_and_while_it_runs(planned, folder, tmp_path):
    planned.batch.start(BatchScans(folder=str(folder)), tmp_path / "early")
    planned.batch.cancel()
    assert not planned.batch.running and planned.batch.text == "Canceled."
    planned.batch.start(BatchScans(folder=str(folder)), tmp_path / "late")
    wait_for(planned, lambda: "of 3 scans" in planned.batch.text, SECONDS)
    planned.batch.cancel()
    assert planned.batch.stopping
    wait_for(planned, lambda: not planned.batch.running, SECONDS)
    assert planned.batch.text == "Stopped; Run goes on."
    assert not [scan for scan in planned.batch.scans.values() if scan.state is State.RUNNING]


def test_what_is_missing_or_wrong_is_told(session, planned, folder, tmp_path):
    planned.batch.start(BatchScans(folder=str(tmp_path)), tmp_path / "results")
    wait_for(planned, lambda: not planned.batch.running, SECONDS)
    assert "holds no other volume than the template" in planned.batch.text
    planned.set_template(None, None)
    with pytest.raises(UsageError, match="Choose the template volume"):
        planned.batch.start(BatchScans(folder=str(folder)), tmp_path / "results")
