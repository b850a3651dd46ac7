"""Deciding about results in the module: keys, corrections, undo, export and the saved scene."""

from __future__ import annotations

import json

import numpy as np
import pytest
import slicer
from user import positions


def _item(user, row: int):
    return user.session.item(user.scan, user.labels[row])


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
    before = positions(review.result_node)[review.labels[row]]
    review.press("C")
    after = positions(review.result_node)[review.labels[row]]
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
    start = positions(review.result_node)[review.labels[0]]
    end = start + [18.0, -12.0, 0.0]
    review.bench.drag(view, tuple(start), tuple(end))
    review.wait_for_end()
    item, entry = _item(review, 0), review.session.state.log[-1]
    assert item.decision.value == "CORRECTED"
    assert np.linalg.norm(positions(review.result_node)[review.labels[0]] - end) < 2.0
    assert np.linalg.norm(np.subtract(entry.after_lps, entry.before_lps)) == pytest.approx(21.6, abs=3)
    assert review.cell(0).startswith("✎ Corrected")
    review.press("Ctrl+Z")
    assert np.linalg.norm(positions(review.result_node)[review.labels[0]] - start) < 0.01
    assert _item(review, 0).decision.value == "OPEN"


def test_a_point_that_was_not_found_is_put_under_the_mouse(review):
    last = len(review.labels) - 1
    review.click_cell(last)
    place = positions(review.result_node)[review.labels[0]]
    review.bench.hover(review.view_of(review.template), (0.0, 0.0, 0.0))
    review.press("P")
    assert _item(review, last).decision.value == "OPEN"
    assert "2024-02-03" in review.ui.messageLabel.text
    view = review.view_of(review.follow_up)
    review.go_to(view, place)
    review.bench.hover(view, tuple(place))
    review.press("P")
    assert _item(review, last).decision.value == "CORRECTED"
    assert np.linalg.norm(positions(review.result_node)[review.labels[last]] - place) < 2.0
    review.press("Ctrl+Z")
    assert _item(review, last).decision.value == "OPEN"


def test_a_whole_transfer_is_one_step_of_undo(review):
    review.click(review.ui.undoButton)
    assert not positions(review.result_node) if review.result_node else True
    assert review.cell(0) == ""
    review.click(review.ui.redoButton)
    assert positions(review.result_node)
    assert review.cell(0).startswith(("Found", "Doubtful"))


def test_the_export_folder_stays_on_this_computer(review, tmp_path):
    review.ui.exportFolderButton.directory = str(tmp_path / "private")
    review.bench.settle()
    slicer.mrmlScene.SetURL(str(tmp_path / "scene.mrml"))
    slicer.mrmlScene.Commit()
    assert "private" not in (tmp_path / "scene.mrml").read_text(encoding="utf-8")
    review.start_anew()
    assert review.ui.exportFolderButton.directory == str(tmp_path / "private")


def test_the_folder_of_an_older_scene_is_taken_out_of_it(review):
    node = review.parameters.parameterNode
    node.SetParameter("exportFolder", r"C:\\Users\\somebody")
    review.widget.initializeParameterNode()
    assert not node.GetParameter("exportFolder")


def test_export_writes_points_tables_and_report(review, tmp_path):
    folder = tmp_path / "Ergebnis für Müller"
    review.ui.exportFolderButton.directory = str(folder)
    review.bench.settle()
    review.export()
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
    review.export()
    assert "a file" in review.ui.exportLabel.text
    assert not review.ui.openFolderButton.enabled


def test_an_export_shows_how_far_it_is_and_can_be_canceled(review, tmp_path):
    review.ui.exportFolderButton.directory = str(tmp_path)
    review.ui.picturesSelector.setCurrentIndex(1)
    review.click(review.ui.exportButton)
    assert review.ui.exportButton.text == "Cancel" and not review.ui.exportProgress.isHidden()
    review.click(review.ui.exportButton)
    assert review.ui.exportButton.text == "Export" and review.ui.exportProgress.isHidden()
    assert "canceled" in review.ui.exportLabel.text
    assert not (tmp_path / "report.html").exists()
    review.ui.picturesSelector.setCurrentIndex(0)


def test_a_saved_scene_brings_the_review_back(review, tmp_path):
    review.click_cell(0)
    review.press("A")
    review.click_cell(1)
    review.press("R")
    before = [review.cell(row) for row in range(len(review.labels))]
    saved = positions(review.result_node)
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
    for label, point in positions(review.result_node).items():
        assert np.linalg.norm(point - saved[label]) < 0.001
    review.click_cell(2)
    review.press("A")
    assert _item(review, 2).decision.value == "ACCEPTED"
