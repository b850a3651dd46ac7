"""Reviewing landmarks: decisions, corrections, candidates, and what they do to the markups."""

from __future__ import annotations

import numpy as np
import slicer
from numpy.testing import assert_allclose
from scene_steps import LABELS, TIMEOUT, move_in_view, place_in_view

from SAMLandmarkLib.core.geometry import affine_from_parts
from SAMLandmarkLib.review import Decision
from SAMLandmarkLib.scene.follow_up import read_follow_up
from SAMLandmarkLib.session import Change


class TestReview:
    def test_decisions_reach_the_markups_and_can_be_undone_one_by_one(self, transferred):
        may = transferred.follow_ups[0]
        start, node = transferred.state, may.markups_node
        transferred.select(may.key, LABELS[0])
        transferred.accept()
        transferred.reject(may.key, LABELS[1])
        transferred.set_missing(may.key, LABELS[2])
        assert [item.decision for item in transferred.state.items(may.key).values()] == [
            Decision.ACCEPTED,
            Decision.REJECTED,
            Decision.SET_MISSING,
        ]
        statuses = [node.GetNthControlPointPositionStatus(number) for number in range(3)]
        assert statuses == [node.PositionDefined, node.PositionMissing, node.PositionMissing]
        for _ in range(3):
            transferred.undo()
        assert transferred.state == start
        assert node.GetNthControlPointPositionStatus(1) == node.PositionDefined
        transferred.redo()
        assert transferred.item(may.key, LABELS[0]).decision is Decision.ACCEPTED

    def test_a_dragged_follow_up_point_is_a_correction_with_a_log(self, transferred):
        may = transferred.follow_ups[0]
        before = transferred.item(may.key, LABELS[1])
        move_in_view(may.markups_node, 1, (2.0, -3.0, 1.0))
        item, (entry,) = transferred.item(may.key, LABELS[1]), transferred.state.log
        assert item.decision is Decision.CORRECTED
        assert_allclose(item.position_lps, np.array(before.position_lps) + (-2.0, 3.0, 1.0), atol=1e-6)
        assert (entry.who, entry.action, entry.before_lps) == ("AB", "corrected", before.position_lps)
        assert entry.after_lps == item.position_lps
        transferred.undo()
        assert transferred.item(may.key, LABELS[1]) == before
        assert_allclose(read_follow_up(may.markups_node, may.volume_node)[LABELS[1]], before.position_lps)

    def test_points_move_with_their_volume_and_that_is_no_correction(self, transferred, loaded, scene):
        may, before = transferred.follow_ups[0], transferred.state
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(
            slicer.util.vtkMatrixFromArray(affine_from_parts((40, 0, 0), (1, 1, 1), np.eye(3)))
        )
        shown = np.array(may.markups_node.GetNthControlPointPositionWorld(0))
        loaded.may.SetAndObserveTransformNodeID(transform.GetID())
        may.markups_node.SetNthControlPointSelected(1, False)
        assert transferred.state is before
        assert_allclose(may.markups_node.GetNthControlPointPositionWorld(0), shown + (40, 0, 0))
        loaded.may.HardenTransform()
        assert_allclose(may.markups_node.GetNthControlPointPositionWorld(0), shown + (40, 0, 0))

    def test_a_missing_landmark_can_be_placed_by_hand(self, transferred):
        may = transferred.follow_ups[0]
        transferred.set_missing(may.key, LABELS[0])
        may.markups_node.SetNthControlPointPosition(0, 1.0, 2.0, -350.0)
        item = transferred.item(may.key, LABELS[0])
        assert (item.decision, item.position_lps) == (Decision.CORRECTED, (-1.0, -2.0, -350.0))

    def test_a_point_set_missing_in_slicers_own_table_is_set_missing(self, transferred):
        may = transferred.follow_ups[0]
        may.markups_node.SetNthControlPointPositionMissing(0)
        assert transferred.item(may.key, LABELS[0]).decision is Decision.SET_MISSING

    def test_candidates_are_tried_one_after_the_other(self, transferred):
        may = transferred.follow_ups[0]
        label = next(
            name for name, item in transferred.state.items(may.key).items() if len(item.candidates) > 1
        )
        transferred.select(may.key, label)
        first = transferred.item(may.key, label).position_lps
        transferred.next_candidate()
        item = transferred.item(may.key, label)
        assert item.position_lps == item.candidates[1][0] != first
        assert_allclose(
            read_follow_up(may.markups_node, may.volume_node)[label], item.position_lps, atol=1e-6
        )
        transferred.reopen()
        assert transferred.item(may.key, label).position_lps == first

    def test_the_queue_leads_through_all_doubtful_landmarks_and_says_when_it_is_done(
        self, ready, case, worker
    ):
        for number in range(2):
            place_in_view(case.markups, f"beyond {number}", np.array([-170.0, 40.0, -244.0 + number]))
        ready.transfer()
        assert worker.wait(TIMEOUT)
        visited = []
        while ready.next_doubtful():
            visited.append(ready.current)
            ready.set_missing()
        expected = {(column.key, f"beyond {number}") for column in ready.follow_ups for number in range(2)}
        assert set(visited) >= expected and len(visited) == len(set(visited))
        assert ready.message == "Nothing doubtful is left to review."

    def test_a_key_without_a_selected_landmark_tells_what_to_do(self, transferred):
        transferred.accept()
        assert "Select a landmark" in transferred.message and transferred.state.log == ()

    def test_corrections_become_templates_for_the_other_scans(self, transferred, worker):
        may, june = transferred.follow_ups
        transferred.use_corrections = True
        answered = transferred.item(june.key, LABELS[0])
        transferred.accept(june.key, LABELS[1])
        move_in_view(may.markups_node, 0, (1.0, 0.0, 0.0))
        request = transferred.transfers.make_request(june.key, LABELS)
        ((key, labels, points),) = request.extra_templates
        assert (key, labels) == (may.key, [LABELS[0]])
        assert_allclose(points, [transferred.item(may.key, LABELS[0]).position_lps])
        assert transferred.transfers.make_request(may.key, LABELS).extra_templates == []
        assert worker.busy
        assert worker.wait(TIMEOUT)
        assert transferred.item(june.key, LABELS[0]) != answered
        assert transferred.item(june.key, LABELS[1]).decision is Decision.ACCEPTED

    def test_markups_that_the_user_deleted_come_back_with_the_next_change(self, transferred, scene):
        may = transferred.follow_ups[0]
        scene.RemoveNode(may.markups_node)
        assert transferred.follow_ups[0].markups_node is None
        transferred.accept(may.key, LABELS[0])
        node = transferred.follow_ups[0].markups_node
        assert node is not may.markups_node and node.GetNumberOfControlPoints() == 3
        move_in_view(node, 0, (1.0, 0.0, 0.0))
        assert transferred.item(may.key, LABELS[0]).decision is Decision.CORRECTED

    def test_follow_ups_taken_away_and_chosen_again_keep_their_review(self, transferred, loaded):
        june = transferred.follow_ups[1]
        transferred.accept(june.key, LABELS[0])
        transferred.set_follow_ups([loaded.may])
        assert [column.name for column in transferred.follow_ups] == ["May"]
        transferred.set_follow_ups([loaded.may, loaded.june])
        assert transferred.item(june.key, LABELS[0]).decision is Decision.ACCEPTED
        assert transferred.follow_ups[1].markups_node is june.markups_node

    def test_another_template_has_a_review_of_its_own_and_the_first_one_waits(
        self, transferred, loaded, add_markups
    ):
        may = transferred.follow_ups[0]
        transferred.accept(may.key, LABELS[0])
        state = transferred.state
        transferred.set_template(loaded.april, add_markups({"other": (1.0, 2.0, -350.0)}, "other list"))
        assert transferred.state.scans == {} and transferred.labels == ("other",)
        transferred.set_template(loaded.april, loaded.markups)
        assert transferred.state == state
        assert transferred.follow_ups[0].markups_node is may.markups_node


def test_listeners_hear_what_changed(transferred):
    changes = []
    transferred.add_listener(changes.append)
    transferred.select(transferred.follow_ups[0].key, LABELS[0])
    transferred.accept()
    assert changes == [Change.SELECTION, Change.REVIEW]
    transferred.remove_listener(changes.append)
    transferred.accept()
    assert len(changes) == 2
