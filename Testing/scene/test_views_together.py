"""Several scans seen together: gray levels, one follow-up at a time, a grid of many, a beginning that is plain."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
import slicer
from scene_steps import LABELS

from SAMLandmarkLib.core.modality import BONE, LUNG
from SAMLandmarkLib.scene.beginning import Beginning
from SAMLandmarkLib.scene.layout import ScanViews, layout_xml, slice_node_ids
from SAMLandmarkLib.session import TransferSession


def levels(node) -> tuple[float, float]:
    display = node.GetDisplayNode()
    return display.GetWindow(), display.GetLevel()


@pytest.fixture
def shown(transferred, loaded) -> TransferSession:
    """A session whose volumes have display nodes, side by side."""
    for node in (loaded.april, loaded.may, loaded.june):
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().AutoWindowLevelOff()
        node.GetDisplayNode().SetWindowLevel(400, 40)
    transferred.show_side_by_side()
    transferred.views.watch_gray_levels()
    return transferred


def test_gray_levels_set_on_one_scan_are_those_of_all(shown, loaded):
    loaded.may.GetDisplayNode().SetWindowLevel(1500, -600)
    assert levels(loaded.april) == (400, 40)
    shown.views.gray_levels.on = True
    assert levels(loaded.may) == levels(loaded.june) == (400, 40)
    loaded.june.GetDisplayNode().SetWindowLevel(1500, -600)
    assert levels(loaded.april) == levels(loaded.may) == (1500, -600)
    shown.views.gray_levels.on = False
    loaded.june.GetDisplayNode().SetWindowLevel(300, 30)
    assert levels(loaded.april) == (1500, -600)


def test_a_preset_is_for_all_scans_also_for_one_that_joins(shown, loaded):
    shown.views.gray_levels.show(LUNG)
    assert {levels(node) for node in (loaded.april, loaded.may, loaded.june)} == {(1500.0, -600.0)}
    shown.views.gray_levels.on = True
    shown.set_follow_ups([loaded.may])
    loaded.april.GetDisplayNode().SetWindowLevel(200, 20)
    assert levels(loaded.june) == (1500.0, -600.0)
    shown.set_follow_ups([loaded.may, loaded.june])
    assert levels(loaded.june) == (200, 20)
    shown.views.gray_levels.show(BONE)
    assert levels(loaded.june) == levels(loaded.april) == (1800.0, 400.0)


def test_the_scene_closes_with_shared_gray_levels(shown, scene):
    shown.views.gray_levels.on = True
    scene.Clear(0)
    assert shown.follow_ups == ()


def test_one_follow_up_at_a_time_is_the_one_under_review(shown, scene, loaded):
    may, june = shown.follow_ups
    shown.views.one_at_a_time = True
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    description = layout.GetLayoutDescription(layout.GetViewArrangement())
    assert "2023-05-14" in description and "2023-06-20" not in description
    shown.select(june.key, LABELS[0])
    description = layout.GetLayoutDescription(layout.GetViewArrangement())
    assert "2023-06-20" in description and "2023-05-14" not in description
    views = slice_node_ids(scene, june.key)
    assert len(views) == 1
    display = june.markups_node.GetDisplayNode()
    assert display.IsDisplayableInView(views[0])
    assert not may.markups_node.GetDisplayNode().IsDisplayableInView(views[0])
    shown.views.one_at_a_time = False
    description = layout.GetLayoutDescription(layout.GetViewArrangement())
    assert "2023-06-20" in description and "2023-05-14" in description


@pytest.mark.parametrize(("count", "rows"), [(2, [2]), (3, [3]), (4, [2, 2]), (5, [3, 2]), (6, [3, 3])])
def test_many_scans_stand_in_two_rows(count, rows):
    scans = [ScanViews(f"key {number}", f"scan {number}", number) for number in range(count)]
    root = ElementTree.fromstring(layout_xml(scans, ["Axial"]))
    lines = [root] if len(rows) == 1 else [item[0] for item in root.findall("item")]
    assert [len(line.findall("item")) for line in lines] == rows
    views = [view.get("singletontag") for view in root.iter("view")]
    assert views == [scan.view_name("Axial") for scan in scans]
    assert len(list(ElementTree.fromstring(layout_xml(scans)).iter("view"))) == count


def add_scan(add_volume, hierarchy, name: str, date: str, patient: int):
    node = add_volume(name)
    study = hierarchy.CreateStudyItem(patient, name)
    hierarchy.SetItemAttribute(study, "DICOM.StudyDate", date)
    hierarchy.CreateItem(study, node)
    return node


def test_the_earliest_scan_is_the_template_and_the_patients_later_ones_are_follow_ups(
    scene, add_volume, add_markups
):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    one, other = (hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), name) for name in ("A", "B"))
    late = add_scan(add_volume, hierarchy, "late", "20240301", one)
    early = add_scan(add_volume, hierarchy, "early", "20230301", one)
    add_scan(add_volume, hierarchy, "somebody else's", "20240101", other)
    last = add_scan(add_volume, hierarchy, "last", "20250301", one)
    points = add_markups({"a": (0.0, 0.0, 0.0)})
    beginning = Beginning.of_scene(scene)
    assert beginning.template is early and beginning.follow_ups == (late, last)
    assert beginning.points is points
    add_markups({"b": (0.0, 0.0, 0.0)})
    assert Beginning.of_scene(scene).points is None


def test_scans_of_nobody_belong_together(scene, add_volume):
    assert Beginning.of_scene(scene) is None
    first, second = add_volume("first"), add_volume("second")
    beginning = Beginning.of_scene(scene)
    assert (beginning.template, beginning.follow_ups, beginning.points) == (first, (second,), None)


def test_results_are_no_points_to_begin_with(transferred, scene):
    transferred.set_template(None, None)
    assert Beginning.of_scene(scene).points is None
