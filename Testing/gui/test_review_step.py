"""Step 3: the table, the keys, corrections with the mouse, undo, heat map, export, and the scene saved and loaded."""

from __future__ import annotations

import numpy as np
import slicer
from PySide6 import QtCore
from samples import add_points, add_volume
from user import positions


def _center(user, view: str) -> np.ndarray:
    node = user.bench.layout_manager.sliceWidget(view).mrmlSliceNode()
    return np.array([node.GetSliceToRAS().GetElement(row, 3) for row in range(3)])


def test_a_click_on_a_result_takes_both_scans_there_and_no_other(review):
    review.click_cell(1)
    template_view, follow_up_view = review.view_of(review.template), review.view_of(review.follow_up)
    point = positions(review.result_node)[review.labels[1]]
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
    scans = ((1, review.template, review.points), (2, review.follow_up, positions(review.result_node)))
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
    template, follow_up = (
        review.parameters.templatePoints.GetDisplayNode(),
        review.result_node.GetDisplayNode(),
    )
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
    status = review.result_node.GetNthControlPointPositionStatus(last)
    assert status == slicer.vtkMRMLMarkupsNode.PositionMissing
    review.click_cell(last)
    assert "outside the template" in review.ui.detailLabel.text
    assert not review.ui.acceptButton.enabled
    assert review.ui.acceptButton.toolTip == (
        "This point has no position here: P puts it where the mouse is, M says that it is not on this scan."
    )


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


def test_an_answer_writes_only_the_cells_that_it_changes(review, monkeypatch):
    table = review.widget._panel._reviewStep._table
    assert table.fill() == 0
    written = []
    write = table._writeCell
    monkeypatch.setattr(table, "_writeCell", lambda *cell: written.append(cell[:2]) or write(*cell))
    review.click_cell(1)
    review.press("A")
    assert written == [(1, 0)]


def test_a_cell_explains_itself_under_the_mouse(review):
    table = review.ui.reviewTable
    table.cellEntered.emit(0, 0)
    assert table.item(0, 0).toolTip().startswith(f"{review.labels[0]} on 2024-02-03: ")


def test_what_a_script_transfers_is_what_the_panel_shows(review):
    other = add_volume(review.sample_crops[1], "Second follow-up", "20240401")
    points = add_points({"alone": review.points[review.labels[0]]}, "Script's points")
    (markups,) = review.widget.logic.transfer(review.template, points, [other])
    review.bench.settle()
    assert review.parameters.templatePoints is points and review.parameters.followUps == [other]
    assert review.session.follow_ups[0].markups_node is markups
    assert list(positions(markups)) == ["alone"] and review.ui.reviewTable.rowCount == 1
    # the other list comes with its own follow-up, results and all
    review.choose(points=slicer.mrmlScene.GetFirstNodeByName("Landmarks"))
    assert [scan.name for scan in review.session.follow_ups] == ["Follow-up"]
    assert review.parameters.followUps == [review.follow_up]
    assert review.cell(0) != ""
