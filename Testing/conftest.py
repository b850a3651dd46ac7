"""Fixtures that every test may use."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest


def _axis_directions() -> dict[str, np.ndarray]:
    """Every way in which the axes i, j, k of a volume can run along ±L, ±P, ±S, by name, such as `RSP`."""
    directions = {}
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            name = "".join(("RAI", "LPS")[sign > 0][axis] for axis, sign in zip(order, signs, strict=True))
            directions[name] = np.eye(3)[:, list(order)] * signs
    return directions


AXIS_DIRECTIONS = _axis_directions()
_OBLIQUE = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
_SHEARED = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.3], [0.0, 0.0, 1.0]])
TURNED_DIRECTIONS = {
    "oblique": _OBLIQUE,
    "slightly oblique": np.array([[1.0, -0.01, 0.0], [0.01, 1.0, 0.0], [0.0, 0.0, 1.0]]) / np.hypot(1, 0.01),
    "sheared": _SHEARED,
    "oblique and sheared": _OBLIQUE @ _SHEARED,
}
DIRECTIONS = AXIS_DIRECTIONS | TURNED_DIRECTIONS


@pytest.fixture(params=AXIS_DIRECTIONS.values(), ids=AXIS_DIRECTIONS.keys())
def axis_direction(request: pytest.FixtureRequest) -> np.ndarray:
    """Each of the 48 directions (3x3, columns i, j, k) along LPS axes in turn."""
    return request.param


@pytest.fixture(params=DIRECTIONS.values(), ids=DIRECTIONS.keys())
def direction(request: pytest.FixtureRequest) -> np.ndarray:
    """Each of the 48 directions along LPS axes in turn, and oblique and sheared ones."""
    return request.param


@pytest.fixture(scope="session")
def sample_folder() -> Path:
    """The bundled pair of abdominal CT: template.nii.gz, followup.nii.gz, and their points as .csv (LPS)."""
    return Path(__file__).parents[1] / "Resources" / "SampleData"


@pytest.fixture(scope="session")
def sample_template(sample_folder: Path):
    """The bundled template volume."""
    from SAMLandmarkLib.volume import Volume

    return Volume.read(sample_folder / "template.nii.gz")


@pytest.fixture(scope="session")
def sample_followup(sample_folder: Path):
    """The bundled follow-up volume, 33 days later."""
    from SAMLandmarkLib.volume import Volume

    return Volume.read(sample_folder / "followup.nii.gz")


@pytest.fixture(scope="session")
def sample_landmarks(sample_folder: Path):
    """The landmarks of the bundled template."""
    from SAMLandmarkLib.landmarks import LandmarkSet

    return LandmarkSet.read(sample_folder / "template.csv", csv_frame="LPS")


@pytest.fixture(scope="session")
def sample_truth(sample_folder: Path):
    """The same places found independently in the bundled follow-up."""
    from SAMLandmarkLib.landmarks import LandmarkSet

    return LandmarkSet.read(sample_folder / "followup.csv", csv_frame="LPS")


@pytest.fixture(scope="session")
def engine():
    """The engine with the bundled model, on the CPU."""
    from SAMLandmarkLib.transfer import TransferEngine

    return TransferEngine(device="cpu")
