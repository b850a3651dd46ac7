"""Step 2 with the real engine on the sample pair: transfer, live transfer, cancel, a worker that dies."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from samples import add_points, add_volume, points_inside
from user import positions

TOLERANCE_MM = 10.0


@pytest.fixture
def study(user, sample_crops):
    """The sample pair in the scene, chosen and ticked, with the template's points; `truth` are the follow-up's."""
    template = add_volume(sample_crops[0], "Baseline", "20240101")
    follow_up = add_volume(sample_crops[1], "Follow-up", "20240203")
    points = points_inside("template", sample_crops[0])
    truth = points_inside("followup", sample_crops[1])
    user.points = {label: point for label, point in points.items() if label in truth}
    user.truth, user.template, user.follow_up = truth, template, follow_up
    user.choose(template)
    user.tick("Follow-up")
    return user


def _follow_up_points(user) -> dict[str, np.ndarray]:
    markups = user.session.follow_ups[0].markups_node
    return positions(markups) if markups else {}


def test_all_points_are_found_on_the_follow_up(study):
    study.choose(points=add_points(study.points))
    study.transfer()
    found = _follow_up_points(study)
    errors = [np.linalg.norm(point - study.truth[label]) for label, point in found.items()]
    assert len(errors) >= len(study.points) - 1
    assert np.median(errors) < TOLERANCE_MM / 2, errors
    assert study.ui.reviewTable.rowCount == len(study.points)
    assert study.cell(0).split()[0] in ("Found", "Doubtful")
    assert study.ui.reviewTable.horizontalHeaderItem(0).text() == "2024-02-03"


def test_the_time_it_takes_is_told_before_and_the_step_meanwhile(study):
    study.choose(points=add_points(study.points))
    assert not study.ui.estimateLabel.isHidden()
    with study.engine_held():
        study.click(study.ui.transferButton)
        assert not study.ui.progressBar.isHidden()
        assert any(name in study.ui.statusLabel.text for name in ("Baseline", "Follow-up"))
    study.wait_for_end()
    assert study.ui.progressBar.isHidden() and not study.ui.statusLabel.text
    assert study.ui.estimateLabel.text == "The scans are ready: a transfer takes a moment."


def test_live_a_clicked_point_appears_on_the_follow_up(study):
    study.wait_for_end()
    study.click(study.ui.liveCheckBox)
    study.click(study.ui.placeButton)
    label, point = next(iter(study.points.items()))
    view = study.view_of(study.template)
    study.go_to(view, point)
    study.bench.click(view, tuple(point))
    study.bench.wait_until(lambda: _follow_up_points(study), 60, "the point is on the follow-up")
    study.wait_for_end()
    found = _follow_up_points(study)["Point 1"]
    assert np.linalg.norm(found - study.truth[label]) < TOLERANCE_MM


def test_live_a_dragged_point_moves_on_the_follow_up_too(study):
    labels = list(study.points)[:2]
    points = add_points({"moving": study.points[labels[0]]})
    study.choose(points=points)
    study.click(study.ui.liveCheckBox)
    study.bench.wait_until(lambda: _follow_up_points(study), 90, "the point is on the follow-up")
    before = _follow_up_points(study)["moving"]
    view = study.view_of(study.template)
    start = study.points[labels[0]]
    end = start + [25.0, 15.0, 0.0]
    study.go_to(view, start)
    study.bench.drag(view, tuple(start), tuple(end))
    assert np.linalg.norm(positions(points)["moving"] - end) < 2.0
    moved = lambda: np.linalg.norm(_follow_up_points(study).get("moving", before) - before) > 5
    study.bench.wait_until(moved, 60, "the follow-up's point moved")


def test_a_click_on_the_follow_up_while_placing_adds_no_point_to_the_template(study):
    study.wait_for_end()
    study.click(study.ui.placeButton)
    view = study.view_of(study.follow_up)
    study.go_to(view, next(iter(study.truth.values())))
    study.bench.click(view, tuple(next(iter(study.truth.values()))))
    assert positions(study.parameters.templatePoints) == {}
    point = next(iter(study.points.values()))
    study.go_to(study.view_of(study.template), point)
    study.bench.click(study.view_of(study.template), tuple(point))
    assert list(positions(study.parameters.templatePoints)) == ["Point 1"]


def test_cancel_in_the_middle_and_transfer_again(study):
    study.choose(points=add_points(study.points))
    with study.engine_held():
        study.click(study.ui.transferButton)
        assert study.ui.transferButton.text == "Cancel"
        study.click(study.ui.transferButton)
        study.bench.wait_until(lambda: not study.session.transferring, 20, "it is canceled")
    study.bench.settle(100)
    assert study.ui.transferButton.text == "Transfer points"
    assert _follow_up_points(study) == {}
    study.transfer()
    assert _follow_up_points(study)


def test_a_worker_that_is_killed_is_told_in_one_sentence_and_replaced(study):
    study.choose(points=add_points(study.points))
    with study.engine_held() as process_id:
        study.click(study.ui.transferButton)
        os.kill(process_id, signal.SIGKILL)
    study.bench.wait_until(lambda: not study.session.transferring, 60, "the end of the worker is noticed")
    study.bench.settle(100)
    assert study.ui.messageLabel.text.endswith(".")
    assert not study.ui.messageLabel.isHidden()
    study.transfer()
    assert _follow_up_points(study)


def test_the_scene_is_closed_in_the_middle(study):
    study.choose(points=add_points(study.points))
    with study.engine_held():
        study.click(study.ui.transferButton)
        study.bench.settle(300)
        study.start_anew()
    study.bench.wait_until(lambda: not study.session.busy, 60, "nothing runs any more")
    assert study.session.template_volume is None
    assert study.session.follow_ups == ()
    assert study.ui.reviewTable.rowCount == 0
    assert study.bench.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0
