"""Named landmarks of a protocol without a template: found, reviewed, saved, exported, on real MRML and the real engine."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scene_steps import TIMEOUT, fill, wait_for

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.embedding.atlas_file import write_atlas_file
from SAMLandmarkLib.engine.atlas_build import MarkedScan, build_atlas
from SAMLandmarkLib.registration.files import write_image
from SAMLandmarkLib.review import Decision
from SAMLandmarkLib.scene.points import read_points
from SAMLandmarkLib.session import TransferSession
from SAMLandmarkLib.session.review_actions import ReviewActions
from SAMLandmarkLib.study.batch_description import BatchScans
from SAMLandmarkLib.study.outcome import StudyOutcome

NEAR_MM = 6.0
ATTRIBUTION = "The patient of the sample"


@pytest.fixture(scope="session")
def protocol(engine, scans, places, tmp_path_factory) -> str:
    """An atlas file of one patient, April, with the landmarks inside it."""
    array, ijk_to_lps, _date = scans["April"]
    volume = Volume(array, ijk_to_lps, "April")
    inside = {label: place for label, place in places.items() if volume.contains_lps(place)}
    points = LandmarkSet.from_points(list(inside), np.array(list(inside.values())))
    path = tmp_path_factory.mktemp("atlas") / "mine.safetensors"
    marked = MarkedScan(engine.embed(volume), points, licence="CC0", attribution=ATTRIBUTION)
    write_atlas_file(path, build_atlas(engine, "mine", [marked]))
    return str(path)


@pytest.fixture
def follow_ups(scene, scans, places) -> list:
    """May and June in the scene, without the scan of the template."""
    fill(scene, {name: scans[name] for name in ("May", "June")}, places)
    return [scene.GetFirstNodeByName(name) for name in ("May", "June")]


@pytest.fixture
def located(session, follow_ups, protocol, worker) -> TransferSession:
    """A session that has found the landmarks of the protocol in both scans."""
    session.set_protocol(protocol)
    assert session.blocking_reason == "Choose at least one follow-up volume."
    session.set_follow_ups(follow_ups)
    assert session.blocking_reason == ""
    session.transfer()
    assert worker.wait(TIMEOUT)
    return session


def test_landmarks_appear_as_markups_with_status_and_confidence(located, follow_ups, truth):
    assert located.template_volume is None and located.template_markups is None
    assert len(located.labels) > 3 and not located.transferring
    for scan in located.follow_ups:
        items = [located.item(scan.key, label) for label in located.labels]
        assert all(item is not None and item.template_lps is None for item in items)
        assert not any(located.is_outdated(scan.key, label) for label in located.labels)
        found = [item for item in items if item.status == "FOUND"]
        assert found and all(item.confidence > 0.5 for item in found)
        shown = {
            point.label: point.position_lps for point in read_points(scan.markups_node, scan.volume_node)
        }
        for item in found:
            assert np.allclose(shown[item.label], item.position_lps, atol=1e-3)
    may = located.follow_ups[0]
    errors = [
        np.linalg.norm(np.array(item.position_lps) - truth[item.label])
        for item in located.state.items(may.key).values()
        if item.status == "FOUND"
    ]
    assert np.median(errors) < NEAR_MM
    # the one that needs the user's eyes most is looked at
    assert located.current is not None


def test_they_are_reviewed_undone_and_redone_like_any_others(located):
    key, label = located.current
    located.correct(key, label, (1.0, 2.0, 3.0))
    assert located.item(key, label).decision is Decision.CORRECTED
    located.undo()
    assert located.item(key, label).decision is Decision.OPEN
    located.redo()
    reasons = ReviewActions(located).blocking_reasons()
    assert not reasons["set_missing"] and not reasons["next_doubtful"]
    assert "no template" in reasons["heat_map"] and "no template" in reasons["corrections"]


def test_what_the_user_decided_survives_when_they_are_found_again(located, worker):
    key, label = located.current
    located.correct(key, label, (1.0, 2.0, 3.0))
    # a correction helps nothing here, and asks for nothing
    located.use_corrections = True
    located.correct(key, label, (2.0, 2.0, 3.0))
    assert not located.busy
    located.transfer()
    assert worker.wait(TIMEOUT)
    assert located.item(key, label).position_lps == (2.0, 2.0, 3.0)


def test_live_transfer_leaves_the_results_alone(located):
    labels = located.labels
    located.live = True
    assert located.labels == labels and located.counts["total"] == 2 * len(labels)


def test_another_scan_joins_without_a_loss(session, follow_ups, protocol, worker):
    session.set_protocol(protocol)
    session.set_follow_ups(follow_ups[:1])
    session.transfer()
    session.set_follow_ups(follow_ups)
    assert worker.wait(TIMEOUT)
    assert session.counts["total"] == len(session.labels) > 0
    session.transfer()
    assert worker.wait(TIMEOUT)
    assert session.counts["total"] == 2 * len(session.labels)


def test_a_review_is_saved_and_taken_up(located, scene, worker, protocol, tmp_path):
    key, label = located.current
    located.set_missing(key, label)
    counts, path = located.counts, str(tmp_path / "named.mrb")
    assert scene.WriteToMRB(path, None)
    located.close()
    scene.Clear(False)
    assert scene.ReadFromMRB(path, True)
    again = TransferSession(scene, worker, "AB")
    assert again.restore()
    assert again.protocol == protocol and again.counts == counts
    assert again.item(key, label).decision is Decision.SET_MISSING
    assert len(again.follow_ups) == 2
    again.close()


def test_template_and_protocol_have_reviews_of_their_own(session, case, protocol, worker):
    session.set_template(case.april, case.markups)
    session.set_follow_ups([case.may])
    session.set_protocol(protocol)
    assert session.template_volume is None and [scan.volume_node for scan in session.follow_ups] == [case.may]
    session.transfer()
    assert worker.wait(TIMEOUT)
    total = session.counts["total"]
    session.set_template(case.april, case.markups)
    assert session.protocol == "" and session.counts["total"] == 0
    session.set_protocol(protocol)
    assert session.counts["total"] == total > 0


def test_a_protocol_that_there_is_not_is_told(session, follow_ups, worker):
    session.set_protocol("knee")
    session.set_follow_ups(follow_ups[:1])
    session.transfer()
    assert worker.wait(TIMEOUT)
    assert any("There is no protocol 'knee'" in str(message) for message in session.messages)
    assert session.counts["total"] == 0 and not session.busy


@pytest.mark.parametrize("in_background", [False, True])
def test_they_are_exported_without_a_template(located, tmp_path, in_background):
    if in_background:
        located.exports.start(tmp_path)
        wait_for(located, lambda: located.exports.end is not None)
        assert located.exports.end.problem == ""
    else:
        located.export(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.mrk.json")) == ["June.mrk.json", "May.mrk.json"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "atlas mine" in page and ATTRIBUTION in page and "template, axial" not in page
    rows = list(csv.DictReader((tmp_path / "review.csv").open(encoding="utf-8")))
    assert len(rows) == 2 * len(located.labels) and {row["template_x_lps"] for row in rows} == {""}


def test_a_batch_is_run_and_its_scans_are_reviewed(session, scans, protocol, tmp_path):
    array, ijk_to_lps, _date = scans["May"]
    folder, output = tmp_path / "Ann", tmp_path / "results"
    folder.mkdir()
    write_image(folder / "May.nrrd", Volume(array, ijk_to_lps, name="May"))
    session.set_protocol(protocol)
    assert session.batch.blocking_reason == ""
    session.batch.start(BatchScans(folder=str(folder)), output)
    wait_for(session, lambda: not session.batch.running, 600.0)
    assert StudyOutcome.read(output).settings["protocol"] == "mine"
    session.set_template(None, None)
    session.batch.look_at(output)
    wait_for(session, lambda: "Ann/May" in session.batch.scans)
    session.batch.open("Ann/May")
    wait_for(session, lambda: not session.batch.opening)
    assert session.protocol == str(Path(protocol)) and session.template_volume is None
    assert session.counts["total"] == len(session.labels) > 3
    assert session.current is not None
