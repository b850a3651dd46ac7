"""A film that hardly resembles the template: nothing in it is called found, and the reason is told."""

from __future__ import annotations

import numpy as np
import pytest
from reconstructed_films import reconstructed_radiograph

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.modality import RADIOGRAPH
from SAMLandmarkLib.core.results import Status
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.engine.transfer import TransferEngine
from SAMLandmarkLib.models.registry import bundled_model
from SAMLandmarkLib.utils.errors import VolumeWarning

PIXEL_MM = 1.2
POINTS = LandmarkSet.from_points(
    ["a", "b", "c"], PIXEL_MM * np.array([[80, 60, 0], [120, 90, 0], [60, 40, 0]])
)


@pytest.fixture(scope="module")
def film_engine() -> TransferEngine:
    return TransferEngine("cpu", bundled_model("radiograph"))


@pytest.fixture(scope="module")
def pixels(sample_template) -> np.ndarray:
    """A digitally reconstructed radiograph of the bundled CT, `[y,x]` from 0 to 4000."""
    return 4000 * reconstructed_radiograph(sample_template)


def _film(pixels: np.ndarray, name: str) -> Volume:
    return Volume(
        pixels[None].astype(np.float32), np.diag([PIXEL_MM, PIXEL_MM, 1.0, 1.0]), name, modality=RADIOGRAPH
    )


def test_nothing_is_found_in_an_inverted_film(film_engine, pixels):
    template = film_engine.embed(_film(pixels, "film"))
    with pytest.warns(VolumeWarning, match="no landmark in it is called found"):
        result = film_engine.transfer(template, POINTS, _film(4000 - pixels, "inverted"))
    assert all(item.status is not Status.FOUND for item in result)
    assert all(item.confidence <= film_engine.calibration.found for item in result)
    assert "called found" in result.provenance["warnings"]["target"][0]


def test_a_film_of_the_same_is_judged_point_by_point(film_engine, pixels):
    template = film_engine.embed(_film(pixels, "film"))
    result = film_engine.transfer(template, POINTS, _film(np.roll(pixels, (5, 3), axis=(0, 1)), "shifted"))
    assert any(item.status is Status.FOUND for item in result)
    assert result.provenance["warnings"]["target"] == []
