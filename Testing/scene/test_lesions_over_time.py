"""Lesions followed in a session: lines drawn on the template become proposals on the follow-ups, on real MRML and engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import slicer
from scene_steps import fill, wait_for

from SAMLandmarkLib.core.lesions import LesionStatus, Role, Source
from SAMLandmarkLib.io.lesion_json import read_history
from SAMLandmarkLib.scene.lesion_lines import LINE_CLASS, lines_of
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
    session.lesions.track()
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
        found = history.track(name).at(1)
        assert np.linalg.norm(found.position - truth[label]) < NEAR_MM
        assert not found.by_hand and history.track(name).at(0).by_hand
        ends = line(tracked, f"{name} long")
        middle = np.mean([ends.GetNthControlPointPosition(number) for number in (0, 1)], axis=0)
        assert np.linalg.norm(middle * (-1, -1, 1) - truth[label]) < NEAR_MM + 5
    assert [node.GetName() for node in lines_of(tracked.scene, tracked.follow_ups[0].volume_node)] == [
        "T1 long",
        "T1 short",
        "NT1 long",
    ]
