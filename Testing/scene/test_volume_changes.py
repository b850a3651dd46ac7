"""Landmarks stay at their anatomy when volumes are moved, hardened or show other voxels, or the user is told."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import slicer
from numpy.testing import assert_allclose
from scene_steps import LABELS, TIMEOUT

from SAMLandmarkLib.review import Decision
from SAMLandmarkLib.scene.follow_up import read_follow_up
from SAMLandmarkLib.session import TransferSession


def world(markups_node) -> np.ndarray:
    """All points of a list, world RAS mm."""
    return slicer.util.arrayFromMarkupsControlPoints(markups_node, world=True)


def assert_review_and_scene_agree(session) -> None:
    for scan in session.follow_ups:
        places = read_follow_up(scan.markups_node, scan.volume_node)
        for label, item in session.state.items(scan.key).items():
            assert_allclose(places[label], item.position_lps, atol=0.02)


def undecided(session) -> bool:
    return all(
        item.decision is Decision.OPEN for item in session.state.items(session.follow_ups[0].key).values()
    )


class TestFollowUp:
    def test_points_follow_a_volume_whose_transform_is_hardened(self, transferred, loaded, volume_transform):
        may = transferred.follow_ups[0]
        if volume_transform is None:
            pytest.skip("there is nothing to harden")
        loaded.may.SetAndObserveTransformNodeID(volume_transform.GetID())
        shown = world(may.markups_node)
        loaded.may.HardenTransform()
        assert_allclose(world(may.markups_node), shown, atol=0.02)
        assert may.markups_node.GetTransformNodeID() is None
        assert_review_and_scene_agree(transferred)
        assert undecided(transferred) and not transferred.is_outdated(may.key, LABELS[0])
        assert transferred.message == (
            "May has another place now, as after hardening a transform; its points were moved with it."
        )
        assert not transferred.can_undo

    def test_the_engine_s_places_move_along(self, transferred, loaded, scene):
        may = transferred.follow_ups[0]
        before = transferred.state.items(may.key)
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = np.eye(4)
        matrix[:3, 3] = (7.0, 0.0, -3.0)
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        loaded.may.SetAndObserveTransformNodeID(transform.GetID())
        loaded.may.HardenTransform()
        for label, item in transferred.state.items(may.key).items():
            for now, then in (
                (item.transferred_lps, before[label].transferred_lps),
                (item.candidates[0][0], before[label].candidates[0][0]),
            ):
                assert_allclose(now, np.array(then) + (-7.0, 0.0, -3.0), atol=1e-6)
            assert item.template_lps == before[label].template_lps

    def test_points_follow_a_volume_that_is_centered(self, transferred, loaded):
        may = transferred.follow_ups[0]
        shown, origin = world(may.markups_node), np.array(loaded.may.GetOrigin())
        loaded.may.SetOrigin(*(origin + (10.0, -20.0, 30.0)))
        assert_allclose(world(may.markups_node), shown + (10.0, -20.0, 30.0), atol=1e-6)
        assert_review_and_scene_agree(transferred)

    def test_a_deleted_transform_takes_volume_and_points_back_together(self, transferred, loaded, scene):
        may = transferred.follow_ups[0]
        shown = world(may.markups_node)
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        loaded.may.SetAndObserveTransformNodeID(transform.GetID())
        scene.RemoveNode(transform)
        assert_allclose(world(may.markups_node), shown)
        assert_review_and_scene_agree(transferred)

    def test_a_volume_that_was_hardened_while_nobody_watched(self, transferred, loaded, scene):
        may = transferred.follow_ups[0]
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = np.eye(4)
        matrix[:3, 3] = (0.0, 15.0, 0.0)
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        shown = world(may.markups_node)
        transferred.close()
        loaded.may.SetAndObserveTransformNodeID(transform.GetID())
        loaded.may.HardenTransform()
        again = TransferSession(scene, transferred.worker, "AB")
        assert again.restore()
        assert_allclose(world(may.markups_node), shown + (0.0, 15.0, 0.0), atol=1e-6)
        assert_review_and_scene_agree(again)
        assert again.state.log == ()
        again.close()

    def test_a_list_that_is_put_under_a_transform_alone_is_put_back_and_that_is_said(
        self, transferred, loaded, scene
    ):
        may = transferred.follow_ups[0]
        shown, state = world(may.markups_node), transferred.state
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = np.eye(4)
        matrix[:3, 3] = (0.0, 15.0, 0.0)
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        may.markups_node.SetAndObserveTransformNodeID(transform.GetID())
        transferred.poll()
        assert_allclose(world(may.markups_node), shown)
        assert transferred.state is state
        assert transferred.message.startswith("The points of May move with their volume")


class TestTemplate:
    def test_a_transform_put_on_it_makes_the_results_outdated_and_says_so(self, transferred, loaded, scene):
        may = transferred.follow_ups[0]
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = np.eye(4)
        matrix[:3, 3] = (0.0, 0.0, 12.0)
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        loaded.april.SetAndObserveTransformNodeID(transform.GetID())
        assert all(transferred.is_outdated(may.key, label) for label in LABELS)
        assert transferred.message.startswith("The template was moved against its landmarks")
        loaded.april.SetAndObserveTransformNodeID(None)
        assert not any(transferred.is_outdated(may.key, label) for label in LABELS)

    def test_results_stay_up_to_date_when_template_and_landmarks_are_hardened(
        self, transferred, loaded, volume_transform
    ):
        if volume_transform is None:
            pytest.skip("there is nothing to harden")
        may = transferred.follow_ups[0]
        for node in (loaded.april, loaded.markups):
            node.SetAndObserveTransformNodeID(volume_transform.GetID())
        loaded.april.HardenTransform()
        loaded.markups.HardenTransform()
        assert not any(transferred.is_outdated(may.key, label) for label in LABELS)


class TestSequence:
    @pytest.fixture
    def frames(self, scene, loaded) -> SimpleNamespace:
        """May as the proxy of a sequence of two frames, at the first of them."""
        logic = slicer.vtkSlicerSequencesLogic()
        logic.SetMRMLScene(scene)
        sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "May over time")
        browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
        frame = slicer.vtkMRMLScalarVolumeNode()
        frame.Copy(loaded.may)
        sequence.SetDataNodeAtValue(frame, "0")
        slicer.util.updateVolumeFromArray(frame, slicer.util.arrayFromVolume(loaded.may) - 30)
        sequence.SetDataNodeAtValue(frame, "1")
        browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
        browser.AddProxyNode(loaded.may, sequence, False)

        def show(number: int) -> None:
            browser.SetSelectedItemNumber(number)
            logic.UpdateProxyNodesFromSequences(browser)

        show(0)
        return SimpleNamespace(show=show, browser=browser, logic=logic)

    def test_another_frame_makes_the_results_outdated_and_says_so(self, frames, session, loaded, worker):
        assert session.restore()
        session.transfer()
        assert worker.wait(TIMEOUT)
        may = session.follow_ups[0]
        assert not session.is_outdated(may.key, LABELS[0])
        assert may.markups_node is not None
        frames.show(1)
        assert session.follow_ups[0].markups_node is may.markups_node
        assert session.is_outdated(may.key, LABELS[0])
        assert "another frame" in session.message
        assert not session.is_outdated(session.follow_ups[1].key, LABELS[0])
        frames.show(0)
        assert not session.is_outdated(may.key, LABELS[0])
        frames.show(1)
        session.transfer()
        assert worker.wait(TIMEOUT)
        assert not session.is_outdated(may.key, LABELS[0])


def test_a_renamed_follow_up_has_its_new_name_in_the_table(transferred, loaded):
    changes = []
    transferred.add_listener(changes.append)
    loaded.may.SetName("May, arterial")
    assert transferred.follow_ups[0].name == "May, arterial"
    assert [change.value for change in changes] == ["scans"]
