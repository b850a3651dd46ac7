"""Lesions followed in a session: lines drawn on the template become proposals on the follow-ups, on real MRML and engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import slicer
from scene_steps import LABELS, fill, lay_on_its_side, wait_for

from SAMLandmarkLib.core.lesions import LesionStatus, Role, Source
from SAMLandmarkLib.io.lesion_json import read_history
from SAMLandmarkLib.scene.frames import world_ras_from_local_lps
from SAMLandmarkLib.scene.layout import slice_nodes
from SAMLandmarkLib.scene.lesion_lines import LINE_CLASS, lines_of
from SAMLandmarkLib.scene.volumes import scan_key
from SAMLandmarkLib.session import Change, TransferSession
from SAMLandmarkLib.session.lesion_changes import Said
from SAMLandmarkLib.session.lesion_table import LesionTable
from SAMLandmarkLib.utils.errors import UsageError

SECONDS = 600.0
SPOT, OTHER = "transverse_process_tip_l1_left", "spinous_tip_t12"
NEAR_MM = 6.0


def draw(scene, volume, name: str, middle_lps: np.ndarray, length_mm: float, axis: int = 0):
    """Draw a line as clicks into the views of a volume do."""
    node = scene.AddNewNodeByClass(LINE_CLASS, name)
    node.CreateDefaultDisplayNodes()
    step = np.zeros(3)
    step[axis] = length_mm / 2
    for end in (middle_lps - step, middle_lps + step):
        number = node.AddControlPoint(end * (-1, -1, 1), "")
        node.SetNthControlPointAssociatedNodeID(number, volume.GetID())
    return node


def draw_all(scene, volume, places) -> None:
    draw(scene, volume, "T1 long", places[SPOT], 14.0)
    draw(scene, volume, "T1 short", places[SPOT], 9.0, 1)
    draw(scene, volume, "NT1 long", places[OTHER], 12.0)
    # the aorta, measured for another reason
    draw(scene, volume, "L", places["celiac_aorta_inferior_crotch"], 22.0)


def track(session: TransferSession) -> None:
    session.poll()
    session.lesions.choose("L", False)
    # only begins when the worker has embedded the scans
    session.lesions.track()
    assert session.lesions.running
    wait_for(session, lambda: not session.lesions.running, SECONDS)
    assert session.lesions.history is not None, session.lesions.text


@pytest.fixture(scope="module")
def tracked_scene(_another_slicer_like, worker, scans, places, tmp_path_factory) -> str:
    """A scene with template and one follow-up in which the lesions were tracked, saved."""
    scene, path = _another_slicer_like.scene, str(tmp_path_factory.mktemp("scene") / "tracked.mrb")
    fill(scene, {name: scans[name] for name in ("April", "May")}, places)
    april, may = (scene.GetFirstNodeByName(name) for name in ("April", "May"))
    session = TransferSession(scene, worker, "AB")
    session.set_template(april, scene.GetFirstNodeByName("Landmarks"))
    session.set_follow_ups([may])
    lay_on_its_side(scene, may)
    draw_all(scene, april, places)
    track(session)
    session.close()
    assert scene.WriteToMRB(path, None)
    scene.Clear(False)
    return path


@pytest.fixture
def tracked(scene, session, tracked_scene) -> Iterator[TransferSession]:
    """A session that took up the tracked scene."""
    assert scene.ReadFromMRB(tracked_scene, True)
    april, may = (scene.GetFirstNodeByName(name) for name in ("April", "May"))
    session.set_template(april, scene.GetFirstNodeByName("Landmarks"))
    session.set_follow_ups([may])
    session.poll()
    return session


def line(session: TransferSession, name: str, volume_name: str = "May"):
    volume = session.scene.GetFirstNodeByName(volume_name)
    return next(node for node in lines_of(session.scene, volume) if node.GetName() == name)


def ends_ras(node) -> np.ndarray:
    return np.array([node.GetNthControlPointPosition(number) for number in (0, 1)])


def cells(session: TransferSession) -> dict[str, list[str]]:
    table = LesionTable.of(session.lesions.history)
    return {name: [cell.text for cell in row] for name, _what, row in table.rows}


def test_the_lesions_of_the_template_are_proposed_on_the_follow_up(tracked, truth):
    history = tracked.lesions.history
    assert [track.lesion.name for track in history] == ["T1", "NT1"]
    assert [visit.date for visit in history.visits] == ["2023-04-11", "2023-05-14"]
    assert history.track("NT1").lesion.role is Role.NON_TARGET
    assert all(track.lesion.uid.startswith("2.25.") for track in history)
    for name, label in (("T1", SPOT), ("NT1", OTHER)):
        found, may = history.track(name).at(1), tracked.follow_ups[0].volume_node
        # what the image says of a mark in bone may lie along it
        (carried,) = world_ras_from_local_lps(may, [found.carried_long.middle_lps])
        assert np.linalg.norm(carried * (-1, -1, 1) - truth[label]) < NEAR_MM
        assert not found.by_hand and history.track(name).at(0).by_hand
        drawn = found.long or found.carried_long
        assert ends_ras(line(tracked, f"{name} long")) == pytest.approx(
            world_ras_from_local_lps(may, drawn.ends), abs=0.05
        )
    names = {node.GetName() for node in lines_of(tracked.scene, tracked.follow_ups[0].volume_node)}
    assert {"T1 long", "NT1 long"} <= names and "L" not in names


def test_a_saved_scene_knows_its_lesions_and_those_of_another_template_are_not_shown(tracked):
    texts = cells(tracked)
    assert texts["T1"][0] == "14.0 mm" and list(texts)[-2:] == ["Sum", "RECIST 1.1"]
    assert not tracked.lesions.outdated and tracked.lesions.blocking_reason == ""
    assert tracked.lesions.left_out == {"L"}
    april, may = tracked.template_volume, tracked.follow_ups[0].volume_node
    tracked.set_template(may, None)
    tracked.poll()
    assert tracked.lesions.history is None
    tracked.set_template(april, None)
    tracked.set_follow_ups([])
    tracked.poll()
    assert tracked.lesions.history is not None and tracked.lesions.outdated


def test_a_dragged_end_is_measured_by_hand_and_changes_sum_and_response_at_once(tracked):
    heard: list[Change] = []
    tracked.add_listener(heard.append)
    before = tracked.lesions.history.track("T1").at(1)
    node = line(tracked, "T1 long")
    color = node.GetDisplayNode().GetSelectedColor()
    middle = ends_ras(node).mean(axis=0)
    for number, step in ((0, -10.0), (1, 10.0)):
        node.SetNthControlPointPosition(number, *(middle + (step, 0, 0)))
    tracked.poll()
    assert Change.LESIONS in heard
    found = tracked.lesions.history.track("T1").at(1)
    assert found.long.source is Source.HAND and found.long.length_mm == pytest.approx(20)
    assert found.carried_long == before.carried_long and found.by_hand
    assert node.GetDisplayNode().GetSelectedColor() != color
    texts = cells(tracked)
    assert texts["T1"][1] == "20.0 mm\n143 %" and texts["Sum"][1].startswith("20.0 mm")
    assert texts["RECIST 1.1"][1] == "PD"
    (told,) = LesionTable.of(tracked.lesions.history).responses
    assert told.startswith("2023-05-14: PD proposed, because: ")


def test_a_lesion_that_is_drawn_anew_on_the_template_is_to_be_tracked_again(tracked):
    line(tracked, "T1 long", "April").SetNthControlPointPosition(0, 0.0, -60.0, -340.0)
    tracked.poll()
    assert tracked.lesions.outdated and cells(tracked)["T1"][0] != "14.0 mm"


def test_a_readers_word_counts_stays_with_the_scene_and_can_be_taken_back(tracked):
    lesions = tracked.lesions
    before = cells(tracked)["T1"][1]
    lesions.say("T1", 1, Said.DISAPPEARED)
    lesions.say("NT1", 1, Said.DISAPPEARED)
    assert cells(tracked)["T1"][1].startswith("0.0 mm") or cells(tracked)["T1"][1] == "disappeared"
    assert cells(tracked)["RECIST 1.1"][1] == "CR"
    other = TransferSession(tracked.scene, tracked.worker, "CD")
    other.set_template(tracked.template_volume, tracked.template_markups)
    other.poll()
    assert other.lesions.said("T1", 1) is Said.DISAPPEARED
    other.close()
    lesions.say("T1", 1, None)
    assert cells(tracked)["T1"][1] == before
    lesions.say("NT1", 1, Said.PROGRESSED)
    assert cells(tracked)["RECIST 1.1"][1] == "PD"


def test_new_lesions_are_drawn_and_foreign_and_deleted_lines_are_told(tracked, truth):
    may = tracked.follow_ups[0].volume_node
    draw(tracked.scene, may, "N1 long", truth["celiac_aorta_inferior_crotch"], 11.0)
    draw(tracked.scene, may, "L", truth[OTHER], 30.0)
    tracked.scene.RemoveNode(line(tracked, "NT1 long"))
    for node in [item for item in lines_of(tracked.scene, may) if item.GetName() == "NT1 short"]:
        tracked.scene.RemoveNode(node)
    tracked.poll()
    history = tracked.lesions.history
    assert history.track("N1").at(1).status is LesionStatus.NEW and "L" not in cells(tracked)
    assert "May: the lines L belong to no lesion" in tracked.lesions.remarks[0]
    assert history.track("NT1").at(1).status is LesionStatus.UNCERTAIN
    assert "deleted" in history.track("NT1").at(1).note
    assert cells(tracked)["RECIST 1.1"][1] == "PD"


def test_a_cell_takes_template_and_follow_up_to_the_lesion(tracked, truth):
    tracked.show_side_by_side()
    tracked.lesions.look_at("NT1", 1)
    april, may = tracked.template_volume, tracked.follow_ups[0].volume_node
    for visit, node in enumerate((april, may)):
        place = tracked.lesions.history.track("NT1").at(visit).position
        (view,) = slice_nodes(tracked.scene, scan_key(node))
        assert view.GetSliceOffset() == pytest.approx(world_ras_from_local_lps(node, place)[0, 2], abs=0.1)
    # each line is drawn in the views of its own scan only
    tracked.poll()
    own = slice_nodes(tracked.scene, scan_key(may))[0].GetID()
    shown = line(tracked, "T1 long").GetDisplayNode().GetViewNodeIDs()
    assert own in shown and slice_nodes(tracked.scene, scan_key(april))[0].GetID() not in shown
    tracked.leave_side_by_side()
    tracked.poll()
    assert list(line(tracked, "T1 long").GetDisplayNode().GetViewNodeIDs()) == []


def test_export_writes_what_the_command_writes(tracked, tmp_path):
    tracked.lesions.say("NT1", 1, Said.DISAPPEARED)
    tracked.lesions.export(tmp_path / "out")
    wait_for(tracked, lambda: not tracked.lesions.running, SECONDS)
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert names == {
        *(f"patient/{name}" for name in ("lesions.json", "report.html", "April.mrk.json", "May.mrk.json")),
        *("tu.csv", "tr.csv", "rs.csv"),
    }, tracked.lesions.text
    assert tracked.lesions.text.startswith("7 files were written; open report.html")
    written = read_history(Path(tmp_path / "out" / "patient" / "lesions.json"))
    assert written.track("NT1").at(1).status is LesionStatus.DISAPPEARED
    assert written.track("T1").lesion.uid == tracked.lesions.history.track("T1").lesion.uid


def test_what_is_missing_is_said_and_nothing_starts(scene, session, scans, places):
    lesions = session.lesions
    session.poll()
    assert lesions.blocking_reason == "Choose the template volume."
    fill(scene, {name: scans[name] for name in ("April", "May")}, places)
    april = scene.GetFirstNodeByName("April")
    session.set_template(april, None)
    session.poll()
    assert lesions.blocking_reason.startswith("Draw a lesion on the template")
    node = draw(scene, april, "T1 long", places[SPOT], 14.0)
    session.poll()
    assert lesions.blocking_reason == "Choose at least one follow-up volume."
    node.RemoveNthControlPoint(1)
    session.poll()
    assert "the line 'T1 long' has 1 placed points, not 2" in lesions.blocking_reason
    with pytest.raises(UsageError, match="1 placed points"):
        lesions.track()
    with pytest.raises(UsageError, match="Track the lesions first"):
        lesions.export("nowhere")
    scene.RemoveNode(node)
    lesions.points_node = scene.GetFirstNodeByName("Landmarks")
    session.poll()
    assert [mark.lesion.name for mark in lesions.marks] == list(LABELS)


def test_lines_are_drawn_by_clicks_under_the_next_free_name(scene, session, scans, places):
    fill(scene, {"April": scans["April"]}, places)
    april = scene.GetFirstNodeByName("April")
    session.set_template(april, None)
    interaction = slicer.vtkMRMLInteractionNode()
    interaction.SetSingletonTag("Singleton")
    scene.AddNode(interaction)
    draw(scene, april, "T1 long", places[SPOT], 14.0)
    session.poll()
    session.lesions.draw(short=True)
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    selection = scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    placed = scene.GetNodeByID(selection.GetActivePlaceNodeID())
    assert placed.GetName() == "T1 short" and placed.IsA(LINE_CLASS)
    session.lesions.draw()
    assert scene.GetNodeByID(selection.GetActivePlaceNodeID()).GetName() == "T2 long"
