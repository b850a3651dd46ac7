"""Lesions in files: lines of 3D Slicer, our JSON, label maps; what is wrong in them is told and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from lesions_by_hand import diameter, history, mark

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.lesions import Diameter, Finding, Lesion, LesionStatus, Role, Source
from SAMLandmarkLib.io.lesion_json import history_document, read_history, write_history
from SAMLandmarkLib.io.lesion_lines import read_lesion_lines, write_lesion_lines
from SAMLandmarkLib.io.lesion_masks import read_lesion_masks
from SAMLandmarkLib.tracking.lesion_files import BASELINE, read_lesions
from SAMLandmarkLib.utils.errors import LandmarkError, LesionError, SAMLandmarkError

SCHEMA = "https://somewhere/markups-schema-v1.0.3.json#"


def line(name: str, *points: list[float], **more: object) -> dict:
    controls = [{"label": f"{n}", "position": p, "positionStatus": "defined"} for n, p in enumerate(points)]
    return {
        "type": "Line",
        "name": name,
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "controlPoints": controls,
    } | more


def saved(folder: Path, *markups: dict) -> Path:
    path = folder / "lesions.mrk.json"
    path.write_text(json.dumps({"@schema": SCHEMA, "markups": list(markups)}))
    return path


# ---- lines


def test_lines_are_the_diameters_of_the_lesions_they_are_called_after(tmp_path):
    path = saved(
        tmp_path,
        line("T1 long", [0, 0, 0], [20, 0, 0]),
        line("T1 short", [10, -5, 0], [10, 5, 0]),
        line("liver dome", [0, 0, 50], [0, 12, 50]),
        line("NT1 long", [0, 0, 90], [0, 9, 90]),
        line("LN1 Long", [0, 40, 90], [0, 58, 90]),
    )
    marks = {item.lesion.name: item for item in read_lesion_lines(path)}
    assert list(marks) == ["T1", "liver dome", "NT1", "LN1"]
    first = marks["T1"].finding
    assert (first.long.length_mm, first.short.length_mm, first.position_lps) == (20, 10, (10, 0, 0))
    assert marks["NT1"].lesion.role is Role.NON_TARGET and marks["T1"].lesion.role is Role.TARGET
    assert marks["LN1"].lesion.is_node and first.long.source is Source.HAND


def test_ras_becomes_lps(tmp_path):
    path = saved(tmp_path, line("T1", [1, 2, 3], [11, 2, 3], coordinateSystem="RAS"))
    assert read_lesion_lines(path)[0].finding.long.ends.tolist() == [[-1, -2, 3], [-11, -2, 3]]


def test_points_beside_lines_are_lesions_without_a_size(tmp_path):
    points = [{"label": "T2", "position": [5, 6, 7], "description": "organ=liver; node"}]
    path = saved(tmp_path, line("T1", [0, 0, 0], [20, 0, 0]), {"type": "Fiducial", "controlPoints": points})
    first, second = read_lesion_lines(path)
    assert (second.finding.position_lps, second.finding.long) == ((5, 6, 7), None)
    assert second.lesion.organ == "liver" and second.lesion.is_node
    assert first.finding.size_mm == 20


def test_what_is_written_is_read_again(tmp_path):
    lesion = Lesion("T1", Role.NON_TARGET, True, "segment 7", "liver", "2.25.77")
    drawn = Finding(LesionStatus.PRESENT, (1, 2, 3), diameter((1, 2, 3), 14.0), diameter((1, 2, 3), 8.0, 1))
    placed = Finding(LesionStatus.PRESENT, (40, 2, 3))
    gone = Finding(LesionStatus.DISAPPEARED, (80, 2, 3))
    path = tmp_path / "out.mrk.json"
    write_lesion_lines(path, [(lesion, drawn), (Lesion("T2"), placed), (Lesion("T3"), gone)])
    marks = {item.lesion.name: item for item in read_lesion_lines(path)}
    assert marks["T1"].lesion == lesion
    assert marks["T1"].finding.long.ends == pytest.approx(drawn.long.ends)
    assert marks["T1"].finding.short.length_mm == pytest.approx(8)
    assert marks["T2"].finding.position_lps == (40, 2, 3)
    assert "T3" not in marks
    # a program that knows only point lists finds the places
    assert LandmarkSet.read(path).labels == ("T1", "T2")


def test_slicer_is_told_whether_a_line_is_proposed(tmp_path):
    proposed = Diameter(((0, 0, 0), (9, 0, 0)), Source.IMAGE)
    write_lesion_lines(
        tmp_path / "a.mrk.json", [(Lesion("T1"), Finding(LesionStatus.PRESENT, (0, 0, 0), proposed))]
    )
    first = json.loads((tmp_path / "a.mrk.json").read_text())["markups"][0]
    assert (first["type"], first["name"]) == ("Line", "T1 long")
    assert "measured=proposed" in first["controlPoints"][0]["description"]


@pytest.mark.parametrize(
    ("markups", "told"),
    [
        ([line("T1 long", [0, 0, 0])], "'T1 long' has 1 placed points, not 2; place both ends"),
        ([line("T1", [0, 0, 0], [0, 0, 0])], "0.0 mm long"),
        ([line("T1 short", [0, 0, 0], [5, 0, 0])], "draw 'T1 long' as well"),
        ([line("T1", [0, 0, 0], [9, 0, 0]), line("T1 long", [0, 0, 9], [9, 0, 9])], "two lines 'T1 long'"),
        (
            [line("T1 long", [0, 0, 0], [5, 0, 0]), line("T1 short", [0, 0, 0], [0, 9, 0])],
            "longer than the long one (5.0 mm); swap",
        ),
        ([line("T1", [0, 0, 0], [9, 0, 0], coordinateUnits="cm")], "unit is 'cm'"),
        ([line("T1", [0, 0, 0], [9, 0, 0], coordinateSystem="IJK")], "coordinate system is 'IJK'"),
        ([line("T1", [0, 0, 0], [9, float("nan"), 0])], "not three finite numbers"),
        ([line("T1", [0, 0, 0], [90000, 0, 0])], "where no patient lies"),
        ([{"type": "Plane"}], "holds no line and no point"),
        ([], "holds no line and no point"),
    ],
)
def test_a_wrong_line_is_named_and_what_to_do(tmp_path, markups, told):
    path = saved(tmp_path, *markups)
    with pytest.raises((LesionError, LandmarkError)) as raised:
        read_lesion_lines(path)
    assert told in str(raised.value) and str(path) in str(raised.value)


def test_an_unknown_role_is_told(tmp_path):
    drawn = line("T1", [0, 0, 0], [9, 0, 0])
    drawn["controlPoints"][0]["description"] = "role=SOMETHING"
    with pytest.raises(LesionError, match="'SOMETHING' is no role"):
        read_lesion_lines(saved(tmp_path, drawn))


# ---- our JSON


def test_a_history_is_read_as_it_was_written(tmp_path):
    told = history(
        {"T1": [20, 12, "gone"], "T2": [15, None, 9]}, nodes={"LN1": [16, 9, 8]}, new={"N1": [None, 8, 9]}
    )
    proposed = (
        told.track("T1")
        .at(1)
        .changed(
            carried_long=Diameter(((0, 0, 0), (18, 0, 0)), Source.CARRIED),
            confidence=0.83,
            note="look",
            volume_mm3=900.0,
        )
    )
    told = told.with_track(told.track("T1").with_finding(1, proposed))
    write_history(tmp_path / "lesions.json", told, {"response": {"overall": "PR"}})
    assert read_history(tmp_path / "lesions.json") == told


def test_a_document_gives_the_marks_of_each_visit(tmp_path):
    told = history({"T1": [20, 12], "T2": [15, "gone"]})
    proposed = (
        told.track("T1")
        .at(1)
        .changed(source=Source.IMAGE, long=Diameter(((0, 0, 0), (9, 0, 0)), Source.IMAGE))
    )
    told = told.with_track(told.track("T1").with_finding(1, proposed))
    write_history(tmp_path / "lesions.json", told)
    marks = read_lesions(tmp_path / "lesions.json")
    assert [item.lesion.name for item in marks["scan 1"]] == ["T1", "T2"]
    # the proposal is made anew; that T2 is gone is a reader's word
    assert marks["scan 2"] == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"unit": "cm"}, "counts in cm and LPS"),
        ({"coordinate_system": "RAS"}, "counts in mm and RAS"),
        ({"format_version": 9}, "format version 9"),
        ({"format": "other"}, "holds no lesions"),
        ({"lesions": [{"name": "T1"}]}, "is damaged"),
        ({"visits": []}, "there are 0"),
    ],
)
def test_a_damaged_document_is_told(tmp_path, change, told):
    path = tmp_path / "lesions.json"
    path.write_text(json.dumps(history_document(history({"T1": [20, 12]})) | change))
    with pytest.raises(LesionError, match=told) as raised:
        read_history(path)
    assert str(path) in str(raised.value)


# ---- label maps


def label_map(path: Path, spacing: tuple[float, float, float], lesions: dict[int, tuple]) -> Path:
    """A label map over 80 mm with ellipsoids of centre and half axes in LPS mm."""
    size = [round(80 / step) for step in spacing]
    k, j, i = np.indices(size[::-1])
    places = np.stack([i, j, k], axis=-1) * spacing + np.array([-30.0, 10.0, 200.0])
    array = np.zeros(size[::-1], dtype=np.uint8)
    for number, (centre, half) in lesions.items():
        array[(((places - centre) / half) ** 2).sum(axis=-1) <= 1] = number
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin((-30.0, 10.0, 200.0))
    sitk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 1.4, 3.0), (2.0, 2.0, 5.0)])
def test_the_diameters_of_a_label_are_the_same_on_every_grid(tmp_path, spacing):
    lesions = {2: ((10.0, 50.0, 240.0), (15.0, 8.0, 10.0)), 7: ((-12.0, 40.0, 220.0), (6.0, 6.0, 6.0))}
    marks = read_lesion_masks(label_map(tmp_path / "labels.nrrd", spacing, lesions))
    assert [item.lesion.name for item in marks] == ["lesion 2", "lesion 7"]
    off = 1.3 * max(spacing[:2])
    for item, (centre, half) in zip(marks, lesions.values(), strict=True):
        assert item.finding.long.length_mm == pytest.approx(2 * half[0], abs=off)
        assert item.finding.short.length_mm == pytest.approx(2 * half[1], abs=off)
        assert item.finding.position_lps == pytest.approx(centre, abs=max(spacing))
        assert item.finding.volume_mm3 == pytest.approx(4 / 3 * np.pi * np.prod(half), rel=0.15)


def test_a_scan_is_no_label_map(tmp_path, write_ct):
    write_ct(tmp_path / "ct.nrrd")
    with pytest.raises(LesionError, match="is no label map: its voxels go from -"):
        read_lesion_masks(tmp_path / "ct.nrrd")
    empty = label_map(tmp_path / "empty.nrrd", (2.0, 2.0, 2.0), {})
    with pytest.raises(LesionError, match="holds 0 labels"):
        read_lesion_masks(empty)


# ---- any of them


def test_each_kind_of_file_is_known_by_its_name(tmp_path):
    labels = label_map(
        tmp_path / "labels.nii.gz", (2.0, 2.0, 2.0), {1: ((10.0, 50.0, 240.0), (9.0, 9.0, 9.0))}
    )
    lines = saved(tmp_path, line("T1", [0, 0, 0], [20, 0, 0]))
    table = tmp_path / "points.csv"
    table.write_text("label,x,y,z\nT1,1,2,3\nNT2,4,5,6\n")
    assert [item.lesion.name for item in read_lesions(labels)[BASELINE]] == ["lesion 1"]
    assert read_lesions(lines)[BASELINE][0].finding.size_mm == 20
    points = read_lesions(table, "LPS")[BASELINE]
    assert [item.lesion.role for item in points] == [Role.TARGET, Role.NON_TARGET]
    assert points[0].finding == mark("T1", (1, 2, 3), None).finding


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("missing.mrk.json", None, "does not exist"),
        ("lesions.txt", "T1", "is no file of lesions; give line markups"),
        ("cut.mrk.json", '{"markups": [', "not valid JSON"),
        ("list.json", "[1, 2]", "no markups of 3D Slicer"),
    ],
)
def test_other_files_are_refused_with_what_to_give(tmp_path, name, content, told):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(SAMLandmarkError, match=told):
        read_lesions(tmp_path / name)
