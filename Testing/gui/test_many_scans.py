"""More follow-ups than a page has room for, and the frames of a 4D volume, as the panel offers them."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from samples import add_points, add_volume

from SAMLandmarkLib.core.volume import Volume

IJK_TO_LPS = np.diag([3.0, 3.0, 3.0, 1.0])


def noise(seed: int) -> Volume:
    array = np.random.default_rng(seed).integers(-1000, 1000, (12, 14, 16)).astype(np.int16)
    return Volume(array, IJK_TO_LPS, f"CT {seed}")


@pytest.fixture
def radiologist(user):
    user.ui.reviewStep.collapsed = False
    yield user
    user.ui.reviewStep.collapsed = True


def test_pages_are_turned_by_their_buttons(radiologist):
    volumes = [add_volume(noise(number), f"CT {number}") for number in range(8)]
    radiologist.choose(volumes[0], add_points({"a": np.array([-20.0, -20.0, 15.0])}))
    radiologist.tick(*(f"CT {number}" for number in range(1, 8)))
    ui = radiologist.ui
    assert ui.pageLabel.text == "1 to 5 of 7 follow-ups" and ui.nextPageButton.visible
    radiologist.click(ui.nextPageButton)
    assert ui.pageLabel.text == "6 to 7 of 7 follow-ups"
    assert radiologist.view_of(volumes[6]) and radiologist.view_of(volumes[0])
    radiologist.click(ui.oneAtATimeCheckBox)
    assert ui.pageLabel.text.startswith("follow-up ") and ui.pageLabel.text.endswith(" of 7")
    radiologist.click(ui.oneAtATimeCheckBox)
    radiologist.parameters.followUps = volumes[1:4]
    radiologist.bench.settle()
    assert not ui.nextPageButton.visible and not ui.pageLabel.visible


def test_all_frames_of_a_4d_volume_are_ticked_and_the_template_is_one_of_them(radiologist):
    ui, scene = radiologist.ui, slicer.mrmlScene
    assert not ui.framesButton.visible
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "breathing")
    sequence.SetIndexUnit("s")
    for number in range(3):
        sequence.SetDataNodeAtValue(add_volume(noise(number), "frame"), str(10 * number))
        scene.RemoveNode(scene.GetFirstNodeByName("frame"))
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    own = add_volume(noise(0), "4D")
    browser.AddProxyNode(own, sequence, False)
    browser.SetSelectedItemNumber(1)
    radiologist.choose(own, add_points({"a": np.array([-20.0, -20.0, 15.0])}))
    radiologist.bench.wait_until(lambda: ui.framesButton.visible, 60, "the 4D volume is offered")
    assert ui.sequenceSelector.currentText == "breathing"
    radiologist.click(ui.framesButton)
    names = [node.GetName() for node in radiologist.parameters.followUps]
    assert names == ["breathing 1 (0 s)", "breathing 3 (20 s)"]
    assert radiologist.parameters.templateVolume.GetName() == "breathing 2 (10 s)"
    assert [scan.name for scan in radiologist.session.follow_ups] == names
