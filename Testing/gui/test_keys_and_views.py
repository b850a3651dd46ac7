"""Keys that the user chooses and that never fight others, and the options of the views."""

from __future__ import annotations

import pytest
import slicer
from PySide6 import QtGui, QtWidgets
from samples import add_points, add_volume, points_inside
from three_d import ThreeDView
from user import positions


@pytest.fixture(scope="module")
def saved(tmp_path_factory, bench, sample_crops) -> str:
    """A transferred study, saved: it is computed once for all tests here."""
    from user import User

    user = User(bench)
    user.start_anew()
    points, truth = points_inside("template", sample_crops[0]), points_inside("followup", sample_crops[1])
    user.choose(
        add_volume(sample_crops[0], "Baseline", "20240101"),
        add_points(dict([(k, v) for k, v in points.items() if k in truth][:4])),
    )
    add_volume(sample_crops[1], "Follow-up", "20240203")
    user.bench.settle()
    user.tick("Follow-up")
    user.transfer()
    path = str(tmp_path_factory.mktemp("saved") / "study.mrb")
    assert slicer.mrmlScene.WriteToMRB(path, None)
    user.start_anew()
    return path


@pytest.fixture
def review(saved, user):
    slicer.mrmlScene.ReadFromMRB(saved)
    user.bench.settle(100)
    user.scan = user.session.follow_ups[0].key
    user.labels = list(user.session.labels)
    user.markups = user.session.follow_ups[0].markups_node
    yield user
    for action in ("accept_and_go_on", "reject"):
        slicer.app.userSettings().remove(f"SAMLandmark/Keys/{action}")
    user.widget._panel._keysChanged()


def decision(review, row: int) -> str:
    return review.session.item(review.scan, review.labels[row]).decision.value


def change_key(review, action: str, key: str) -> None:
    from SAMLandmarkPanel.keys import ACTIONS

    review.ui.advancedStep.collapsed = False
    review.ui.keyActionSelector.setCurrentIndex(ACTIONS.index(action))
    review.ui.keyEdit.setText(key)
    review.ui.keyEdit.editingFinished.emit()
    review.bench.settle()
    review.ui.advancedStep.collapsed = True


def test_accepting_goes_on_to_the_next_undecided(review):
    review.click_cell(0)
    review.press("A")
    assert decision(review, 0) == "ACCEPTED"
    assert (
        review.session.current[1] != review.labels[0]
        and decision(review, review.labels.index(review.session.current[1])) == "OPEN"
    )
    review.press("Shift+N")
    review.press("Ctrl+Z")
    assert decision(review, 0) == "OPEN"


def test_a_key_can_be_changed(review):
    change_key(review, "accept_and_go_on", "f5")
    assert review.ui.keyEdit.text == "F5" and review.ui.acceptButton.text == "Accept (F5)"
    review.click_cell(0)
    review.press("A")
    assert decision(review, 0) == "OPEN"
    review.press("F5")
    assert decision(review, 0) == "ACCEPTED"


def test_a_key_means_one_thing_only(review):
    change_key(review, "accept_and_go_on", "R")
    assert review.ui.rejectButton.text == "Reject" and review.ui.acceptButton.text == "Accept (R)"
    review.click_cell(1)
    review.press("R")
    assert decision(review, 1) == "ACCEPTED"


def test_what_is_no_key_is_not_taken(review):
    change_key(review, "accept_and_go_on", "no such key")
    assert review.ui.acceptButton.text == "Accept (A)"


def test_a_key_that_another_extension_uses_stays_with_it(review):
    pressed = []
    other = QtGui.QShortcut(QtGui.QKeySequence("A"), review.bench.window)
    other.activated.connect(lambda: pressed.append("A"))
    review.widget.exit()
    review.widget.enter()
    try:
        review.click_cell(0)
        review.press("A")
        assert pressed == ["A"] and decision(review, 0) == "OPEN"
        assert "so not here: A." in review.ui.keyLabel.text
    finally:
        other.setParent(None)
        other.deleteLater()
        review.bench.settle()
    review.widget.exit()
    review.widget.enter()
    review.press("A")
    assert decision(review, 0) == "ACCEPTED"


def test_all_that_was_found_surely_is_accepted_and_taken_back_at_once(review):
    review.ui.acceptLimitBox.value = 50
    review.click(review.ui.acceptFoundButton)
    accepted = review.session.counts["accepted"]
    assert accepted > 0 and f"{accepted} points were accepted" in review.ui.messageLabel.text
    review.press("Ctrl+Z")
    assert review.session.counts["accepted"] == 0


def test_the_views_follow_the_boxes(review):
    review.click(review.ui.linkedCheckBox)
    assert review.session.views.linking.on is review.ui.linkedCheckBox.checked
    review.click(review.ui.linkedCheckBox)
    baseline, follow_up = (slicer.util.getNode(name) for name in ("Baseline", "Follow-up"))
    review.click(review.ui.grayLevelsCheckBox)
    follow_up.GetDisplayNode().SetWindowLevel(321, 12)
    assert baseline.GetDisplayNode().GetWindow() == 321
    review.click(review.ui.grayLevelsCheckBox)
    review.ui.windowSelector.activated.emit(2)
    assert baseline.GetDisplayNode().GetWindow() == follow_up.GetDisplayNode().GetWindow() == 1500
    assert review.ui.windowSelector.currentIndex == 0
    review.click(review.ui.oneAtATimeCheckBox)
    assert review.session.views.one_at_a_time
    review.click(review.ui.oneAtATimeCheckBox)


def crosshair_names(review) -> list[str]:
    """The names that the crosshairs of the scans show."""
    nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    crosshairs = [node for node in nodes if node.GetAttribute("SAMLandmark.Crosshair")]
    shown = [node for node in crosshairs if node.GetDisplayNode().GetPointLabelsVisibility()]
    return [node.GetNthControlPointLabel(0) for node in shown]


def test_the_point_under_review_alone_shows_its_name_unless_all_are_to(review):
    displays = [node.GetDisplayNode() for node in (review.markups, review.parameters.templatePoints)]
    review.click_cell(1)
    assert [display.GetPointLabelsVisibility() for display in displays] == [False, False]
    assert crosshair_names(review) == [review.labels[1]] * 2
    review.click(review.ui.namesCheckBox)
    assert [display.GetPointLabelsVisibility() for display in displays] == [True, True]
    assert crosshair_names(review) == []
    review.click(review.ui.namesCheckBox)
    assert crosshair_names(review) == [review.labels[1]] * 2


def test_a_click_on_a_point_in_a_view_reviews_it(review):
    follow_up, baseline = (slicer.util.getNode(name) for name in ("Follow-up", "Baseline"))
    for row, volume, points in (
        (2, follow_up, review.markups),
        (1, baseline, review.parameters.templatePoints),
    ):
        review.click_cell(0)
        place = positions(points)[review.labels[row]]
        review.go_to(review.view_of(volume), place)
        review.bench.click(review.view_of(volume), tuple(place))
        assert review.session.current == (review.scan, review.labels[row])
        assert decision(review, row) == "OPEN"


def test_a_click_on_a_point_in_a_3d_view_reviews_it(review):
    review.click_cell(0)
    view = ThreeDView()
    try:
        view.click(positions(review.markups)[review.labels[2]])
        assert review.session.current == (review.scan, review.labels[2])
        view.click(positions(review.parameters.templatePoints)[review.labels[1]])
        assert review.session.current == (review.scan, review.labels[1])
    finally:
        view.close()


def test_the_point_under_the_mouse_tells_its_confidence(review, monkeypatch):
    told = []
    monkeypatch.setattr(QtWidgets.QToolTip, "showText", lambda place, text, *_: told.append(text))
    review.click_cell(0)
    place = positions(review.markups)[review.labels[0]]
    view = review.view_of(slicer.util.getNode("Follow-up"))
    review.go_to(view, place)
    review.bench.hover(view, tuple(place))
    assert told and told[-1].startswith(f"{review.labels[0]} on 2024-02-03: ")
    assert "sure to be within 10 mm" in told[-1]
