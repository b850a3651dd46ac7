"""Points of scans that are not shown are not shown either, and what the scene says is what the review says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scene_steps import LABELS

from SAMLandmarkLib.review import Decision
from SAMLandmarkLib.scene.follow_up import read_follow_up
from SAMLandmarkLib.scene.layout import slice_nodes
from SAMLandmarkLib.session import TransferSession


@pytest.fixture
def shown(transferred):
    transferred.show_side_by_side()
    return transferred


def is_visible_somewhere(session, markups_node) -> bool:
    """Whether a list is drawn in any view of the scans or in one of Slicer's ordinary views."""
    display = markups_node.GetDisplayNode()
    views = [view.GetID() for view in slice_nodes(session.scene)] + [
        "vtkMRMLSliceNodeRed",
        "vtkMRMLViewNode1",
    ]
    return bool(display.GetVisibility()) and any(display.IsDisplayableInView(view) for view in views)


class TestPointsOfScansThatAreNotShown:
    def test_those_of_an_unticked_scan_are_hidden_until_it_is_ticked_again(self, shown, loaded):
        may, june = shown.follow_ups
        shown.set_follow_ups([loaded.june])
        # June now has the views that May had
        assert not is_visible_somewhere(shown, may.markups_node)
        assert is_visible_somewhere(shown, june.markups_node)
        shown.leave_side_by_side()
        assert not is_visible_somewhere(shown, may.markups_node)
        shown.set_follow_ups([loaded.may, loaded.june])
        assert is_visible_somewhere(shown, may.markups_node)

    def test_those_of_a_deleted_scan_are_hidden(self, shown, loaded):
        may = shown.follow_ups[0]
        shown.scene.RemoveNode(loaded.may)
        assert [scan.name for scan in shown.follow_ups] == ["June"]
        shown.show_side_by_side()
        assert not is_visible_somewhere(shown, may.markups_node)

    def test_they_stay_hidden_when_the_review_is_taken_up_by_another_session(self, shown, loaded):
        may = shown.follow_ups[0]
        shown.set_follow_ups([loaded.june])
        shown.close()
        again = TransferSession(shown.scene, shown.worker, "AB")
        assert again.restore()
        again.show_side_by_side()
        assert not is_visible_somewhere(again, may.markups_node)
        again.set_follow_ups([loaded.may, loaded.june])
        assert is_visible_somewhere(again, may.markups_node)
        again.close()

    def test_a_list_that_the_user_hides_is_left_hidden(self, shown):
        may = shown.follow_ups[0]
        may.markups_node.SetDisplayVisibility(False)
        shown.accept(may.key, LABELS[0])
        shown.show_side_by_side()
        assert not may.markups_node.GetDisplayVisibility()


class TestPointsThatSomebodyElseMoved:
    def test_while_the_scan_was_not_ticked(self, shown, loaded):
        may = shown.follow_ups[0]
        before = shown.item(may.key, LABELS[1])
        shown.set_follow_ups([loaded.june])
        x, y, z = may.markups_node.GetNthControlPointPosition(1)
        may.markups_node.SetNthControlPointPosition(1, x + 5.0, y, z)
        assert shown.item(may.key, LABELS[1]) == before
        shown.set_follow_ups([loaded.may, loaded.june])
        item = shown.item(may.key, LABELS[1])
        assert item.decision is Decision.CORRECTED
        assert_allclose(item.position_lps, np.array(before.position_lps) - (5.0, 0.0, 0.0), atol=1e-6)
        assert shown.message == f"May: {LABELS[1]} had been moved in the scene and count as corrected by you."
        assert shown.state.log[-1].action == "corrected"

    def test_while_nobody_watched(self, transferred):
        may = transferred.follow_ups[0]
        transferred.close()
        may.markups_node.SetNthControlPointPositionMissing(0)
        again = TransferSession(transferred.scene, transferred.worker, "CD")
        assert again.restore()
        assert again.item(may.key, LABELS[0]).decision is Decision.SET_MISSING
        assert again.item(may.key, LABELS[1]).decision is Decision.OPEN
        assert LABELS[0] in again.message
        again.close()

    def test_an_untouched_scene_is_taken_up_without_a_word(self, transferred):
        assert transferred.message == "" and transferred.state.log == ()
        for scan in transferred.follow_ups:
            places = read_follow_up(scan.markups_node, scan.volume_node)
            for label, place in places.items():
                assert_allclose(place, transferred.item(scan.key, label).position_lps, atol=1e-3)
