"""Landmarks that are placed, dragged, renamed and removed while everything follows."""

from __future__ import annotations

import numpy as np
import pytest
import vtk
from scene_steps import LABELS, TIMEOUT, error_mm, move_in_view, place_in_view

from SAMLandmarkLib.review import Decision
from SAMLandmarkLib.scene.follow_up import read_follow_up


class TestLive:
    @pytest.fixture
    def live(self, transferred):
        transferred.live = True
        return transferred

    def test_a_point_placed_on_the_template_appears_on_all_follow_ups(self, live, loaded, worker):
        place_in_view(loaded.markups, "sma", np.array([15.8, 8.8, -360.5]))
        assert live.labels[-1] == "sma"
        assert worker.wait(TIMEOUT)
        for column in live.follow_ups:
            assert error_mm(live, column, "sma", {"sma": loaded.truth["sma_aorta_inferior_crotch"]}) < 6
            assert column.markups_node.GetNthControlPointLabel(3) == "sma"

    def test_a_dragged_point_is_carried_when_it_is_let_go(self, live, loaded, worker):
        before = live.state
        loaded.markups.InvokeEvent(loaded.markups.PointStartInteractionEvent)
        loaded.markups.SetNthControlPointPosition(0, 0.0, 0.0, -350.0)
        assert not worker.busy and live.state is before
        loaded.markups.SetNthControlPointPosition(0, *(loaded.places[LABELS[1]] * (-1, -1, 1)))
        loaded.markups.InvokeEvent(loaded.markups.PointEndInteractionEvent)
        assert worker.wait(TIMEOUT)
        for column in live.follow_ups:
            assert error_mm(live, column, LABELS[0], {LABELS[0]: loaded.truth[LABELS[1]]}) < 6

    def test_placing_is_undone_and_redone_together_with_its_consequences(self, live, loaded, worker):
        before = live.state
        place_in_view(loaded.markups, "sma", np.array([15.8, 8.8, -360.5]))
        assert worker.wait(TIMEOUT)
        after = live.state
        live.undo()
        assert live.state == before and live.labels == LABELS
        assert {column.markups_node.GetNumberOfControlPoints() for column in live.follow_ups} == {3}
        live.redo()
        assert live.state == after and live.labels == (*LABELS, "sma")
        assert not live.busy

    def test_an_answer_that_comes_after_the_undo_changes_nothing(self, live, loaded, worker):
        before = live.state
        place_in_view(loaded.markups, "sma", np.array([15.8, 8.8, -360.5]))
        live.undo()
        assert worker.wait(TIMEOUT)
        assert live.state == before and not live.busy

    def test_a_removed_point_is_removed_everywhere(self, live, loaded, worker):
        loaded.markups.RemoveNthControlPoint(1)
        assert live.labels == (LABELS[0], LABELS[2])
        for column in live.follow_ups:
            assert list(live.state.items(column.key)) == [LABELS[0], LABELS[2]]
            assert column.markups_node.GetNumberOfControlPoints() == 2

    def test_a_renamed_point_is_renamed_everywhere_and_keeps_its_decision(self, live, loaded):
        may, june = live.follow_ups
        live.accept(may.key, LABELS[0])
        loaded.markups.SetNthControlPointLabel(0, "left tip")
        assert live.item(may.key, "left tip").decision is Decision.ACCEPTED
        assert june.markups_node.GetNthControlPointLabel(0) == "left tip"

    def test_a_point_renamed_while_its_answer_is_on_the_way_gets_it_under_the_new_name(
        self, live, loaded, worker
    ):
        place_in_view(loaded.markups, "sma", np.array([15.8, 8.8, -360.5]))
        loaded.markups.SetNthControlPointLabel(3, "superior mesenteric artery")
        assert worker.wait(TIMEOUT)
        assert {live.item(column.key, "superior mesenteric artery").status for column in live.follow_ups} == {
            "FOUND"
        }

    def test_a_point_moved_again_while_its_answer_is_on_the_way_ends_where_it_belongs(
        self, live, loaded, worker
    ):
        for place in (LABELS[1], LABELS[2], LABELS[0], LABELS[1]):
            loaded.markups.SetNthControlPointPosition(0, *(loaded.places[place] * (-1, -1, 1)))
        assert worker.wait(TIMEOUT)
        for column in live.follow_ups:
            assert error_mm(live, column, LABELS[0], {LABELS[0]: loaded.truth[LABELS[1]]}) < 6
            assert not live.is_outdated(column.key, LABELS[0])

    def test_hovering_changes_nothing_until_the_click(self, live, loaded, worker):
        live.live, node = False, loaded.markups
        number = node.AddControlPoint(vtk.vtkVector3d(0, 0, -350), "sma")
        node.UnsetNthControlPointPosition(number)
        live.live = True
        before = live.state
        assert live.labels == before.labels == LABELS
        for x in (10.0, 5.0, 0.0):
            node.SetNthControlPointPosition(number, x, 0.0, -350.0, node.PositionPreview)
        assert live.state is before and not live.busy
        node.SetNthControlPointPosition(number, -15.8, -8.8, -360.5)
        assert live.labels == (*LABELS, "sma")
        assert worker.wait(TIMEOUT)
        assert {live.item(column.key, "sma").status for column in live.follow_ups} == {"FOUND"}

    def test_ticking_live_transfers_what_is_not_there_yet(self, ready, worker):
        ready.live = True
        assert worker.wait(TIMEOUT)
        for column in ready.follow_ups:
            assert list(ready.state.items(column.key)) == list(LABELS)
            assert set(read_follow_up(column.markups_node, column.volume_node)) == set(LABELS)

    def test_follow_ups_that_are_chosen_while_live_get_the_landmarks_too(self, session, case, worker):
        session.live = True
        session.set_template(case.april, case.markups)
        session.set_follow_ups([case.may])
        assert worker.wait(TIMEOUT)
        (may,) = session.follow_ups
        assert list(session.state.items(may.key)) == list(LABELS)
        assert set(read_follow_up(may.markups_node, may.volume_node)) == set(LABELS)

    def test_without_live_a_moved_point_only_marks_what_is_outdated(self, transferred, loaded, worker):
        key = transferred.follow_ups[0].key
        move_in_view(loaded.markups, 0, (3.0, 0.0, 0.0))
        assert not worker.busy
        assert [transferred.is_outdated(key, label) for label in LABELS] == [True, False, False]
        transferred.transfer()
        assert worker.wait(TIMEOUT)
        assert not transferred.is_outdated(key, LABELS[0])
