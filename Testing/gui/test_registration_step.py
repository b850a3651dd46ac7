"""The step of registration: a follow-up is chosen, registered, seen over the template and as a grid, and removed."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from samples import add_volume, cut_to_spine
from vtk.util.numpy_support import vtk_to_numpy

SECONDS = 240
PROFILES = ["accurate", "fast", "affine map only"]


@pytest.fixture(scope="module")
def small(sample_crops):
    """Template and follow-up cut to the spine, which takes a moment to compute."""
    return [cut_to_spine(volume) for volume in sample_crops]


@pytest.fixture
def radiologist(user, small):
    """Somebody with a baseline and a follow-up side by side who has opened the step."""
    user.template = add_volume(small[0], "Baseline", "20240101")
    user.follow_up = add_volume(small[1], "Follow-up", "20240203")
    user.choose(user.template)
    user.tick("Follow-up")
    user.ui.registrationStep.collapsed = False
    user.bench.settle(150)
    yield user
    user.session.registrations.close()
    user.ui.registrationStep.collapsed = True


def picture_of(user, volume) -> np.ndarray:
    """What the view of a scan shows, as bytes."""
    user.bench.settle(100)
    window = user.bench.layout_manager.sliceWidget(user.view_of(volume)).sliceView().renderWindow()
    window.Render()
    (width, height), pixels = window.GetSize(), vtk.vtkUnsignedCharArray()
    window.GetPixelData(0, 0, width - 1, height - 1, 0, pixels, 0)
    return vtk_to_numpy(pixels).copy()


def test_a_follow_up_is_registered_seen_and_removed(radiologist):
    ui, scene = radiologist.ui, slicer.mrmlScene
    selector = ui.registrationProfileSelector
    assert [selector.itemText(number) for number in range(selector.count)] == PROFILES
    assert ui.registrationFollowUpSelector.currentText == "Follow-up"
    assert not ui.overTemplateCheckBox.enabled and "first" in ui.registrationGridCheckBox.toolTip
    selector.setCurrentIndex(PROFILES.index("fast"))
    radiologist.click(ui.registerButton)
    assert ui.registerButton.text == "Cancel" and ui.registrationProgress.visible
    registrations = radiologist.session.registrations
    radiologist.bench.wait_until(lambda: not registrations.running, SECONDS, "it is registered")
    radiologist.bench.settle(60)
    assert ui.registerButton.text == "Register" and not ui.registrationProgress.visible
    lines = ui.registrationLabel.text.split("\n")
    assert lines[:2] == [
        "Transform: Follow-up to Baseline",
        "Registered volume: Follow-up registered to Baseline",
    ]
    assert lines[2].startswith("Profile fast: ")
    assert radiologist.follow_up_texts() == ["2024-02-03   Follow-up"]
    is_seen(radiologist)
    radiologist.click(ui.removeRegistrationButton)
    assert ui.registrationLabel.text == "" and not ui.overTemplateCheckBox.enabled
    assert scene.GetFirstNodeByName("Follow-up to Baseline") is None


def is_seen(user) -> None:
    before = picture_of(user, user.template)
    user.click(user.ui.overTemplateCheckBox)
    over = picture_of(user, user.template)
    assert (over != before).mean() > 0.02
    user.click(user.ui.overTemplateCheckBox)
    assert (picture_of(user, user.template) != before).mean() < 0.001
    user.click(user.ui.registrationGridCheckBox)
    # thin lines
    assert 0.005 < (picture_of(user, user.template) != before).mean() < 0.3
    user.click(user.ui.registrationGridCheckBox)


def test_what_is_missing_is_said_and_a_registration_is_canceled(radiologist):
    ui = radiologist.ui
    radiologist.click(ui.registerButton)
    radiologist.click(ui.registerButton)
    assert ui.registrationLabel.text == "Canceled." and ui.registerButton.text == "Register"
    radiologist.choose(radiologist.follow_up)
    radiologist.bench.settle(100)
    assert ui.registrationFollowUpSelector.count == 0
    assert not ui.registerButton.enabled and "follow-up" in ui.registerButton.toolTip
