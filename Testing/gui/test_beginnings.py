"""From loaded volumes to points on the follow-up: what is chosen by itself, and how many clicks are left."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from samples import add_points, add_volume, points_inside
from user import positions


@pytest.fixture
def arrived(user, sample_crops):
    """Volumes were loaded before the module is opened."""
    user.widget.exit()
    user.template = add_volume(sample_crops[0], "Baseline", "20240101")
    user.follow_up = add_volume(sample_crops[1], "Follow-up", "20240203")
    user.truth = points_inside("followup", sample_crops[1])
    points = points_inside("template", sample_crops[0])
    user.points = {label: point for label, point in points.items() if label in user.truth}
    return user


def test_what_is_plain_is_chosen_when_the_module_opens(arrived):
    markups = add_points(arrived.points)
    arrived.widget.enter()
    arrived.bench.settle(60)
    assert arrived.parameters.templateVolume is arrived.template
    assert arrived.parameters.templatePoints is markups
    assert arrived.parameters.followUps == [arrived.follow_up]
    assert arrived.ui.transferButton.enabled


def test_what_the_user_has_chosen_stays(arrived):
    arrived.widget.enter()
    arrived.choose(arrived.follow_up)
    arrived.widget.exit()
    arrived.widget.enter()
    assert arrived.parameters.templateVolume is arrived.follow_up


def test_from_loaded_volumes_to_a_point_on_the_follow_up_in_three_clicks(arrived):
    arrived.widget.enter()
    arrived.bench.settle(60)
    label, point = next(iter(arrived.points.items()))
    arrived.go_to(arrived.view_of(arrived.template), point)
    arrived.click(arrived.ui.placeButton)
    arrived.bench.click(arrived.view_of(arrived.template), tuple(point))
    arrived.click(arrived.ui.transferButton)
    arrived.wait_for_end()
    found = positions(arrived.session.follow_ups[0].markups_node)
    assert np.linalg.norm(found["Point 1"] - arrived.truth[label]) < 10.0
    assert arrived.session.current == (arrived.session.follow_ups[0].key, "Point 1")
    assert "Point 1 on 2024-02-03" in arrived.ui.detailLabel.text


def test_a_click_beside_the_volume_places_nothing_and_says_so(arrived):
    arrived.widget.enter()
    arrived.bench.settle(60)
    view, point = arrived.view_of(arrived.template), next(iter(arrived.points.values()))
    arrived.go_to(view, point)
    arrived.click(arrived.ui.placeButton)
    slice_node = arrived.bench.layout_manager.sliceWidget(view).mrmlSliceNode()
    slice_node.SetFieldOfView(*(2 * size for size in slice_node.GetFieldOfView()[:2]), 1.0)
    arrived.bench.settle()
    bounds = [0.0] * 6
    arrived.template.GetRASBounds(bounds)
    middle = slice_node.GetSliceToRAS().GetElement(1, 3)
    outside = (point[0], middle + 0.4 * slice_node.GetFieldOfView()[1], point[2])
    assert outside[1] > bounds[3] + 5
    arrived.bench.click(view, outside)
    assert positions(arrived.parameters.templatePoints) == {}
    assert "outside the template's volume" in arrived.ui.messageLabel.text
    assert arrived.ui.placeButton.checked
    arrived.bench.click(view, tuple(point))
    assert list(positions(arrived.parameters.templatePoints)) == ["Point 1"]
    assert arrived.ui.messageLabel.isHidden()


def test_new_names_and_dates_are_followed_by_the_list(user, sample_crops):
    user.choose(add_volume(sample_crops[0], "Baseline", "20240101"))
    node = add_volume(sample_crops[1], "Series 7", "20240203")
    user.bench.settle()
    assert user.follow_up_texts() == ["2024-02-03   Series 7"]
    node.SetName("Portal venous")
    _wait_for_texts(user, ["2024-02-03   Portal venous"])
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))
    hierarchy.SetItemAttribute(study, "DICOM.StudyDate", "20240305")
    _wait_for_texts(user, ["2024-03-05   Portal venous"])


def _wait_for_texts(user, texts: list[str]) -> None:
    user.bench.wait_until(lambda: user.follow_up_texts() == texts, 20, f"the list shows {texts}")


def test_several_messages_can_be_read(user):
    user.session.notify_user("The first.")
    user.session.notify_user("The second.")
    assert user.ui.messageLabel.text == "The first.\nThe second."
    user.session.clear_message()
    assert user.ui.messageLabel.isHidden()
