"""An export holds what the user decided, in files that the library and Slicer read."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import slicer
from numpy.testing import assert_allclose

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.review import ReviewItem, ReviewState
from SAMLandmarkLib.scene.points import ScenePoint
from SAMLandmarkLib.scene.volumes import scan_key
from SAMLandmarkLib.session.export import ExportScan, write_export
from SAMLandmarkLib.utils.errors import OutputError, UsageError

LABELS = ("carina", "hilum", "apex", "nodule", "spine")
TEMPLATE = {label: (0.0, 0.0, float(number)) for number, label in enumerate(LABELS)}


@pytest.fixture
def template(add_volume) -> ExportScan:
    volume = add_volume("CT: April")
    return ExportScan(scan_key(volume), volume.GetName(), "2024-04-01", volume, {})


@pytest.fixture
def may(add_volume) -> ExportScan:
    volume = add_volume("May")
    return ExportScan(scan_key(volume), "May", None, volume, {"model": {"version": "7"}, "notes": []})


@pytest.fixture
def points() -> list[ScenePoint]:
    return [ScenePoint(label, label, place) for label, place in TEMPLATE.items()]


@pytest.fixture
def state(may) -> ReviewState:
    """A landmark each that is accepted, corrected, rejected, open and at another candidate."""
    place = (-5.0, 6.0, 110.0)
    items = [
        ReviewItem.of(
            label,
            "DOUBTFUL",
            0.4,
            reason="low similarity",
            template_lps=TEMPLATE[label],
            transferred_lps=place,
            position_lps=place,
            candidates=((place, 0.8), ((1.0, 1.0, 101.0), 0.7)),
            candidate_index=0,
        )
        for label in LABELS
    ]
    state = ReviewState().with_labels(LABELS).with_result(may.key, items).accept(may.key, "carina")
    state = state.correct(may.key, "hilum", (1.0, 2.0, 103.0)).reject(may.key, "apex")
    return state.next_candidate(may.key, "spine")


def rows_of(path) -> dict[str, dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return {row["label"]: row for row in csv.DictReader(file)}


def test_all_files_are_there(tmp_path, template, may, points, state):
    files = write_export(tmp_path / "new" / "folder", template, points, [may], state)
    assert [file.name for file in files] == [
        *("CT_ April.mrk.json", "May.mrk.json", "transfer.csv", "transfer.json"),
        *("review.csv", "review.json", "report.html"),
    ]
    assert all(file.stat().st_size for file in files)


def test_markups_hold_the_places_the_user_left(tmp_path, template, may, points, state, scene):
    write_export(tmp_path, template, points, [may], state)
    landmarks = LandmarkSet.read(tmp_path / "May.mrk.json")
    missing = (np.nan,) * 3
    expected = [(-5, 6, 110), (1, 2, 103), missing, (-5, 6, 110), (1, 1, 101)]
    assert landmarks.labels == LABELS
    assert_allclose(landmarks.positions_lps, expected)
    assert_allclose(LandmarkSet.read(tmp_path / "CT_ April.mrk.json").positions_lps, list(TEMPLATE.values()))
    storage = scene.AddNewNodeByClass("vtkMRMLMarkupsJsonStorageNode")
    storage.SetFileName(str(tmp_path / "May.mrk.json"))
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    assert storage.ReadData(node)
    assert_allclose(node.GetNthControlPointPosition(1), (-1, -2, 103))
    assert node.GetNthControlPointPositionStatus(2) == node.PositionMissing
    assert_allclose(slicer.util.arrayFromMarkupsControlPointData(node, "confidence"), [0.4] * 5)


def test_the_tables_tell_status_decision_and_reason(tmp_path, template, may, points, state):
    write_export(tmp_path, template, points, [may], state)
    transfer, review = rows_of(tmp_path / "transfer.csv"), rows_of(tmp_path / "review.csv")
    assert [transfer[label]["status"] for label in LABELS] == [
        *("FOUND", "FOUND", "MISSING", "DOUBTFUL", "DOUBTFUL")
    ]
    assert [transfer[label]["reason"] for label in LABELS[:3]] == [
        *("low similarity", "corrected by the user", "rejected by the user")
    ]
    assert [review[label]["decision"] for label in LABELS] == [
        *("ACCEPTED", "CORRECTED", "REJECTED", "OPEN", "OPEN")
    ]
    assert review["hilum"]["transferred_x_lps"] == "-5.000" and review["hilum"]["x_lps"] == "1.000"
    assert review["apex"]["x_lps"] == "" and review["apex"]["displacement_mm"] == ""
    assert float(review["hilum"]["displacement_mm"]) == pytest.approx(np.linalg.norm([1, 2, 102]), abs=1e-3)


def test_the_log_and_the_provenance_are_there(tmp_path, template, may, points, state):
    write_export(tmp_path, template, points, [may], state)
    assert ReviewState.from_json((tmp_path / "review.json").read_text(encoding="utf-8")) == state
    document = json.loads((tmp_path / "transfer.json").read_text(encoding="utf-8"))
    assert document["model"] == {"version": "7"}
    assert document["settings"]["review"]["corrected"] == 1
    assert document["targets"][0]["counts"] == {"FOUND": 2, "DOUBTFUL": 2, "MISSING": 1}


def test_positions_are_those_of_the_scans_own_file_whatever_transform_it_is_under(
    tmp_path, template, may, points, state, volume_transform
):
    may.node.SetAndObserveTransformNodeID(volume_transform.GetID() if volume_transform else None)
    write_export(tmp_path, template, points, [may], state)
    assert_allclose(LandmarkSet.read(tmp_path / "May.mrk.json").positions_lps[0], (-5, 6, 110))


def test_scans_of_one_name_get_different_files(tmp_path, template, may, points, state, add_volume):
    node = add_volume("may")
    other = ExportScan("other", "may", None, node, {})
    both = state.with_result("other", state.items(may.key).values())
    names = {file.name for file in write_export(tmp_path, template, points, [may, other], both)}
    assert {"May.mrk.json", "may_2.mrk.json"} <= names


def test_nothing_to_export_is_told(tmp_path, template, may, points):
    for scan, follow_ups in ((None, [may]), (template, []), (template, [may])):
        with pytest.raises(UsageError, match="transfer the landmarks first"):
            write_export(tmp_path / "never", scan, points, follow_ups, ReviewState())
    assert not (tmp_path / "never").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path, template, may, points, state):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="choose another"):
        write_export(tmp_path / "file", template, points, [may], state)
