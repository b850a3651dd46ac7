"""Radiographs in Slicer: volumes of one slice, with markups on them."""

from __future__ import annotations

import numpy as np
import pytest
from reconstructed_films import reconstructed_radiograph
from scene_steps import TIMEOUT

from SAMLandmarkLib.models.registry import REGISTRY
from SAMLandmarkLib.session import TransferSession
from SAMLandmarkLib.utils.errors import UsageError

PIXEL_MM = 1.2
SHIFT_PIXELS = (7, -5)
POINTS_PIXELS = {"iliac crest": (80, 60), "endplate": (120, 90), "rib": (60, 40)}


@pytest.fixture(scope="module")
def film(sample_template) -> np.ndarray:
    """A digitally reconstructed radiograph of the bundled CT, int16 `[1,y,x]`."""
    return (4000 * reconstructed_radiograph(sample_template)).astype(np.int16)[None]


@pytest.fixture
def films(film, add_volume, add_markups):
    """The film, and the same shifted, as nodes of one slice; and points on the first."""
    ijk_to_lps = np.diag([PIXEL_MM, PIXEL_MM, 1.0, 1.0])
    first = add_volume("film", film, ijk_to_lps)
    shifted = np.roll(film, SHIFT_PIXELS[::-1], axis=(1, 2))
    second = add_volume("another film", shifted, ijk_to_lps)
    points = {
        label: (-PIXEL_MM * column, -PIXEL_MM * row, 0.0) for label, (column, row) in POINTS_PIXELS.items()
    }
    return first, second, add_markups(points)


needs_model = pytest.mark.skipif(
    "radiograph" not in REGISTRY.modalities, reason="no model of radiographs is bundled"
)


@needs_model
def test_points_on_a_film_are_carried_to_another_film(films, session: TransferSession, worker):
    first, second, markups = films
    session.set_template(first, markups)
    session.set_follow_ups([second])
    session.transfer()
    assert worker.wait(TIMEOUT)
    (column,) = session.follow_ups
    assert column.message == ""
    for label, (x, y) in POINTS_PIXELS.items():
        item = session.item(column.key, label)
        expected = PIXEL_MM * np.array([x + SHIFT_PIXELS[0], y + SHIFT_PIXELS[1], 0.0])
        assert np.linalg.norm(np.array(item.position_lps) - expected) < 2.0, label
        assert item.position_lps[2] == pytest.approx(0.0, abs=1e-6)
    assert column.markups_node.GetNumberOfControlPoints() == len(POINTS_PIXELS)


@needs_model
def test_a_scan_is_no_follow_up_of_a_film(films, session: TransferSession, add_volume, sample_template):
    first, _, markups = films
    scan = add_volume("scan", sample_template.array[:40, ::3, ::3], np.diag([3.0, 3.0, 2.5, 1.0]))
    session.set_template(first, markups)
    session.set_follow_ups([scan])
    assert session.blocking_reason.endswith("the template is of Radiograph; choose scans of one modality.")
    with pytest.raises(UsageError, match="scans of one modality"):
        session.transfer()
