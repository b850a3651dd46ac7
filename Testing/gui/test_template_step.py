"""Step 1: choosing the template, placing points with the mouse, ticking follow-ups."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from samples import add_volume
from user import positions

from SAMLandmarkLib.core.volume import Volume

SIZE = 60


@pytest.fixture
def plain_volume():
    """A volume without anatomy: nothing here looks at what it shows."""
    rng = np.random.default_rng(1)
    array = rng.integers(-100, 200, (SIZE // 2, SIZE, SIZE)).astype(np.int16)
    affine = np.diag([2.0, 2.0, 4.0, 1.0])
    affine[:3, 3] = [-SIZE, -SIZE, -SIZE]
    return Volume(array, affine)


def test_points_are_placed_where_one_clicks(user, plain_volume):
    template = add_volume(plain_volume, "Baseline")
    user.choose(template)
    layout_manager = user.bench.layout_manager
    layout_manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    user.bench.settle()
    layout_manager.sliceWidget("Red").mrmlSliceCompositeNode().SetBackgroundVolumeID(template.GetID())
    layout_manager.resetSliceViews()
    user.bench.settle(60)
    height = layout_manager.sliceWidget("Red").sliceLogic().GetSliceOffset()
    wanted = [(20.0, 10.0, height), (-30.0, -20.0, height)]
    user.click(user.ui.placeButton)
    for point in wanted:
        user.bench.click("Red", point)
    user.click(user.ui.placeButton)
    placed = positions(user.parameters.templatePoints)
    assert list(placed) == ["Point 1", "Point 2"]
    for point, clicked in zip(placed.values(), wanted, strict=True):
        assert np.linalg.norm(point - clicked) < 1.0
    assert user.ui.pointsList.tableWidget().rowCount == 2


def test_clicks_after_placing_place_nothing(user, plain_volume):
    template = add_volume(plain_volume, "Baseline")
    user.choose(template)
    user.click(user.ui.placeButton)
    assert user.ui.placeButton.text == "Stop placing"
    user.click(user.ui.placeButton)
    user.bench.click(user.bench.layout_manager.sliceViewNames()[0], (0.0, 0.0, 0.0))
    assert user.ui.placeButton.text == "Place points"
    assert positions(user.parameters.templatePoints) == {}


def test_leaving_the_module_ends_placing(user, plain_volume):
    user.choose(add_volume(plain_volume, "Baseline"))
    user.click(user.ui.placeButton)
    user.widget.exit()
    user.widget.enter()
    assert not user.ui.placeButton.checked
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    assert interaction.GetCurrentInteractionMode() == interaction.ViewTransform


def test_a_new_list_of_points_is_labelled_in_plain_words(user, plain_volume):
    user.choose(add_volume(plain_volume, "Baseline"))
    node = user.ui.pointsSelector.addNode()
    user.bench.settle()
    node.AddControlPoint(0.0, 0.0, 0.0)
    assert node.GetNthControlPointLabel(0) == "Point 1"
    assert user.parameters.templatePoints is node


def test_lists_that_others_make_keep_their_labels(user, plain_volume):
    user.choose(add_volume(plain_volume, "Baseline"))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Somebody's")
    node.AddControlPoint(0.0, 0.0, 0.0)
    assert node.GetNthControlPointLabel(0) == "Somebody's-1"


def test_follow_ups_are_listed_by_date_without_the_template(user, plain_volume):
    template = add_volume(plain_volume, "Baseline", "20230110")
    add_volume(plain_volume, "Late", "20240531")
    add_volume(plain_volume, "Undated")
    add_volume(plain_volume, "Early", "20230702")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Liver")
    user.choose(template)
    assert user.follow_up_texts() == ["2023-07-02   Early", "2024-05-31   Late", "Undated"]


def test_ticked_follow_ups_are_kept_and_removed_volumes_forgotten(user, plain_volume):
    template, first, second = (add_volume(plain_volume, name) for name in ("Baseline", "First", "Second"))
    user.choose(template)
    user.tick("First", "Second")
    assert user.parameters.followUps == [first, second]
    assert [scan.volume_node for scan in user.session.follow_ups] == [first, second]
    slicer.mrmlScene.RemoveNode(first)
    user.bench.settle()
    assert user.follow_up_texts() == ["Second"]
    assert [scan.volume_node for scan in user.session.follow_ups] == [second]


def test_what_is_missing_is_told_step_by_step(user, plain_volume):
    template = add_volume(plain_volume, "Baseline")
    add_volume(plain_volume, "Follow-up")
    said = [_missing(user)]
    user.choose(template)
    said.append(_missing(user))
    user.ui.pointsSelector.addNode().AddControlPoint(0.0, 0.0, 0.0)
    user.bench.settle()
    said.append(_missing(user))
    user.tick("Follow-up")
    assert all(said) and len(set(said)) == 3, said
    assert user.ui.transferButton.enabled


def _missing(user) -> str:
    assert not user.ui.transferButton.enabled
    return user.ui.transferButton.toolTip
