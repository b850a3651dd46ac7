"""A follow-up's markups say what the review says, and keep it through files and scenes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import slicer
from numpy.testing import assert_allclose

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.review import Decision, ReviewItem
from SAMLandmarkLib.scene.follow_up import (
    create_follow_up_markups,
    read_follow_up,
    write_follow_up,
)
from SAMLandmarkLib.scene.point_display import show_only_in
from SAMLandmarkLib.scene.volumes import scan_key

LABELS = ["carina", "left hilum", "nodule"]
ITEMS = {
    "carina": ReviewItem.of(
        "carina", "FOUND", 0.93, 0.81, 1.5, position_lps=(1.0, 2.0, 100.0), transferred_lps=(1.0, 2.0, 100.0)
    ),
    "left hilum": ReviewItem.of(
        "left hilum", "DOUBTFUL", 0.41, 0.6, 9.0, "low similarity", position_lps=(4.0, 5.0, 110.0)
    ),
    "nodule": ReviewItem.of("nodule", "MISSING", 0.05, None, None, "outside field of view"),
}


@pytest.fixture
def volume(add_volume):
    return add_volume("May")


@pytest.fixture
def node(scene, volume):
    node = create_follow_up_markups(scene, volume)
    write_follow_up(node, volume, LABELS, ITEMS)
    return node


def values_of(node: object, name: str) -> list[float]:
    return slicer.util.arrayFromMarkupsControlPointData(node, name).tolist()


def statuses_of(node: object) -> list[int]:
    return [
        node.GetNthControlPointPositionStatus(number) for number in range(node.GetNumberOfControlPoints())
    ]


def test_it_has_the_labels_of_the_template_in_their_order_and_a_fixed_length(node):
    assert [node.GetNthControlPointLabel(number) for number in range(3)] == LABELS
    assert node.GetFixedNumberOfControlPoints()


def test_what_was_not_found_is_missing_and_the_rest_defined(node):
    assert statuses_of(node) == [node.PositionDefined, node.PositionDefined, node.PositionMissing]
    assert list(read_follow_up(node, slicer.mrmlScene.GetFirstNodeByName("May"))) == LABELS[:2]


def test_what_waits_for_a_decision_is_unselected_and_so_has_the_other_color(node):
    assert [node.GetNthControlPointSelected(number) for number in range(3)] == [True, False, False]
    display = node.GetDisplayNode()
    assert display.GetSelectedColor() != display.GetColor()


def test_descriptions_tell_status_and_reason(node):
    texts = [node.GetNthControlPointDescription(number) for number in range(3)]
    assert texts == ["FOUND", "DOUBTFUL: low similarity", "MISSING: outside field of view"]


def test_points_know_their_volume(node, volume):
    assert {node.GetNthControlPointAssociatedNodeID(number) for number in range(3)} == {volume.GetID()}


def test_evidence_is_a_measurement_at_every_point(node):
    assert_allclose(values_of(node, "confidence"), [0.93, 0.41, 0.05])
    assert_allclose(values_of(node, "similarity"), [0.81, 0.6, -1.0])
    assert_allclose(values_of(node, "cycle_mm"), [1.5, 9.0, -1.0])


def test_a_decision_changes_color_text_and_status(node, volume):
    rejected = replace(ITEMS["carina"], decision=Decision.REJECTED, position_lps=None)
    accepted = replace(ITEMS["left hilum"], decision=Decision.ACCEPTED)
    write_follow_up(node, volume, LABELS, ITEMS | {"carina": rejected, "left hilum": accepted})
    assert statuses_of(node)[:2] == [node.PositionMissing, node.PositionDefined]
    assert node.GetNthControlPointSelected(1)
    assert node.GetNthControlPointDescription(1) == "ACCEPTED by the user; DOUBTFUL: low similarity"
    write_follow_up(node, volume, LABELS, ITEMS)
    assert statuses_of(node)[0] == node.PositionDefined
    assert_allclose(node.GetNthControlPointPosition(0), (-1.0, -2.0, 100.0))


def test_labels_can_be_added_moved_and_taken_away(node, volume):
    write_follow_up(node, volume, ["new", "nodule", "carina", "left hilum"], ITEMS)
    assert [node.GetNthControlPointLabel(number) for number in range(4)] == [
        "new",
        "nodule",
        "carina",
        "left hilum",
    ]
    assert node.GetNthControlPointDescription(0) == "not transferred yet"
    assert_allclose(read_follow_up(node, volume)["carina"], (1.0, 2.0, 100.0))
    write_follow_up(node, volume, ["left hilum"], ITEMS)
    assert read_follow_up(node, volume) == {"left hilum": pytest.approx((4.0, 5.0, 110.0))}
    assert_allclose(values_of(node, "confidence"), [0.41])
    assert node.GetFixedNumberOfControlPoints()


def test_the_fixed_length_keeps_a_stray_click_from_adding_a_point(node):
    node.AddControlPoint(0.0, 0.0, 0.0, "stray")
    assert node.GetNumberOfControlPoints() == 3


def test_it_is_shown_only_in_the_given_views(node):
    show_only_in(node, ["vtkMRMLSliceNodeSAMLandmark1Axial"])
    assert node.GetDisplayNode().GetViewNodeIDs() == ("vtkMRMLSliceNodeSAMLandmark1Axial",)
    show_only_in(node, [])
    assert node.GetDisplayNode().GetViewNodeIDs() == ()


def test_it_lies_beside_its_volume_in_the_subject_hierarchy(scene, add_volume):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateStudyItem(hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "P"), "S")
    volume = add_volume("June")
    hierarchy.CreateItem(study, volume)
    node = create_follow_up_markups(scene, volume)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def written_and_read(node: object, path, scene: object) -> object:
    storage = scene.AddNewNodeByClass("vtkMRMLMarkupsJsonStorageNode")
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    # A storage node that has written can't read the same file again.
    storage = scene.AddNewNodeByClass("vtkMRMLMarkupsJsonStorageNode")
    storage.SetFileName(str(path))
    read = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "read")
    assert storage.ReadData(read)
    return read


class TestFiles:
    def test_markups_written_by_slicer_keep_everything(self, node, scene, tmp_path):
        read = written_and_read(node, tmp_path / "a.mrk.json", scene)
        assert statuses_of(read) == statuses_of(node)
        assert read.GetNthControlPointDescription(1) == "DOUBTFUL: low similarity"
        for name in ("confidence", "similarity", "cycle_mm"):
            assert_allclose(values_of(read, name), values_of(node, name))
        assert_allclose(read.GetNthControlPointPosition(1), node.GetNthControlPointPosition(1))

    def test_the_file_counts_in_lps(self, node, scene, tmp_path):
        written_and_read(node, tmp_path / "a.mrk.json", scene)
        (markups,) = json.loads((tmp_path / "a.mrk.json").read_text())["markups"]
        assert markups["coordinateSystem"] == "LPS"
        assert_allclose(markups["controlPoints"][1]["position"], (4.0, 5.0, 110.0))

    def test_the_library_reads_what_slicer_wrote(self, node, scene, tmp_path):
        written_and_read(node, tmp_path / "a.mrk.json", scene)
        landmarks = LandmarkSet.read(tmp_path / "a.mrk.json")
        assert landmarks.labels == tuple(LABELS)
        assert_allclose(landmarks.positions_lps, [(1, 2, 100), (4, 5, 110), (np.nan,) * 3])

    def test_slicer_reads_the_sample_that_comes_with_the_product(
        self, scene, sample_folder, sample_landmarks
    ):
        storage = scene.AddNewNodeByClass("vtkMRMLMarkupsJsonStorageNode")
        storage.SetFileName(str(sample_folder / "template.mrk.json"))
        read = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
        assert storage.ReadData(read)
        ras = slicer.util.arrayFromMarkupsControlPoints(read)
        assert_allclose(ras * (-1, -1, 1), sample_landmarks.positions_lps)


def test_undo_and_redo_bring_back_points_and_evidence(node, volume, scene):
    scene.SetUndoOn()
    scene.SaveStateForUndo()
    answer = replace(ITEMS["carina"].answer, confidence=0.2)
    moved = {"carina": replace(ITEMS["carina"], answer=answer, position_lps=(9.0, 9.0, 9.0))}
    write_follow_up(node, volume, ["carina"], moved)
    scene.Undo()
    assert statuses_of(node) == [node.PositionDefined, node.PositionDefined, node.PositionMissing]
    assert_allclose(values_of(node, "confidence"), [0.93, 0.41, 0.05])
    scene.Redo()
    assert read_follow_up(node, volume) == {"carina": pytest.approx((9.0, 9.0, 9.0))}
    assert_allclose(values_of(node, "confidence"), [0.2])
    assert node.GetAttribute("SAMLandmark.ScanKey") == scan_key(volume)
