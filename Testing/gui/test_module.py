"""The module as Slicer and scripts see it: its texts, its logic, what it does without its packages, and Reload."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import slicer
from samples import ROOT, add_points, add_volume, points_inside
from user import positions

RELOAD = """
import os, sys
from pathlib import Path
os.environ.update(QT_QPA_PLATFORM="offscreen", VTK_DEFAULT_OPENGL_WINDOW="vtkEGLRenderWindow")
root = Path({root!r})
sys.path.insert(0, str(root / "Testing"))
from slicer_standin.bench import Bench
import slicer
bench = Bench()
bench.load_module(root / "SAMLandmark" / "SAMLandmark.py")
bench.show(1000, 700)
before = bench.open_module("SAMLandmark")
before.onReload()
after = slicer.modules.SAMLandmarkWidget
after.enter()
assert after is not before
assert type(after._panel) is not type(before._panel), "the panel's own package was not reloaded"
assert after.ui.templateSelector.nodeCount() == 0
from SAMLandmarkLib.utils.translation import Sentence
from slicer.i18n import translate
assert Sentence.translator is translate, "the library would speak English only"
after.ui.placeButton.click()
bench.close_module("SAMLandmark")
print("reloaded")
"""


def test_the_module_introduces_itself(bench):
    module = slicer.modules.samlandmark
    assert module.title == "SAMLandmark"
    assert module.categories == ["Registration"]
    assert "not a medical device" in module.helpText


def test_a_script_transfers_through_the_logic(user, sample_crops):
    template = add_volume(sample_crops[0], "Baseline")
    follow_up = add_volume(sample_crops[1], "Follow-up")
    truth = points_inside("followup", sample_crops[1])
    points = {label: p for label, p in points_inside("template", sample_crops[0]).items() if label in truth}
    nodes = user.widget.logic.transfer(template, add_points(points), [follow_up])
    assert len(nodes) == 1
    errors = [np.linalg.norm(point - truth[label]) for label, point in positions(nodes[0]).items()]
    assert np.median(errors) < 5.0


def test_a_script_is_told_what_is_missing(user, sample_crops):
    template = add_volume(sample_crops[0], "Baseline")
    with pytest.raises(RuntimeError, match="list of landmarks"):
        user.widget.logic.transfer(template, None, [])


def test_without_its_packages_it_asks_before_it_starts_anything(user, sample_crops, monkeypatch):
    for module in ("panel", "installation"):
        monkeypatch.setattr(f"SAMLandmarkPanel.{module}.missingRequirements", lambda: ["torch>=2.2"])
    user.widget.exit()
    user.widget.enter()
    user.choose(add_volume(sample_crops[0], "Baseline"), add_points({"a": (0.0, 0.0, -370.0)}))
    add_volume(sample_crops[1], "Follow-up")
    user.bench.settle()
    user.tick("Follow-up")
    assert not user.session.busy
    assert user.ui.transferButton.text == "Install what is missing and transfer"
    assert not user.ui.liveCheckBox.enabled
    user.click(user.ui.transferButton)  # in testing mode nothing is installed, and the answer is no
    assert not user.session.busy
    monkeypatch.undo()
    user.widget.exit()
    user.widget.enter()
    assert user.ui.transferButton.text == "Transfer points"
    user.transfer()
    assert user.cell(0)


def test_packages_may_be_installed_before_there_are_points(user, sample_crops, monkeypatch):
    monkeypatch.setattr("SAMLandmarkPanel.panel.missingRequirements", lambda: ["torch>=2.2"])
    user.widget.exit()
    user.widget.enter()
    user.choose(add_volume(sample_crops[0], "Baseline"))
    add_volume(sample_crops[1], "Follow-up")
    user.bench.settle()
    user.tick("Follow-up")
    monkeypatch.setattr("SAMLandmarkPanel.panel.ensureInstalled", lambda parent: True)
    user.widget._panel._transferStep.transferOrCancel()
    assert not user.session.transferring
    assert user.ui.transferButton.toolTip == "Choose or create the list of landmarks on the template."
    monkeypatch.undo()
    user.widget.exit()
    user.widget.enter()


def test_reload_takes_the_module_s_own_packages_along():
    script = RELOAD.format(root=str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("reloaded")
