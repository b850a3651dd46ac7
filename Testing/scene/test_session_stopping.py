"""Cancel, a killed worker, closed scenes and removed nodes while something runs; saved scenes; views."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import slicer
import vtk
from scene_steps import LABELS, TIMEOUT, move_in_view, wait_for

from SAMLandmarkLib.review import Decision
from SAMLandmarkLib.scene.layout import composite_node, slice_nodes
from SAMLandmarkLib.scene.volumes import scan_key
from SAMLandmarkLib.session import Activity, TransferSession
from SAMLandmarkLib.worker import WorkerClient, WorkerSettings


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


def test_the_library_for_slicer_imports_nothing_heavy():
    heavy = ("torch", "SimpleITK", "scipy", "matplotlib", "typer")
    code = f"import sys, SAMLandmarkLib.session; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
