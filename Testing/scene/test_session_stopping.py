"""Cancel, a killed worker, closed scenes and removed nodes while something runs; saved scenes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from scene_steps import LABELS, TIMEOUT, move_in_view, wait_for

from SAMLandmarkLib.review import Decision
from SAMLandmarkLib.scene.review_node import ReviewNode
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
        assert session.blocking_reason
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
        ready.scene.RemoveNode(ReviewNode.find(ready.scene).node)
        assert ready.restore() is False

    def test_a_damaged_review_is_told_and_the_markups_stay(self, transferred, scene):
        node = transferred.follow_ups[0].markups_node
        ReviewNode.find(scene).node.SetParameter("review", '{"broken')
        session = TransferSession(scene, transferred.worker, "AB")
        assert session.restore()
        assert "can't be read" in session.message and scene.IsNodePresent(node)
        session.close()


def test_the_library_for_slicer_imports_nothing_heavy():
    heavy = ("torch", "SimpleITK", "scipy", "matplotlib", "typer")
    code = f"import sys, SAMLandmarkLib.session; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
