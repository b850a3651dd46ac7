"""The workflow on real MRML with the real worker, on pieces of the bundled scans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import slicer
import vtk
from numpy.testing import assert_allclose

from SAMLandmarkLib.errors import UsageError
from SAMLandmarkLib.geometry import LPS_FROM_RAS, affine_from_parts
from SAMLandmarkLib.review import Decision
from SAMLandmarkLib.scene.follow_up import read_follow_up
from SAMLandmarkLib.scene.frames import local_lps_from_world_ras, world_ras_from_local_lps
from SAMLandmarkLib.scene.layout import composite_node, slice_nodes
from SAMLandmarkLib.scene.volumes import scan_key
from SAMLandmarkLib.session import Activity, Change, TransferSession
from SAMLandmarkLib.worker import WorkerClient, WorkerSettings

LABELS = ("transverse_process_tip_l1_left", "celiac_aorta_inferior_crotch", "spinous_tip_t12")
TIMEOUT = 120.0


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> WorkerSettings:
    """A worker that keeps embeddings on disk, so that the many tests don't compute them again."""
    return WorkerSettings(device="cpu", threads=2, cache_folder=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def worker(settings) -> Iterator[WorkerClient]:
    client = WorkerClient(settings)
    yield client
    client.close()


def piece(
    volume, corner_ijk: tuple[int, int, int], size_ijk: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """A part of a volume: array and map."""
    (i, j, k), (width, height, depth) = corner_ijk, size_ijk
    ijk_to_lps = volume.ijk_to_lps.copy()
    ijk_to_lps[:3, 3] = volume.lps_from_index(corner_ijk)
    return np.ascontiguousarray(volume.array[k : k + depth, j : j + height, i : i + width]), ijk_to_lps


@pytest.fixture(scope="module")
def scans(sample_template, sample_followup) -> dict[str, tuple[np.ndarray, np.ndarray, str]]:
    """Array, map and date of three scans; June is May stored from feet to head and from left to right."""
    april = piece(sample_template, (85, 110, 5), (105, 105, 70))
    array, ijk_to_lps = piece(sample_followup, (88, 118, 8), (105, 104, 72))
    turned = ijk_to_lps @ affine_from_parts((104, 0, 71), (1, 1, 1), np.diag([-1.0, 1.0, -1.0]))
    june = (np.ascontiguousarray(array[::-1, :, ::-1]), turned)
    return {
        "April": (*april, "20230411"),
        "May": (array, ijk_to_lps, "20230514"),
        "June": (*june, "20230620"),
    }


def fill(scene: object, scans: dict, points_lps: dict[str, np.ndarray]) -> None:
    """Put the scans and a point list "Landmarks" into a scene."""
    for name, (array, ijk_to_lps, date) in scans.items():
        volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        slicer.util.updateVolumeFromArray(volume, array)
        volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(LPS_FROM_RAS @ ijk_to_lps))
        volume.SetAttribute("DICOM.StudyDate", date)
    markups = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Landmarks")
    markups.CreateDefaultDisplayNodes()
    for label in LABELS:
        markups.AddControlPointWorld(vtk.vtkVector3d(*(points_lps[label] * (-1, -1, 1))), label)


@pytest.fixture(scope="module")
def places(sample_landmarks) -> dict[str, np.ndarray]:
    """Where the landmarks are in the template, LPS mm."""
    return {mark.label: mark.position_lps for mark in sample_landmarks}


@pytest.fixture(scope="module")
def truth(sample_truth) -> dict[str, np.ndarray]:
    """Where they are in the follow-ups, found independently, LPS mm."""
    return {mark.label: mark.position_lps for mark in sample_truth}


def nodes_of(scene: object, places: dict, truth: dict) -> SimpleNamespace:
    names = {"april": "April", "may": "May", "june": "June", "markups": "Landmarks"}
    nodes = {key: scene.GetFirstNodeByName(name) for key, name in names.items()}
    return SimpleNamespace(**nodes, places=places, truth=truth)


@pytest.fixture
def case(scene, scans, places, truth) -> SimpleNamespace:
    """Template, its landmarks and two follow-ups in the scene, and what is known of them."""
    fill(scene, scans, places)
    return nodes_of(scene, places, truth)


@pytest.fixture(scope="module")
def saved_scene(_another_slicer_like, worker, scans, places, tmp_path_factory) -> str:
    """The case after its transfer, saved."""
    scene, path = _another_slicer_like.scene, str(tmp_path_factory.mktemp("scene") / "transferred.mrb")
    fill(scene, scans, places)
    session = TransferSession(scene, worker, "AB")
    session.set_template(scene.GetFirstNodeByName("April"), scene.GetFirstNodeByName("Landmarks"))
    session.set_follow_ups([scene.GetFirstNodeByName(name) for name in ("June", "May")])
    session.transfer()
    assert worker.wait(TIMEOUT) and scene.WriteToMRB(path, None)
    session.close()
    scene.Clear(False)
    return path


@pytest.fixture
def loaded(scene, saved_scene, places, truth) -> SimpleNamespace:
    """The case after its transfer, loaded."""
    assert scene.ReadFromMRB(saved_scene, True)
    return nodes_of(scene, places, truth)


@pytest.fixture
def session(scene, worker) -> Iterator[TransferSession]:
    """A session that is not set up."""
    session = TransferSession(scene, worker, who="AB")
    yield session
    session.close()


@pytest.fixture
def ready(session, case) -> TransferSession:
    """A session with template and both follow-ups, before the transfer."""
    session.set_template(case.april, case.markups)
    session.set_follow_ups([case.june, case.may])
    return session


@pytest.fixture
def just_transferred(ready, worker) -> TransferSession:
    """A session that has just made its first transfer."""
    ready.transfer()
    assert worker.wait(TIMEOUT)
    return ready


@pytest.fixture
def transferred(loaded, session) -> TransferSession:
    """A session that took up the review of a transfer."""
    assert session.restore()
    return session


def wait_for(session: TransferSession, condition: Callable[[], bool]) -> None:
    """Poll, as the timer of a user interface does, until the condition holds."""
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        session.poll()
        time.sleep(0.005)


def error_mm(session: TransferSession, column, label: str, truth: dict) -> float:
    return float(np.linalg.norm(np.array(session.item(column.key, label).position_lps) - truth[label]))


def move_in_view(node: object, number: int, shift_ras: tuple[float, float, float]) -> None:
    """Drag a point as Slicer's views do: state saved, interaction begun, moves, interaction ended."""
    node.GetScene().SaveStateForUndo()
    node.InvokeEvent(node.PointStartInteractionEvent)
    start = np.array(node.GetNthControlPointPosition(number))
    for part in (0.3, 0.7, 1.0):
        node.SetNthControlPointPosition(number, *(start + part * np.array(shift_ras)))
    node.InvokeEvent(node.PointEndInteractionEvent)


def place_in_view(node: object, label: str, point_lps: np.ndarray) -> None:
    """Place a point as a click in a view does: state saved, then a defined point."""
    node.GetScene().SaveStateForUndo()
    node.AddControlPointWorld(vtk.vtkVector3d(*(point_lps * (-1, -1, 1))), label)


class TestSettingUp:
    def test_what_is_missing_is_told_one_thing_after_the_other(self, session, case, add_markups):
        assert "template volume" in session.obstacle
        session.set_template(case.april, None)
        assert "list of landmarks" in session.obstacle
        session.set_template(case.april, add_markups({}, "empty"))
        assert "at least one landmark" in session.obstacle
        session.set_template(case.april, case.markups)
        assert "follow-up volume" in session.obstacle
        with pytest.raises(UsageError, match="follow-up volume"):
            session.transfer()
        session.set_follow_ups([case.may])
        assert session.obstacle == "" and session.estimate_seconds() > 0
        case.markups.SetNthControlPointLabel(0, LABELS[1])
        assert LABELS[1] in session.obstacle and session.estimate_seconds() is None

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
        assert "April: fine embedding" in {status.text for status in running}
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
        assert all(ready.item(column.key, label) for column in ready.follow_ups for label in LABELS)

    def test_without_live_a_moved_point_only_marks_what_is_outdated(self, transferred, loaded, worker):
        key = transferred.follow_ups[0].key
        move_in_view(loaded.markups, 0, (3.0, 0.0, 0.0))
        assert not worker.busy
        assert [transferred.is_outdated(key, label) for label in LABELS] == [True, False, False]
        transferred.transfer()
        assert worker.wait(TIMEOUT)
        assert not transferred.is_outdated(key, LABELS[0])


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
        request = transferred.make_request(june.key, LABELS)
        ((key, labels, points),) = request.extra_templates
        assert (key, labels) == (may.key, [LABELS[0]])
        assert_allclose(points, [transferred.item(may.key, LABELS[0]).position_lps])
        assert transferred.make_request(may.key, LABELS).extra_templates == []
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


class TestStopping:
    @pytest.fixture
    def starting(self, scene, case, tmp_path) -> Iterator[SimpleNamespace]:
        """A session whose transfer waits for a worker that has just been started."""
        client = WorkerClient(WorkerSettings(device="cpu", threads=1), folder=tmp_path)
        session = TransferSession(scene, client, "AB")
        session.set_template(case.april, case.markups)
        session.set_follow_ups([case.may])
        session.transfer()
        yield SimpleNamespace(session=session, client=client)
        session.close()
        client.close()

    @pytest.fixture
    def slow(self, starting) -> SimpleNamespace:
        """The same a little later: the first scan is just being embedded."""
        wait_for(starting.session, lambda: starting.session.status.step == "resampling")
        return starting

    def test_cancel_ends_the_worker_and_a_later_transfer_works(self, slow):
        process = slow.client.process_id
        slow.session.cancel()
        assert not slow.session.busy and slow.session.status.activity is Activity.IDLE
        assert slow.session.message == "Canceled."
        slow.session.poll()
        assert slow.client.process_id != process and slow.session.message == "Canceled."
        assert slow.session.state.scans == {}
        slow.session.transfer()
        assert slow.client.wait(TIMEOUT)
        assert slow.session.item(slow.session.follow_ups[0].key, LABELS[0]).status == "FOUND"

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
    def test_a_killed_worker_is_told_in_one_sentence_and_a_later_transfer_works(self, slow):
        os.kill(slow.client.process_id, signal.SIGKILL)
        wait_for(slow.session, lambda: not slow.session.busy)
        assert slow.session.message.startswith("The worker") and "\n" not in slow.session.message
        assert {column.message for column in slow.session.follow_ups} == {""}
        assert slow.session.state.scans == {}
        slow.session.transfer()
        assert slow.client.wait(TIMEOUT)
        assert slow.session.item(slow.session.follow_ups[0].key, LABELS[0]).status == "FOUND"

    def test_closing_the_scene_stops_everything(self, starting, scene, case):
        starting.session.live = True
        scene.Clear(False)
        assert not starting.session.busy and starting.session.template_volume is None
        assert starting.session.follow_ups == () and starting.session.labels == ()
        assert not starting.session.live and starting.session.current is None
        starting.session.poll()
        case.markups.AddControlPoint(0.0, 0.0, 0.0, "into a node that no scene has")
        assert not starting.client.busy

    @pytest.mark.parametrize("name", ["april", "may", "markups"])
    def test_removing_a_node_that_is_worked_on_stops_and_leaves_the_rest(self, starting, scene, case, name):
        node = getattr(case, name)
        scene.RemoveNode(node)
        session = starting.session
        assert not session.transferring
        left = {"april": session.template_volume, "markups": session.template_markups}
        assert left.get(name) is None
        assert [column.name for column in session.follow_ups] == ([] if name == "may" else ["May"])
        assert session.obstacle
        starting.client.cancel()
        starting.client.wait(TIMEOUT)

    def test_a_closed_session_reacts_to_nothing(self, transferred, loaded, worker):
        changes = []
        transferred.add_listener(changes.append)
        transferred.live = True
        transferred.close()
        changes.clear()
        assert worker.wait(TIMEOUT)
        move_in_view(loaded.markups, 0, (3.0, 0.0, 0.0))
        loaded.markups.GetScene().Undo()
        assert changes == [] and not worker.busy


def test_another_worker_can_take_over(transferred, settings, loaded):
    client = WorkerClient(settings)
    transferred.transfer()
    transferred.worker = client
    assert not transferred.busy
    move_in_view(loaded.markups, 0, (3.0, 0.0, 0.0))
    transferred.transfer()
    assert client.wait(TIMEOUT)
    assert not any(transferred.is_outdated(column.key, LABELS[0]) for column in transferred.follow_ups)
    transferred.close()
    client.close()


class TestSceneFiles:
    def test_nothing_is_lost_when_the_scene_is_saved_and_loaded(
        self, transferred, another_scene, worker, tmp_path
    ):
        may = transferred.follow_ups[0]
        move_in_view(may.markups_node, 0, (1.0, 1.0, 1.0))
        transferred.accept(may.key, LABELS[1])
        assert transferred.scene.WriteToMRB(str(tmp_path / "saved.mrb"), None)
        assert another_scene.ReadFromMRB(str(tmp_path / "saved.mrb"), True)
        loaded = TransferSession(another_scene, worker, "CD")
        assert loaded.restore()
        assert loaded.state == transferred.state
        assert loaded.labels == LABELS and not loaded.busy
        assert [column.title for column in loaded.follow_ups] == ["2023-05-14", "2023-06-20"]
        assert loaded.follow_ups[0].markups_node.GetNumberOfControlPoints() == 3
        move_in_view(loaded.follow_ups[0].markups_node, 1, (1.0, 0.0, 0.0))
        assert [(entry.who, entry.action) for entry in loaded.state.log] == [
            ("AB", "corrected"),
            ("AB", "accepted"),
            ("CD", "corrected"),
        ]
        loaded.transfer()
        assert worker.wait(TIMEOUT)
        assert loaded.item(loaded.follow_ups[0].key, LABELS[0]).decision is Decision.CORRECTED
        loaded.close()

    def test_a_scene_without_a_review_leaves_the_session_as_it_is(self, ready):
        ready.scene.RemoveNode(ready._board._review.node)
        assert ready.restore() is False

    def test_a_damaged_review_is_told_and_the_markups_stay(self, transferred, scene):
        node = transferred.follow_ups[0].markups_node
        transferred._board._review.node.SetParameter("review", '{"broken')
        session = TransferSession(scene, transferred.worker, "AB")
        assert session.restore()
        assert "can't be read" in session.message and scene.IsNodePresent(node)
        session.close()


class TestViews:
    @pytest.fixture
    def shown(self, transferred):
        transferred.show_side_by_side()
        return transferred

    def test_selecting_a_landmark_jumps_in_both_scans_only(self, shown, loaded):
        may, june = shown.follow_ups
        (june_view,) = slice_nodes(shown.scene, june.key)
        offset = june_view.GetSliceOffset()
        shown.select(may.key, LABELS[1])
        (template_view,) = slice_nodes(shown.scene, scan_key(loaded.april))
        (may_view,) = slice_nodes(shown.scene, may.key)
        assert template_view.GetSliceOffset() == pytest.approx(loaded.places[LABELS[1]][2])
        assert may_view.GetSliceOffset() == pytest.approx(shown.item(may.key, LABELS[1]).position_lps[2])
        assert june_view.GetSliceOffset() == offset

    def test_views_are_named_by_date_and_show_their_own_points_only(self, shown):
        views = slice_nodes(shown.scene)
        assert [view.GetLayoutLabel() for view in views] == ["2023-04-11 A", "2023-05-14 A", "2023-06-20 A"]
        for column, view in zip(shown.follow_ups, views[1:], strict=True):
            assert column.markups_node.GetDisplayNode().GetViewNodeIDs() == (view.GetID(),)

    def test_the_heat_map_is_hottest_near_the_landmark_follows_the_selection_and_goes_away(
        self, shown, worker
    ):
        may, june = shown.follow_ups
        shown.select(may.key, LABELS[1])
        shown.show_heat_map()
        assert shown.transferring and shown.heat_map_shown
        assert worker.wait(TIMEOUT)
        (view,) = slice_nodes(shown.scene, may.key)
        overlay = shown.scene.GetNodeByID(composite_node(shown.scene, view).GetForegroundVolumeID())
        array = slicer.util.arrayFromVolume(overlay)
        hottest = np.array(np.unravel_index(array.argmax(), array.shape)[::-1])
        matrix = vtk.vtkMatrix4x4()
        overlay.GetIJKToRASMatrix(matrix)
        ras = slicer.util.arrayFromVTKMatrix(matrix) @ [*hottest, 1]
        assert np.linalg.norm(ras[:3] * (-1, -1, 1) - shown.item(may.key, LABELS[1]).position_lps) < 12
        shown.select(june.key, LABELS[0])
        assert worker.wait(TIMEOUT)
        assert composite_node(shown.scene, view).GetForegroundVolumeID() is None
        (june_view,) = slice_nodes(shown.scene, june.key)
        assert composite_node(shown.scene, june_view).GetForegroundVolumeID() == overlay.GetID()
        shown.hide_heat_map()
        assert composite_node(shown.scene, june_view).GetForegroundVolumeID() is None
        assert not shown.heat_map_shown


def test_listeners_hear_what_changed(transferred):
    changes = []
    transferred.add_listener(changes.append)
    transferred.select(transferred.follow_ups[0].key, LABELS[0])
    transferred.accept()
    assert changes == [Change.SELECTION, Change.REVIEW]
    transferred.remove_listener(changes.append)
    transferred.accept()
    assert len(changes) == 2


def test_the_library_for_slicer_imports_nothing_heavy():
    heavy = ("torch", "SimpleITK", "scipy", "matplotlib", "typer")
    code = f"import sys, SAMLandmarkLib.session; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
