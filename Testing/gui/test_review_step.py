"""Step 3: the table, the keys, corrections with the mouse, undo, heat map, export, and the scene saved and loaded."""

from __future__ import annotations

import json

import numpy as np
import pytest
import slicer
from PySide6 import QtCore
from samples import add_points, add_volume, points_inside
from user import positions

OUTSIDE = {"outside the template": np.array([0.0, 0.0, 900.0])}


@pytest.fixture
def review(user, sample_crops):
    """A transferred study: the sample pair, and one point that lies outside the template."""
    user.template = add_volume(sample_crops[0], "Baseline", "20240101")
    user.follow_up = add_volume(sample_crops[1], "Follow-up", "20240203")
    truth = points_inside("followup", sample_crops[1])
    inside = {k: v for k, v in points_inside("template", sample_crops[0]).items() if k in truth}
    user.points = dict(list(inside.items())[:5]) | OUTSIDE
    user.choose(user.template, add_points(user.points))
    user.tick("Follow-up")
    user.transfer()
    user.scan = user.session.follow_ups[0].key
    user.labels = list(user.points)
    return user


def _item(user, row: int):
    return user.session.item(user.scan, user.labels[row])


def _markups(user):
    return user.session.follow_ups[0].markups_node


def _center(user, view: str) -> np.ndarray:
    node = user.bench.layout_manager.sliceWidget(view).mrmlSliceNode()
    return np.array([node.GetSliceToRAS().GetElement(row, 3) for row in range(3)])


def test_a_click_on_a_result_takes_both_scans_there_and_no_other(review):
    review.click_cell(1)
    template_view, follow_up_view = review.view_of(review.template), review.view_of(review.follow_up)
    point = positions(_markups(review))[review.labels[1]]
    assert abs(_center(review, template_view)[2] - review.points[review.labels[1]][2]) < 1.0
    assert abs(_center(review, follow_up_view)[2] - point[2]) < 1.0
    assert review.session.current == (review.scan, review.labels[1])
    relative = review.session.state.relative_displacement_mm(review.scan, review.labels[1])
    assert f"against the other points {relative:.1f} mm." in review.ui.detailLabel.text
    assert review.labels[1] in review.ui.detailLabel.text


def test_in_another_layout_a_click_on_a_result_moves_the_views_that_show_its_scan(review):
    review.click(review.ui.sideBySideCheckBox)
    red = review.bench.layout_manager.sliceWidget("Red")
    composite = red.mrmlSliceCompositeNode()
    scans = ((1, review.template, review.points), (2, review.follow_up, positions(_markups(review))))
    for row, volume, places in scans:
        composite.SetBackgroundVolumeID(volume.GetID())
        review.click_cell(row)
        assert np.linalg.norm(_center(review, "Red") - places[review.labels[row]]) < 2.0
    review.click(review.ui.heatMapCheckBox)
    review.bench.wait_until(composite.GetForegroundVolumeID, 60, "the overlay is there")
    review.click(review.ui.heatMapCheckBox)
    assert not composite.GetForegroundVolumeID()
    review.click(review.ui.sideBySideCheckBox)


def test_a_click_in_the_list_of_points_takes_the_template_there_and_no_other_scan(review):
    follow_up_view = review.view_of(review.follow_up)
    before = _center(review, follow_up_view)
    table = review.ui.pointsList.tableWidget()
    table.cellClicked.emit(2, 0)
    review.bench.settle()
    height = _center(review, review.view_of(review.template))[2]
    assert abs(height - review.points[review.labels[2]][2]) < 1.0
    assert np.array_equal(_center(review, follow_up_view), before)


def test_lists_of_results_are_not_offered_as_templates(review):
    selector = review.ui.pointsSelector
    assert selector.nodeCount() == 1 and selector.currentNode() is review.parameters.templatePoints
    review.list_item("Follow-up").setCheckState(QtCore.Qt.Unchecked)
    review.bench.settle()
    # it may be the template of another round
    assert selector.nodeCount() == 2


def test_all_three_directions_are_shown_of_each_scan(review):
    review.ui.orientationSelector.setCurrentIndex(3)
    review.bench.settle()
    orientations = [
        review.bench.layout_manager.sliceWidget(name).mrmlSliceNode().GetOrientation()
        for name in review.bench.layout_manager.sliceViewNames()
    ]
    assert sorted(orientations) == sorted(["Axial", "Coronal", "Sagittal"] * 2)


def test_learning_from_corrections_is_switched_on(review):
    review.click(review.ui.correctionsCheckBox)
    assert review.session.use_corrections
    review.click(review.ui.correctionsCheckBox)
    assert not review.session.use_corrections


def test_each_scan_shows_its_own_points_only(review):
    views = {
        name: review.bench.layout_manager.sliceWidget(review.view_of(volume)).mrmlSliceNode().GetID()
        for name, volume in (("template", review.template), ("follow-up", review.follow_up))
    }
    template, follow_up = review.parameters.templatePoints.GetDisplayNode(), _markups(review).GetDisplayNode()
    assert template.IsDisplayableInView(views["template"]) and not template.IsDisplayableInView(
        views["follow-up"]
    )
    assert follow_up.IsDisplayableInView(views["follow-up"]) and not follow_up.IsDisplayableInView(
        views["template"]
    )
    review.click(review.ui.sideBySideCheckBox)
    red = review.bench.layout_manager.sliceWidget("Red").mrmlSliceNode().GetID()
    assert template.IsDisplayableInView(red) and follow_up.IsDisplayableInView(red)
    review.click(review.ui.sideBySideCheckBox)
    assert not template.IsDisplayableInView(views["follow-up"])


def test_what_can_not_be_found_is_told_with_its_reason(review):
    last = len(review.labels) - 1
    assert review.cell(last).startswith("Not found\noutside the template")
    status = _markups(review).GetNthControlPointPositionStatus(last)
    assert status == slicer.vtkMRMLMarkupsNode.PositionMissing
    review.click_cell(last)
    assert "outside the template" in review.ui.detailLabel.text
    assert not review.ui.acceptButton.enabled
    assert review.ui.acceptButton.toolTip == (
        "This point has no position here: P puts it where the mouse is, M says that it is not on this scan."
    )


@pytest.mark.parametrize(
    ("key", "decision", "word"),
    [("A", "ACCEPTED", "✓ Accepted"), ("R", "REJECTED", "✗ Rejected"), ("M", "SET_MISSING", "✓ Not on scan")],
)
def test_a_key_decides_and_can_be_undone_and_redone(review, key, decision, word):
    review.click_cell(0)
    before = review.cell(0)
    review.press(key)
    assert _item(review, 0).decision.value == decision
    assert review.cell(0).startswith(word)
    review.press("Ctrl+Z")
    assert _item(review, 0).decision.value == "OPEN"
    assert review.cell(0) == before
    review.press("Ctrl+Y")
    assert _item(review, 0).decision.value == decision


def test_next_doubtful_goes_to_what_was_not_found_first(review):
    review.press("N")
    first = review.session.current[1]
    assert review.session.item(review.scan, first).needs_review
    # all that is not simply found comes before what is
    while review.session.item(review.scan, review.session.current[1]).needs_review:
        review.press("M")
        review.press("N")
    assert review.session.state.counts()["doubtful"] + review.session.state.counts()["missing"] == 0


def test_next_candidate_moves_the_point(review):
    row = next(row for row in range(5) if _item(review, row).has_other_candidate)
    review.click_cell(row)
    before = positions(_markups(review))[review.labels[row]]
    review.press("C")
    after = positions(_markups(review))[review.labels[row]]
    assert np.linalg.norm(after - before) > 1.0
    assert "Candidate 2 of" in review.ui.detailLabel.text


def test_keys_do_nothing_after_the_module_was_left(review):
    review.click_cell(0)
    review.widget.exit()
    review.press("A")
    assert _item(review, 0).decision.value == "OPEN"
    review.widget.enter()
    review.press("A")
    assert _item(review, 0).decision.value == "ACCEPTED"


def test_a_dragged_point_is_a_correction_with_before_and_after(review):
    review.click_cell(0)
    view = review.view_of(review.follow_up)
    start = positions(_markups(review))[review.labels[0]]
    end = start + [18.0, -12.0, 0.0]
    review.bench.drag(view, tuple(start), tuple(end))
    review.wait_for_end()
    item, entry = _item(review, 0), review.session.state.log[-1]
    assert item.decision.value == "CORRECTED"
    assert np.linalg.norm(positions(_markups(review))[review.labels[0]] - end) < 2.0
    assert np.linalg.norm(np.subtract(entry.after_lps, entry.before_lps)) == pytest.approx(21.6, abs=3)
    assert review.cell(0).startswith("✎ Corrected")
    review.press("Ctrl+Z")
    assert np.linalg.norm(positions(_markups(review))[review.labels[0]] - start) < 0.01
    assert _item(review, 0).decision.value == "OPEN"


def test_a_point_that_was_not_found_is_put_under_the_mouse(review):
    last = len(review.labels) - 1
    review.click_cell(last)
    place = positions(_markups(review))[review.labels[0]]
    review.bench.hover(review.view_of(review.template), (0.0, 0.0, 0.0))
    review.press("P")
    assert _item(review, last).decision.value == "OPEN"
    assert "2024-02-03" in review.ui.messageLabel.text
    view = review.view_of(review.follow_up)
    review.go_to(view, place)
    review.bench.hover(view, tuple(place))
    review.press("P")
    assert _item(review, last).decision.value == "CORRECTED"
    assert np.linalg.norm(positions(_markups(review))[review.labels[last]] - place) < 2.0
    review.press("Ctrl+Z")
    assert _item(review, last).decision.value == "OPEN"


def test_a_whole_transfer_is_one_step_of_undo(review):
    review.click(review.ui.undoButton)
    assert not positions(_markups(review)) if _markups(review) else True
    assert review.cell(0) == ""
    review.click(review.ui.redoButton)
    assert positions(_markups(review))
    assert review.cell(0).startswith(("Found", "Doubtful"))


def test_the_heat_map_is_shown_over_the_follow_up_and_taken_away(review):
    review.click_cell(0)
    composite = review.bench.layout_manager.sliceWidget(
        review.view_of(review.follow_up)
    ).mrmlSliceCompositeNode()
    review.click(review.ui.heatMapCheckBox)
    review.bench.wait_until(composite.GetForegroundVolumeID, 60, "the overlay is there")
    assert composite.GetForegroundOpacity() > 0
    overlay = slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID())
    assert overlay.GetName() not in " ".join(review.follow_up_texts())
    review.click(review.ui.heatMapCheckBox)
    assert not composite.GetForegroundVolumeID() or composite.GetForegroundOpacity() == 0


def test_export_writes_points_tables_and_report(review, tmp_path):
    folder = tmp_path / "Ergebnis für Müller"
    review.ui.exportFolderButton.directory = str(folder)
    review.bench.settle()
    review.click(review.ui.exportButton)
    names = sorted(path.name for path in folder.iterdir())
    assert sum(name.endswith(".mrk.json") for name in names) == 2, names
    assert any(name.endswith(".csv") for name in names)
    assert any(name.endswith(".html") for name in names)
    follow_up = next(path for path in folder.glob("*.mrk.json") if "ollow" in path.name)
    points = json.loads(follow_up.read_text(encoding="utf-8"))["markups"][0]["controlPoints"]
    assert [point["label"] for point in points] == review.labels
    assert "files were written" in review.ui.exportLabel.text
    assert review.ui.openFolderButton.enabled


def test_an_export_that_fails_tells_why(review, tmp_path):
    blocked = tmp_path / "a file"
    blocked.write_text("", encoding="utf-8")
    review.ui.exportFolderButton.directory = str(blocked)
    review.bench.settle()
    review.click(review.ui.exportButton)
    assert "a file" in review.ui.exportLabel.text
    assert not review.ui.openFolderButton.enabled


def test_a_saved_scene_brings_the_review_back(review, tmp_path):
    review.click_cell(0)
    review.press("A")
    review.click_cell(1)
    review.press("R")
    before = [review.cell(row) for row in range(len(review.labels))]
    saved = positions(_markups(review))
    archive = str(tmp_path / "study.mrb")
    assert slicer.mrmlScene.WriteToMRB(archive, None)
    review.start_anew()
    assert review.ui.reviewTable.rowCount == 0
    slicer.mrmlScene.ReadFromMRB(archive)
    review.bench.settle(100)
    review.scan = review.session.follow_ups[0].key
    assert [review.cell(row) for row in range(len(review.labels))] == before
    assert review.parameters.templateVolume.GetName() == "Baseline"
    assert not review.session.busy
    for label, point in positions(_markups(review)).items():
        assert np.linalg.norm(point - saved[label]) < 0.001
    review.click_cell(2)
    review.press("A")
    assert _item(review, 2).decision.value == "ACCEPTED"
