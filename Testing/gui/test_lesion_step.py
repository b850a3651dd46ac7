"""The step of the lesions: drawn by clicks, tracked, seen in the table, dragged, judged, written."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import slicer
from PySide6 import QtCore, QtTest
from samples import add_points, add_volume, cut_to_spine, read_points

from SAMLandmarkLib.core.lesions import Source
from SAMLandmarkLib.scene.lesion_lines import LINE_CLASS, lines_of

SECONDS = 240
SPOT = "transverse_process_tip_l1_left"


@pytest.fixture(scope="module")
def small(sample_crops):
    """Template and follow-up cut to the spine, which takes a moment to compute."""
    return [cut_to_spine(volume) for volume in sample_crops]


@pytest.fixture
def radiologist(user, small, tmp_path):
    """Somebody with a baseline and a follow-up side by side who has opened the step."""
    user.template = add_volume(small[0], "Baseline", "20240101")
    user.follow_up = add_volume(small[1], "Follow-up", "20240203")
    user.choose(user.template)
    user.tick("Follow-up")
    user.ui.lesionStep.collapsed = False
    user.ui.lesionFolderButton.directory = str(tmp_path / "results")
    user.bench.settle(150)
    yield user
    user.session.lesions.close()
    user.ui.lesionStep.collapsed = True


def draw(user, ras, length_mm: float, axis: int = 0) -> None:
    """Click both ends of a diameter around a place of the template (RAS mm)."""
    view, step = user.view_of(user.template), np.zeros(3)
    step[axis] = length_mm / 2
    user.go_to(view, tuple(ras))
    for end in (ras - step, ras + step):
        user.bench.click(view, tuple(end))


def wait_for_end(user) -> None:
    user.bench.wait_until(lambda: not user.session.lesions.running, SECONDS, "the lesions are tracked")
    user.bench.settle(60)


def cell(user, row: str, column: int) -> str:
    table = user.ui.lesionTable
    names = [table.verticalHeaderItem(number).text() for number in range(table.rowCount)]
    return table.item(names.index(row), column).text()


def click_cell(user, row: int, column: int) -> None:
    table = user.ui.lesionTable
    place = table.visualItemRect(table.item(row, column)).center()
    QtTest.QTest.mouseClick(table.viewport(), QtCore.Qt.LeftButton, pos=place)
    user.bench.settle()


def line(user, name: str):
    return next(node for node in lines_of(user.bench.scene, user.follow_up) if node.GetName() == name)


def ends_of(node) -> np.ndarray:
    return np.array([node.GetNthControlPointPosition(number) for number in (0, 1)])


def test_a_lesion_is_drawn_tracked_corrected_and_written(radiologist):
    ui, place = radiologist.ui, read_points("template")[SPOT]
    assert not ui.lesionTable.visible and ui.trackButton.toolTip.startswith("Draw a lesion on the template")
    radiologist.click(ui.drawLongButton)
    draw(radiologist, place, 16.0)
    radiologist.click(ui.drawShortButton)
    draw(radiologist, place, 10.0, 1)
    radiologist.bench.settle(100)
    assert [ui.lesionList.item(row).text() for row in range(ui.lesionList.count)] == [
        "T1   16.0 × 10.0 mm   target"
    ] or ui.lesionList.item(0).text().startswith("T1   1")
    assert ui.lesionList.count == 1
    radiologist.click(ui.trackButton)
    assert ui.trackButton.text == "Cancel"
    wait_for_end(radiologist)
    assert ui.lesionTable.visible and ui.trackButton.text == "Track lesions"
    assert cell(radiologist, "T1", 1).startswith(("○ ", "measure by hand"))
    goes_to_the_lesion(radiologist)
    measures_by_hand(radiologist)
    says_something(radiologist)
    writes(radiologist)


def goes_to_the_lesion(user) -> None:
    for volume in (user.template, user.follow_up):
        user.go_to(user.view_of(volume), (0.0, 0.0, read_points("template")[SPOT][2] + 15))
    click_cell(user, 0, 1)
    found = user.session.lesions.history.track("T1").at(1).position
    node = user.bench.layout_manager.sliceWidget(user.view_of(user.follow_up)).mrmlSliceNode()
    assert node.GetSliceOffset() == pytest.approx(found[2], abs=0.1)
    assert user.ui.lesionDetailLabel.text.startswith("T1, 2024-02-03\n")


def measures_by_hand(user) -> None:
    node = line(user, "T1 long")
    first, last = ends_of(node)
    user.go_to(user.view_of(user.follow_up), tuple(last))
    last = np.array([*last[:2], last[2]])
    outward = last + 6.0 * (last - first) / np.linalg.norm(last - first)
    before = user.session.lesions.history.track("T1").at(1)
    user.bench.drag(user.view_of(user.follow_up), tuple(last), tuple(outward))
    user.bench.settle(100)
    now = user.session.lesions.history.track("T1").at(1)
    assert now.long.source is Source.HAND and now.carried_long == before.carried_long
    assert cell(user, "T1", 1).startswith(f"{now.long.length_mm:.1f} mm\n")
    assert "by hand" in user.ui.lesionDetailLabel.text
    assert user.ui.lesionResponseLabel.text.startswith("2024-02-03: ")


def says_something(user) -> None:
    user.ui.lesionSaidSelector.setCurrentIndex(1)
    user.bench.settle()
    assert cell(user, "RECIST 1.1", 1) == "CR" and cell(user, "T1", 1) == "disappeared"
    user.ui.lesionSaidSelector.setCurrentIndex(0)
    user.bench.settle()
    assert cell(user, "T1", 1) != "disappeared"


def writes(user) -> None:
    user.click(user.ui.lesionExportButton)
    assert user.session.lesions.running and not user.ui.lesionExportButton.enabled
    user.click(user.ui.trackButton)
    assert user.ui.lesionLabel.text.startswith("Canceled.") and user.ui.lesionExportButton.enabled


def test_points_are_lesions_and_one_that_is_not_ticked_is_left_out(radiologist):
    ui = radiologist.ui
    points = {name: place for name, place in list(read_points("template").items())[:2]}
    ui.lesionPointsSelector.setCurrentNode(add_points(points, "Marked"))
    radiologist.bench.settle(100)
    assert radiologist.parameters.lesionPoints.GetName() == "Marked" and ui.lesionList.count == 2
    ui.lesionList.item(0).setCheckState(QtCore.Qt.Unchecked)
    radiologist.bench.settle()
    assert [mark.lesion.name for mark in radiologist.session.lesions.chosen] == list(points)[1:]
    radiologist.click(ui.trackButton)
    radiologist.click(ui.trackButton)
    assert not radiologist.session.lesions.running and ui.lesionLabel.text == "Canceled."


def test_a_line_that_is_not_finished_is_told(radiologist):
    node = slicer.mrmlScene.AddNewNodeByClass(LINE_CLASS, "T1 long")
    node.AddControlPoint((0.0, 0.0, 0.0), "")
    radiologist.bench.settle(100)
    assert "1 placed points, not 2" in radiologist.ui.lesionLabel.text
    assert "1 placed points, not 2" in radiologist.ui.trackButton.toolTip


def test_the_files_of_a_volume_are_those_of_the_database(radiologist, monkeypatch):
    from SAMLandmarkPanel.dicom_database import filesOfVolume

    assert filesOfVolume(radiologist.template) == []
    known = {"1.2.1": "/a", "1.2.2": "/b"}
    database = SimpleNamespace(isOpen=True, fileForInstance=lambda uid: known.get(uid, ""))
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    radiologist.template.SetAttribute("DICOM.instanceUIDs", "1.2.1 1.2.2")
    assert filesOfVolume(radiologist.template) == ["/a", "/b"]
    radiologist.template.SetAttribute("DICOM.instanceUIDs", "1.2.1 9.9")
    assert filesOfVolume(radiologist.template) == []
