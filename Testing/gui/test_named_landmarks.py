"""Step 1 without a template: named landmarks, found by the bundled atlas, from the panel alone."""

from __future__ import annotations

import pytest
import slicer
from samples import add_points, add_volume
from user import positions

from SAMLandmarkLib.engine.protocols import bundled_protocols

TEMPLATE_WIDGETS = ("templateSelector", "pointsSelector", "placeButton", "pointsList")


def texts(user) -> list[str]:
    selector = user.ui.sourceSelector
    return [selector.itemText(number) for number in range(selector.count)]


def choose_source(user, words: str) -> None:
    user.ui.sourceSelector.setCurrentIndex(next(n for n, text in enumerate(texts(user)) if words in text))
    user.bench.settle()


@pytest.fixture
def scan(user, sample_crops):
    return add_volume(sample_crops[1], "Abdomen", "20240203")


def test_the_bundled_protocols_are_offered(user):
    assert len(texts(user)) == 2 + len(bundled_protocols())
    assert texts(user)[0].startswith("Points") and user.parameters.protocol == ""
    assert all(getattr(user.ui, name).visible for name in TEMPLATE_WIDGETS)


def test_without_a_template_its_widgets_are_gone_and_every_scan_can_be_ticked(user, sample_crops):
    baseline = add_volume(sample_crops[0], "Baseline", "20240101")
    points = add_points({"somewhere": sample_crops[0].lps_from_index((60, 60, 20)) * (-1, -1, 1)})
    user.choose(baseline, points)
    assert user.follow_up_texts() == ["No other scan is loaded."]
    choose_source(user, "abdomen")
    assert not any(getattr(user.ui, name).visible for name in TEMPLATE_WIDGETS)
    assert user.follow_up_texts() == ["2024-01-01   Baseline"]
    assert "landmarks" in user.ui.followUpLabel.text and user.ui.transferButton.text == "Find landmarks"
    assert not user.ui.transferButton.enabled and "follow-up" in user.ui.transferButton.toolTip
    assert not user.ui.liveCheckBox.enabled and "Named landmarks" in user.ui.liveCheckBox.toolTip
    user.tick("Baseline")
    assert user.ui.transferButton.enabled
    assert "named landmarks" in user.ui.batchTemplateLabel.text
    # what was chosen before comes back
    choose_source(user, "Points")
    assert user.parameters.templateVolume is baseline and user.session.template_markups is points
    assert user.ui.transferButton.text == "Transfer points"


def test_named_landmarks_are_found_and_reviewed(user, scan, tmp_path):
    choose_source(user, "abdomen")
    user.tick("Abdomen")
    user.transfer()
    (column,) = user.session.follow_ups
    assert user.ui.reviewTable.rowCount == len(user.session.labels) == 9
    statuses = {label: user.session.item(column.key, label).status for label in user.session.labels}
    placed = [label for label, status in statuses.items() if status != "MISSING"]
    assert placed and set(placed) <= set(positions(column.markups_node))
    assert not user.ui.heatMapCheckBox.enabled and "no template" in user.ui.heatMapCheckBox.toolTip
    user.click_cell(user.session.labels.index(placed[0]))
    user.press("A")
    assert user.session.item(column.key, placed[0]).decision.value == "ACCEPTED"
    user.ui.exportFolderButton.directory = str(tmp_path / "results")
    user.export()
    assert (tmp_path / "results" / "report.html").is_file()
    views = [view for view in slicer.util.getNodesByClass("vtkMRMLSliceNode") if view.GetLayoutName()]
    assert views


def test_a_scene_brings_its_protocol_along(user, scan, tmp_path):
    choose_source(user, "chest")
    user.tick("Abdomen")
    path = str(tmp_path / "named.mrb")
    assert slicer.mrmlScene.WriteToMRB(path, None)
    user.start_anew()
    assert user.parameters.protocol == "" and user.ui.sourceSelector.currentIndex == 0
    assert slicer.mrmlScene.ReadFromMRB(path, True)
    user.bench.settle(300)
    assert user.parameters.protocol == user.session.protocol == "chest"
    assert "chest" in user.ui.sourceSelector.currentText
    assert [volume.volume_node.GetName() for volume in user.session.follow_ups] == ["Abdomen"]
