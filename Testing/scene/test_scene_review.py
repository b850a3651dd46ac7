"""Review node, undo steps, study dates, layout and heat map in a real scene."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from numpy.testing import assert_allclose

from SAMLandmarkLib.core.geometry import LPS_FROM_RAS, affine_from_parts
from SAMLandmarkLib.review import ReviewItem, ReviewState
from SAMLandmarkLib.scene.follow_up import create_follow_up_markups, write_follow_up
from SAMLandmarkLib.scene.heat_map import hide_heat_map, write_heat_map
from SAMLandmarkLib.scene.layout import ScanViews, composite_node, show_layout, slice_node_ids, slice_nodes
from SAMLandmarkLib.scene.nodes import nodes_of_class
from SAMLandmarkLib.scene.observers import Observers
from SAMLandmarkLib.scene.review_node import ReviewNode
from SAMLandmarkLib.scene.studies import by_study_date, study_date
from SAMLandmarkLib.scene.undo import UndoStep, join_undo, prepare_undo
from SAMLandmarkLib.scene.views import jump, show_volume
from SAMLandmarkLib.scene.volumes import find_volume, scan_key, volume_arrays
from SAMLandmarkLib.utils.errors import ReviewError


def a_state(scan: str, label: str = "carina") -> ReviewState:
    item = ReviewItem.of(label, "DOUBTFUL", 0.4, position_lps=(1.0, 2.0, 100.0), reason='"quoted" <é>')
    return ReviewState().with_labels([label]).with_result(scan, [item]).accept(scan, label, "AB")


@pytest.fixture
def reviewed(scene, add_volume, add_markups):
    """A scene with a review of one follow-up; returns the review node."""
    template, follow_up = add_volume("April"), add_volume("May")
    review = ReviewNode.create(scene)
    review.template = (template, add_markups({"carina": (0.0, 0.0, 100.0)}, "template points"))
    review.follow_ups = [follow_up]
    review.state = a_state(scan_key(follow_up))
    review.provenance = {scan_key(follow_up): {"model": {"version": "1"}}}
    node = create_follow_up_markups(scene, follow_up)
    write_follow_up(node, follow_up, review.state.labels, review.state.items(scan_key(follow_up)))
    review.set_markups_of(follow_up, node)
    return review


class TestReviewNode:
    def test_a_scene_without_review_has_none(self, scene):
        assert ReviewNode.find(scene) is None

    @pytest.mark.parametrize("kind", ["mrb", "mrml"])
    def test_it_survives_saving_and_loading_the_scene(self, scene, another_scene, reviewed, tmp_path, kind):
        key = scan_key(reviewed.follow_ups[0])
        state, array = reviewed.state, volume_arrays(reviewed.follow_ups[0])[0].copy()
        if kind == "mrb":
            assert scene.WriteToMRB(str(tmp_path / "scène.mrb"), None)
            assert another_scene.ReadFromMRB(str(tmp_path / "scène.mrb"), True)
        else:
            save_to_folder(scene, tmp_path)
            another_scene.SetURL(str(tmp_path / "scene.mrml"))
            assert another_scene.Connect()
        loaded = ReviewNode.find(another_scene)
        assert loaded.state == state
        assert loaded.provenance == {key: {"model": {"version": "1"}}}
        assert [node.GetName() for node in loaded.template] == ["April", "template points"]
        (volume,) = loaded.follow_ups
        assert (volume.GetName(), scan_key(volume)) == ("May", key)
        assert find_volume(another_scene, key) is volume
        assert_allclose(volume_arrays(volume)[0], array)
        markups = loaded.markups_of(volume)
        assert_allclose(markups.GetNthControlPointPosition(0), (-1.0, -2.0, 100.0))
        assert slicer.util.arrayFromMarkupsControlPointData(markups, "confidence").tolist() == [0.4]

    def test_a_scene_imported_into_another_keeps_its_references(self, scene, reviewed, tmp_path):
        assert scene.WriteToMRB(str(tmp_path / "a.mrb"), None)
        assert scene.ReadFromMRB(str(tmp_path / "a.mrb"), False)
        imported = ReviewNode.find(scene)
        assert imported.node is not reviewed.node
        assert imported.template[0] is not reviewed.template[0]
        assert imported.template[0].GetName().startswith("April")

    def test_damaged_text_is_reported(self, reviewed):
        reviewed.node.SetParameter("review", '{"format":')
        reviewed.node.SetParameter("provenance", "nonsense")
        with pytest.raises(ReviewError, match="transfer again"):
            _ = reviewed.state
        assert reviewed.provenance == {}

    def test_undo_takes_back_review_and_new_markups_together(self, scene, reviewed, add_volume):
        prepare_undo(scene)
        before, june = reviewed.state, add_volume("June")
        UndoStep(scene).begin()
        reviewed.state = a_state("june")
        node = create_follow_up_markups(scene, june)
        reviewed.set_markups_of(june, node)
        scene.Undo()
        assert reviewed.state == before
        assert reviewed.markups_of(june) is None and not scene.IsNodePresent(node)
        scene.Redo()
        assert reviewed.state.item("june", "carina") is not None
        assert reviewed.markups_of(june) is node and scene.IsNodePresent(node)


def save_to_folder(scene: object, folder) -> None:
    """Save the scene as Slicer's window does: every node to a file of its own, then the .mrml."""
    kinds = {"vtkMRMLScalarVolumeNode": ".nrrd", "vtkMRMLMarkupsFiducialNode": ".mrk.json"}
    for class_name, extension in kinds.items():
        for number, node in enumerate(nodes_of_class(scene, class_name)):
            node.AddDefaultStorageNode()
            node.GetStorageNode().SetFileName(str(folder / f"{class_name}{number}{extension}"))
            assert node.GetStorageNode().WriteData(node)
    scene.SetRootDirectory(str(folder))
    scene.SetURL(str(folder / "scene.mrml"))
    assert scene.Commit()


class TestUndoSteps:
    @pytest.fixture
    def node(self, scene, add_markups):
        prepare_undo(scene)
        node = add_markups({"a": (0.0, 0.0, 0.0)})
        join_undo(node)
        return node

    def test_parts_of_one_step_are_undone_together(self, scene, node):
        step = UndoStep(scene)
        for x in (1.0, 2.0, 3.0):
            step.begin()
            node.SetNthControlPointPosition(0, x, 0.0, 0.0)
        scene.Undo()
        assert node.GetNthControlPointPosition(0)[0] == 0.0

    def test_what_was_done_between_two_parts_is_not_undone_with_them(self, scene, node):
        step = UndoStep(scene)
        step.begin()
        node.SetNthControlPointPosition(0, 1.0, 0.0, 0.0)
        UndoStep(scene).begin()
        node.SetNthControlPointLabel(0, "renamed")
        step.begin()
        node.SetNthControlPointPosition(0, 2.0, 0.0, 0.0)
        scene.Undo()
        assert (node.GetNthControlPointPosition(0)[0], node.GetNthControlPointLabel(0)) == (1.0, "renamed")

    def test_a_step_that_slicer_saved_itself_is_not_saved_twice(self, scene, node):
        scene.SaveStateForUndo()
        UndoStep(scene, saved=True).begin()
        assert scene.GetNumberOfUndoLevels() == 1

    def test_when_the_memory_is_full_a_part_is_a_step_of_its_own(self, scene, node):
        for _ in range(scene.GetMaximumNumberOfSavedUndoStates()):
            scene.SaveStateForUndo()
        UndoStep(scene, saved=True).begin()
        node.SetNthControlPointPosition(0, 1.0, 0.0, 0.0)
        scene.Undo()
        assert node.GetNthControlPointPosition(0)[0] == 0.0

    def test_a_node_that_joins_late_is_never_removed_by_undo(self, scene, node, add_markups):
        late = add_markups({"b": (0.0, 0.0, 0.0)})
        scene.SaveStateForUndo()
        join_undo(late)
        scene.Undo()
        assert scene.IsNodePresent(late)


class TestStudies:
    def in_study(self, scene, volume, date):
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        study = hierarchy.CreateStudyItem(hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "P"), date)
        hierarchy.SetItemAttribute(study, "DICOM.StudyDate", date)
        hierarchy.CreateItem(study, volume)
        return volume

    def test_the_date_comes_from_the_study_in_the_subject_hierarchy(self, scene, add_volume):
        assert study_date(self.in_study(scene, add_volume(), "20240531")) == "2024-05-31"

    def test_the_date_may_stand_at_the_volume(self, add_volume):
        volume = add_volume()
        volume.SetAttribute("DICOM.StudyDate", "2024-05-31")
        assert study_date(volume) == "2024-05-31"

    @pytest.mark.parametrize("text", ["", "yesterday", "31.05.2024"])
    def test_what_is_no_date_is_none(self, add_volume, text):
        volume = add_volume()
        volume.SetAttribute("DICOM.StudyDate", text)
        assert study_date(volume) is None

    def test_scans_are_in_the_order_of_their_dates_undated_ones_last(self, scene, add_volume):
        undated, june = add_volume("undated"), self.in_study(scene, add_volume("June"), "20240601")
        may, undated_too = self.in_study(scene, add_volume("May"), "20240501"), add_volume("undated too")
        assert by_study_date([undated, june, may, undated_too]) == [may, june, undated, undated_too]


class TestViews:
    @pytest.fixture
    def two_scans(self, scene, add_volume):
        """Two volumes shown side by side, axial and coronal."""
        volumes = [add_volume("April"), add_volume("May")]
        scans = [ScanViews(scan_key(node), node.GetName(), number) for number, node in enumerate(volumes)]
        show_layout(scene, scans, ("Axial", "Coronal"))
        for volume in volumes:
            show_volume(volume)
        return volumes

    def test_every_scan_has_views_and_a_group_of_its_own(self, scene, two_scans):
        views = [slice_nodes(scene, scan_key(volume)) for volume in two_scans]
        assert [[view.GetOrientation() for view in of_scan] for of_scan in views] == [
            ["Axial", "Coronal"]
        ] * 2
        groups = [{view.GetViewGroup() for view in of_scan} for of_scan in views]
        assert groups[0] != groups[1] and all(len(group) == 1 for group in groups)
        assert [view.GetLayoutLabel() for view in views[1]] == ["May A", "May C"]

    def test_slicer_shows_exactly_these_views(self, scene, two_scans):
        shown = [node for node in nodes_of_class(scene, "vtkMRMLSliceNode") if node.IsMappedInLayout()]
        layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        description = layout.GetCurrentLayoutDescription()
        assert all(f'singletontag="{view.GetLayoutName()}"' in description for view in slice_nodes(scene))
        assert len(slice_nodes(scene)) == 4 and all(node in slice_nodes(scene) for node in shown)

    def test_the_layout_changes_with_the_scans(self, scene, two_scans):
        show_layout(scene, [ScanViews(scan_key(two_scans[0]), "alone & <only>", 0)], ("Sagittal",))
        description = scene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetCurrentLayoutDescription()
        assert "alone &amp; &lt;only&gt;" in description and "Coronal" not in description

    def test_each_scan_is_the_background_of_its_own_views(self, scene, two_scans):
        for volume in two_scans:
            for view in slice_nodes(scene, scan_key(volume)):
                assert composite_node(scene, view).GetBackgroundVolumeID() == volume.GetID()

    def test_a_jump_moves_only_the_views_of_that_scan(self, scene, two_scans):
        offsets = [view.GetSliceOffset() for view in slice_nodes(scene, scan_key(two_scans[0]))]
        jump(two_scans[1], (10.0, 20.0, 105.0))
        axial, coronal = slice_nodes(scene, scan_key(two_scans[1]))
        assert axial.GetSliceOffset() == pytest.approx(105.0)
        assert coronal.GetSliceOffset() == pytest.approx(-20.0)
        assert [view.GetSliceOffset() for view in slice_nodes(scene, scan_key(two_scans[0]))] == offsets

    def test_a_jump_follows_the_transform_of_the_volume(self, scene, two_scans):
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(
            slicer.util.vtkMatrixFromArray(affine_from_parts((0, 0, 50), (1, 1, 1), np.eye(3)))
        )
        two_scans[1].SetAndObserveTransformNodeID(transform.GetID())
        jump(two_scans[1], (10.0, 20.0, 105.0))
        assert slice_nodes(scene, scan_key(two_scans[1]))[0].GetSliceOffset() == pytest.approx(155.0)

    def test_every_scan_has_a_crosshair_of_its_own_in_its_views_only(self, scene, two_scans):
        for volume, z in zip(two_scans, (105.0, 110.0), strict=True):
            jump(volume, (10.0, 20.0, z))
        jump(two_scans[1], (10.0, 20.0, 112.0))
        crosses = [
            node
            for node in nodes_of_class(scene, "vtkMRMLMarkupsFiducialNode")
            if node.GetAttribute("SAMLandmark.Crosshair")
        ]
        assert [node.GetNthControlPointPositionWorld(0)[2] for node in crosses] == pytest.approx(
            [105.0, 112.0]
        )
        for node, volume in zip(crosses, two_scans, strict=True):
            assert list(node.GetDisplayNode().GetViewNodeIDs()) == slice_node_ids(scene, scan_key(volume))
            assert not node.GetSaveWithScene()

    def test_a_heat_map_lies_over_the_views_of_one_scan_and_is_used_again(self, scene, two_scans):
        array = np.linspace(-1, 1, 4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
        placed = affine_from_parts((-20.0, -30.0, 100.0), (4.0, 4.0, 4.0), np.eye(3))
        node = write_heat_map(two_scans[1], array, placed)
        shown = [composite_node(scene, view).GetForegroundVolumeID() for view in slice_nodes(scene)]
        assert shown == [None, None, node.GetID(), node.GetID()]
        got_array, got_map = volume_arrays(node)
        assert_allclose(got_array, array)
        assert_allclose(got_map, placed)
        assert write_heat_map(two_scans[0], array, placed) is node
        shown = [composite_node(scene, view).GetForegroundVolumeID() for view in slice_nodes(scene)]
        assert shown == [node.GetID(), node.GetID(), None, None]
        hide_heat_map(scene)
        assert {composite_node(scene, view).GetForegroundVolumeID() for view in slice_nodes(scene)} == {None}

    def test_a_heat_map_follows_the_transform_of_its_volume(self, scene, two_scans, volume_transform):
        two_scans[1].SetAndObserveTransformNodeID(volume_transform.GetID() if volume_transform else None)
        node = write_heat_map(two_scans[1], np.zeros((4, 5, 6), np.float32), LPS_FROM_RAS)
        assert node.GetParentTransformNode() is volume_transform


def test_observers_are_all_removed_together(add_markups):
    node, seen, observers = add_markups({"a": (0, 0, 0)}), [], Observers()
    observers.add(node, node.PointModifiedEvent, lambda: seen.append("moved"))
    observers.add(node, node.PointAddedEvent, lambda: seen.append("added"))
    node.SetNthControlPointPosition(0, 1.0, 0.0, 0.0)
    assert seen == ["moved"]
    observers.clear()
    node.AddControlPoint(0.0, 0.0, 0.0, "b")
    assert seen == ["moved"] and len(observers) == 0
