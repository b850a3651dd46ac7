"""The module on the test bench: real .ui and module file, real slice views, the real engine in its own process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# before Qt, VTK and the module are imported: no screen, and an embedding cache of the tests' own
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
ROOT = Path(__file__).parents[2]
for folder in (ROOT / "Testing", ROOT / "Testing" / "gui"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the GUI tests need PySide6-Essentials")
pytest.importorskip("slicer", reason="the GUI tests need slicer-core")


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory):
    """A window with the module open; its engine stays alive between the tests, as in a day's work."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    from slicer_standin.bench import Bench

    bench = Bench()
    bench.load_module(ROOT / "SAMLandmark" / "SAMLandmark.py")
    bench.show(1400, 1000)
    bench.open_module("SAMLandmark")
    yield bench
    bench.close_module("SAMLandmark")
    patch.undo()


@pytest.fixture
def user(bench):
    """Somebody in front of the open module and an empty scene."""
    from user import User

    person = User(bench)
    person.start_anew()
    yield person
    person.start_anew()


@pytest.fixture(scope="session")
def sample_crops():
    """A 7 cm thick part of the sample pair: two Volumes, template and follow-up, with ten of the points."""
    from samples import crop_pair

    return crop_pair()


@pytest.fixture
def review(user, sample_crops):
    """A transferred study: the sample pair, and one point that lies outside the template."""
    from samples import add_points, add_volume, points_inside

    user.template = add_volume(sample_crops[0], "Baseline", "20240101")
    user.follow_up = add_volume(sample_crops[1], "Follow-up", "20240203")
    truth = points_inside("followup", sample_crops[1])
    inside = {k: v for k, v in points_inside("template", sample_crops[0]).items() if k in truth}
    user.points = dict(list(inside.items())[:5]) | {"outside the template": np.array([0.0, 0.0, 900.0])}
    user.choose(user.template, add_points(user.points))
    user.tick("Follow-up")
    user.transfer()
    user.sample_crops = sample_crops
    user.scan = user.session.follow_ups[0].key
    user.labels = list(user.points)
    return user
