"""Choosing scans and carrying landmarks, on real MRML with the real worker."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from numpy.testing import assert_allclose
from scene_steps import LABELS, TIMEOUT, error_mm, place_in_view

from SAMLandmarkLib.review import Decision
from SAMLandmarkLib.scene.follow_up import read_follow_up
from SAMLandmarkLib.scene.frames import local_lps_from_world_ras, world_ras_from_local_lps
from SAMLandmarkLib.session import Activity, TransferSession
from SAMLandmarkLib.utils.errors import UsageError
from SAMLandmarkLib.worker import WorkerClient, WorkerSettings


class TestSettingUp:
    def test_what_is_missing_is_told_one_thing_after_the_other(self, session, case, add_markups):
        assert "template volume" in session.blocking_reason
        session.set_template(case.april, None)
        assert "list of landmarks" in session.blocking_reason
        session.set_template(case.april, add_markups({}, "empty"))
        assert "at least one landmark" in session.blocking_reason
        session.set_template(case.april, case.markups)
        assert "follow-up volume" in session.blocking_reason
        with pytest.raises(UsageError, match="follow-up volume"):
            session.transfer()
        session.set_follow_ups([case.may])
        assert session.blocking_reason == "" and session.estimate_seconds() > 0
        case.markups.SetNthControlPointLabel(0, LABELS[1])
        assert LABELS[1] in session.blocking_reason and session.estimate_seconds() is None

    def test_follow_ups_are_in_the_order_of_their_dates_without_the_template(self, ready, case):
        ready.set_follow_ups([case.june, case.april, case.may, case.june])
        assert [(column.name, column.title) for column in ready.follow_ups] == [
            ("May", "2023-05-14"),
            ("June", "2023-06-20"),
        ]

    def test_scans_are_embedded_in_the_background_as_soon_as_they_are_chosen(self, ready, worker):
        assert ready.busy and not ready.transferring
        assert ready.status.activity is Activity.EMBEDDING
        assert worker.wait(TIMEOUT)
        assert not ready.busy and ready.status.activity is Activity.IDLE
        assert ready.estimate_seconds() < 5

    def test_a_scan_that_cannot_be_used_is_told_and_the_others_go_on(self, ready, case, add_volume, worker):
        thin = add_volume("thin", np.zeros((2, 50, 50), np.int16))
        ready.set_follow_ups([thin, case.may])
        ready.transfer()
        assert worker.wait(TIMEOUT)
        by_name = {column.name: column for column in ready.follow_ups}
        assert "4 slices" in by_name["thin"].message and "thin" in ready.message
        assert by_name["May"].message == "" and ready.item(by_name["May"].key, LABELS[0]).status == "FOUND"
        assert not ready.busy

    def test_changed_voxels_are_embedded_again(self, just_transferred, case, worker):
        before = just_transferred.estimate_seconds()
        slicer.util.arrayFromVolume(case.may)[:] = -1000
        slicer.util.arrayFromVolumeModified(case.may)
        assert just_transferred.estimate_seconds() > before
        just_transferred.transfer()
        assert worker.wait(TIMEOUT)
        may, june = just_transferred.follow_ups
        assert just_transferred.item(may.key, LABELS[0]).status == "MISSING"
        assert just_transferred.item(june.key, LABELS[0]).status == "FOUND"


class TestTransfer:
    def test_all_landmarks_arrive_in_all_follow_ups(self, just_transferred, case):
        assert just_transferred.labels == LABELS
        for column in just_transferred.follow_ups:
            errors = [error_mm(just_transferred, column, label, case.truth) for label in LABELS]
            assert max(errors) < 6, (column.name, errors)

    def test_the_markups_of_a_follow_up_show_them_where_slicer_shows_the_volume(self, just_transferred):
        for column in just_transferred.follow_ups:
            node = column.markups_node
            assert [node.GetNthControlPointLabel(number) for number in range(3)] == list(LABELS)
            items = just_transferred.state.items(column.key)
            positions = {label: pytest.approx(item.position_lps) for label, item in items.items()}
            assert read_follow_up(node, column.volume_node) == positions
            assert node.GetFixedNumberOfControlPoints()

    def test_scans_and_points_under_transforms_give_the_same_places(
        self, ready, case, volume_transform, worker, scene
    ):
        world = world_ras_from_local_lps(case.april, [case.places[label] for label in LABELS])
        case.may.SetAndObserveTransformNodeID(volume_transform.GetID() if volume_transform else None)
        case.april.SetAndObserveTransformNodeID(volume_transform.GetID() if volume_transform else None)
        moved = world_ras_from_local_lps(case.april, [case.places[label] for label in LABELS])
        assert volume_transform is None or np.abs(moved - world).max() > 0.5
        for number, point in enumerate(moved):
            case.markups.SetNthControlPointPositionWorld(number, *point)
        ready.transfer()
        assert worker.wait(TIMEOUT)
        may = ready.follow_ups[0]
        assert max(error_mm(ready, may, label, case.truth) for label in LABELS) < 6
        shown = [may.markups_node.GetNthControlPointPositionWorld(number) for number in range(3)]
        places = [ready.item(may.key, label).position_lps for label in LABELS]
        assert_allclose(local_lps_from_world_ras(case.may, shown), places, atol=0.05)

    @pytest.mark.parametrize("turn", [(0, 90, 0), (180, 0, 0), (0, 0, 90)])
    def test_a_scan_that_a_transform_puts_upright_is_seen_upright(self, ready, case, worker, scene, turn):
        lying, righted = vtk.vtkTransform(), vtk.vtkTransform()
        for axis, angle in zip(((1, 0, 0), (0, 1, 0), (0, 0, 1)), turn, strict=True):
            lying.RotateWXYZ(angle, *axis)
        righted.SetMatrix(lying.GetMatrix())
        righted.Inverse()
        case.may.ApplyTransformMatrix(lying.GetMatrix())
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(righted.GetMatrix())
        case.may.SetAndObserveTransformNodeID(transform.GetID())
        ready.transfer()
        assert worker.wait(TIMEOUT)
        node = ready.follow_ups[0].markups_node
        shown = [np.array(node.GetNthControlPointPositionWorld(number)) * (-1, -1, 1) for number in range(3)]
        assert_allclose(shown, [case.truth[label] for label in LABELS], atol=6)

    def test_a_landmark_outside_the_template_is_missing_with_the_reason(self, ready, case, worker):
        place_in_view(case.markups, "beyond", np.array([-170.0, 40.0, -244.0]))
        ready.transfer()
        assert worker.wait(TIMEOUT)
        column = ready.follow_ups[0]
        item = ready.item(column.key, "beyond")
        assert (item.status, item.position_lps, item.reason) == ("MISSING", None, "outside template")
        assert column.markups_node.GetNthControlPointPositionStatus(3) == case.markups.PositionMissing

    def test_the_whole_transfer_is_one_step_of_undo(self, just_transferred, scene):
        state = just_transferred.state
        nodes = [column.markups_node for column in just_transferred.follow_ups]
        just_transferred.undo()
        assert just_transferred.state.scans == {} and not any(scene.IsNodePresent(node) for node in nodes)
        assert [column.markups_node for column in just_transferred.follow_ups] == [None, None]
        just_transferred.redo()
        assert just_transferred.state == state
        assert [column.markups_node for column in just_transferred.follow_ups] == nodes

    def test_progress_names_the_scan_and_never_goes_back(self, scene, case, settings, tmp_path):
        client = WorkerClient(WorkerSettings(device="cpu", threads=2))
        session, seen = TransferSession(scene, client, "AB"), []
        session.add_listener(lambda change: seen.append(session.status))
        session.set_template(case.april, case.markups)
        session.set_follow_ups([case.may])
        session.transfer()
        assert client.wait(TIMEOUT)
        running = [status for status in seen if status.activity is Activity.TRANSFERRING]
        assert {status.scan for status in running} >= {"April", "May"}
        assert "April: recognizing the anatomy, details" in {status.text for status in running}
        fractions = [status.fraction for status in running]
        assert fractions == sorted(fractions) and 0.3 < max(fractions) <= 1
        session.close()
        client.close()

    def test_transferring_again_keeps_what_was_decided_unless_asked(self, just_transferred, worker):
        may, june = just_transferred.follow_ups
        just_transferred.reject(may.key, LABELS[0])
        just_transferred.correct(june.key, LABELS[1], (0.0, 0.0, 0.0))
        just_transferred.transfer()
        assert worker.wait(TIMEOUT)
        assert just_transferred.item(may.key, LABELS[0]).decision is Decision.REJECTED
        assert just_transferred.item(june.key, LABELS[1]).position_lps == (0.0, 0.0, 0.0)
        just_transferred.transfer(again=True)
        assert worker.wait(TIMEOUT)
        assert {item.decision for item in just_transferred.state.items(may.key).values()} == {Decision.OPEN}
        assert just_transferred.item(june.key, LABELS[1]).position_lps != (0.0, 0.0, 0.0)

    def test_provenance_is_kept(self, just_transferred, worker):
        (review,) = [
            node
            for node in slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
            if node.GetAttribute("SAMLandmark.Review")
        ]
        assert all(column.key in review.GetParameter("provenance") for column in just_transferred.follow_ups)
        assert "sha256" in review.GetParameter("provenance")
