"""Landmark files: the same points in LPS from every format and frame, and back to Slicer.

The files in `data/` were written by 3D Slicer 5.12: two defined points, an undefined and a missing one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from SAMLandmarkLib.core.landmarks import Landmark, LandmarkSet
from SAMLandmarkLib.io.landmark_files import write_markups
from SAMLandmarkLib.utils.errors import LandmarkError

PointListWriter = Callable[..., Path]
SLICER_FILES = Path(__file__).parent / "data"
LABELS = ("carina", "left hilum", "nodule")
POSITIONS_LPS = np.array([[-1.5, 15.25, -115.125], [40.0, 20.5, -120.0], [np.nan] * 3])


def write_text(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# ---- The same points from every file


@pytest.mark.parametrize("name", ["lps.mrk.json", "ras.mrk.json", "lps.fcsv", "ras.fcsv"])
def test_what_slicer_writes_is_read_in_either_frame(name: str) -> None:
    landmarks = LandmarkSet.read(SLICER_FILES / f"slicer-5.12-{name}")
    assert landmarks.labels == ('carina, "main"', "plain", "undef", "miss")
    assert [item.position_lps is None for item in landmarks] == [False, False, True, True]
    assert landmarks.positions_lps[:2].tolist() == [[-1.5, -2.0, -3.25], [-10.0, -20.0, 30.0]]
    assert landmarks[1].description == "a, b"


@pytest.mark.parametrize(
    ("frame", "expected"),
    [("LPS", [1, 2, 3]), ("1", [1, 2, 3]), (1, [1, 2, 3]), ("RAS", [-1, -2, 3]), ("0", [-1, -2, 3])],
)
def test_json_says_its_frame_by_name_or_number(
    write_point_lists: PointListWriter, frame: object, expected: list
) -> None:
    path = write_point_lists({"coordinateSystem": frame})
    assert LandmarkSet.read(path)[0].position_lps.tolist() == expected


def test_json_without_a_frame_is_in_lps_as_slicer_reads_it(tmp_path: Path) -> None:
    point = {"label": "carina", "position": [1, 2, 3]}
    document = {"markups": [{"type": "Fiducial", "controlPoints": [point]}]}
    path = write_text(tmp_path / "a.json", json.dumps(document))
    assert LandmarkSet.read(path).positions_lps.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("frame", "expected"), [("LPS", [1, 2, 3]), ("1", [1, 2, 3]), ("RAS", [-1, -2, 3]), ("0", [-1, -2, 3])]
)
def test_fcsv_says_its_frame_by_name_or_number(tmp_path: Path, frame: str, expected: list) -> None:
    path = write_text(
        tmp_path / "a.fcsv",
        "# Markups fiducial file version = 4.10",
        f"# CoordinateSystem = {frame}",
        "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID",
        "vtkMRMLMarkupsFiducialNode_0,1,2,3,0,0,0,1,1,1,0,carina,,vtkMRMLScalarVolumeNode1",
    )
    assert LandmarkSet.read(path).labels == ("carina",)
    assert LandmarkSet.read(path).positions_lps.tolist() == [expected]


@pytest.mark.parametrize(
    ("frame", "expected"), [("LPS", [1, 2, 3]), ("RAS", [-1, -2, 3]), ("ras", [-1, -2, 3])]
)
def test_csv_is_in_the_frame_that_the_caller_says(tmp_path: Path, frame: str, expected: list) -> None:
    path = write_text(tmp_path / "a.csv", "label,x,y,z", "carina,1,2,3")
    assert LandmarkSet.read(path, csv_frame=frame).positions_lps.tolist() == [expected]


def test_csv_columns_may_come_in_any_order_with_others_between(tmp_path: Path) -> None:
    path = write_text(
        tmp_path / "a.csv",
        "\ufeffz, quality ,Label,y,x,note",
        '3,1,#1,2,1e0,"two',
        'lines, and a comma"',
        "",
        "6,2,no position,,,",
    )
    with pytest.raises(LandmarkError, match=r"line 5: x,y,z are ,,6, not three finite numbers"):
        LandmarkSet.read(path, csv_frame="LPS")
    path.write_text(path.read_text().replace("6,2,no", ",2,no"))
    landmarks = LandmarkSet.read(path, csv_frame="LPS")
    assert landmarks.labels == ("#1", "no position")
    assert landmarks[0].position_lps.tolist() == [1, 2, 3]
    assert landmarks[1].position_lps is None


def test_the_bundled_points_lie_in_the_bundled_scans(sample_folder: Path) -> None:
    from SAMLandmarkLib.core.volume import Volume

    for name in ("template", "followup"):
        landmarks = LandmarkSet.read(sample_folder / f"{name}.csv", csv_frame="LPS")
        assert len(landmarks) == 20
        assert Volume.read(sample_folder / f"{name}.nii.gz").contains_lps(landmarks.positions_lps).all()


@pytest.mark.parametrize(
    "point",
    [
        {"label": "carina", "position": "", "positionStatus": "undefined"},
        {"label": "carina", "position": [1, 2, 3], "positionStatus": "undefined"},
        {"label": "carina", "position": [1, 2, 3], "positionStatus": "preview"},
        {"label": "carina", "positionStatus": "missing"},
        {"label": "carina", "position": None, "positionStatus": "defined"},
        {"label": "carina", "position": []},
        {"label": "carina"},
    ],
)
def test_points_without_a_position_are_kept_without_one(
    write_point_lists: PointListWriter, point: dict
) -> None:
    landmarks = LandmarkSet.read(write_point_lists({"controlPoints": [point]}))
    assert landmarks.labels == ("carina",)
    assert landmarks[0].position_lps is None
    assert np.isnan(landmarks.positions_lps).all()


def test_of_several_markups_every_point_list_is_read_in_its_own_frame(
    write_point_lists: PointListWriter,
) -> None:
    second = {"controlPoints": [{"label": "second", "position": [4, 5, 6]}], "coordinateSystem": "RAS"}
    landmarks = LandmarkSet.read(write_point_lists({"type": "Line"}, {}, second))
    assert landmarks.labels == ("carina", "second")
    assert landmarks.positions_lps.tolist() == [[1, 2, 3], [-4, -5, 6]]


@pytest.mark.parametrize("unit", ["mm", ["mm", "UCUM", "millimeter"]])
def test_the_unit_may_be_a_text_or_a_code(write_point_lists: PointListWriter, unit: object) -> None:
    path = write_point_lists({"coordinateUnits": unit})
    assert len(LandmarkSet.read(path)) == 1


# ---- Writing


def test_written_points_come_back_exactly(tmp_path: Path) -> None:
    path = tmp_path / "punkte – Küste.mrk.json"
    labels = ("carina", 'left "hilum", ü', "nodule")
    write_markups(
        path, labels, POSITIONS_LPS, [0.9, 0.25, np.nan], ["", "a note", "outside template"], "follow-up 1"
    )
    landmarks = LandmarkSet.read(path)
    assert landmarks.labels == labels
    assert np.array_equal(landmarks.positions_lps, POSITIONS_LPS, equal_nan=True)
    assert [item.description for item in landmarks] == ["", "a note", "outside template"]


def test_written_files_have_the_form_that_slicer_writes_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.mrk.json"
    write_markups(path, LABELS, POSITIONS_LPS, [0.9, 0.25, np.nan], name="follow-up 1")
    ours = json.loads(path.read_text())
    theirs = json.loads((SLICER_FILES / "slicer-5.12-lps.mrk.json").read_text())
    markup, model = ours["markups"][0], theirs["markups"][0]
    assert ours["@schema"].endswith("markups-schema-v1.0.3.json#")
    assert markup["name"] == "follow-up 1"
    for key in ("type", "coordinateSystem", "coordinateUnits", "locked", "labelFormat"):
        assert markup[key] == model[key]
    assert [point["positionStatus"] for point in markup["controlPoints"]] == ["defined", "defined", "missing"]
    assert markup["controlPoints"][2]["position"] == model["controlPoints"][3]["position"] == ""
    assert set(markup["controlPoints"][0]) <= set(model["controlPoints"][0])
    measurement = markup["measurements"][0]
    assert set(measurement) == set(model["measurements"][0])
    assert (measurement["name"], measurement["enabled"]) == ("confidence", True)
    assert measurement["controlPointValues"] == [0.9, 0.25, 0.0]


def test_without_confidences_no_measurement_is_written(tmp_path: Path) -> None:
    write_markups(tmp_path / "a.mrk.json", LABELS, POSITIONS_LPS)
    assert json.loads((tmp_path / "a.mrk.json").read_text())["markups"][0]["measurements"] == []


def test_every_label_needs_its_point_and_confidence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        write_markups(tmp_path / "a.mrk.json", LABELS, POSITIONS_LPS[:2])
    with pytest.raises(ValueError, match="reshape"):
        write_markups(tmp_path / "a.mrk.json", LABELS, POSITIONS_LPS, [0.5])
    assert list(tmp_path.iterdir()) == []


# ---- Landmarks in memory


def test_a_set_is_a_sequence_of_landmarks() -> None:
    landmarks = LandmarkSet.from_points(LABELS, POSITIONS_LPS)
    assert len(landmarks) == 3
    assert [item.label for item in landmarks] == list(LABELS)
    assert landmarks[-1].position_lps is None
    assert np.array_equal(landmarks.positions_lps, POSITIONS_LPS, equal_nan=True)


def test_positions_are_copies_that_cannot_be_changed() -> None:
    given = np.array([1.0, 2.0, 3.0])
    landmark = Landmark("carina", given)
    given[0] = 99.0
    assert landmark.position_lps.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="read-only"):
        landmark.position_lps[0] = 5.0


@pytest.mark.parametrize("position", [[1, 2], [1, 2, np.inf], [[1, 2, 3]]])
def test_a_position_is_three_finite_numbers(position: list) -> None:
    with pytest.raises(LandmarkError, match=r"'carina'.*three finite numbers"):
        Landmark("carina", position)


def test_a_set_needs_landmarks_with_different_labels() -> None:
    with pytest.raises(LandmarkError, match="there are no landmarks"):
        LandmarkSet([])
    with pytest.raises(LandmarkError, match="more than one landmark is called 'carina'"):
        LandmarkSet([Landmark("carina", None), Landmark("carina", (1, 2, 3))])
