"""Fixtures that every test may use."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

# Helpers that several folders share, such as toy_models.
sys.path.insert(0, str(Path(__file__).parent))


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


# Files that take a minute or more; the processes that share the tests get them first, so that all end at the same time.
LONGEST_FILES = (
    "test_interruptions.py",
    "test_registration.py",
    "test_training_run.py",
    "test_register_command.py",
    "test_transfer.py",
    "test_transfer_command.py",
    "test_study_resume.py",
    "test_study_folder.py",
    "test_study_run.py",
    "test_training_tasks.py",
    "test_evaluation_runs.py",
    "test_radiologist_hour.py",
    "test_review_decisions.py",
    "test_review_step.py",
    "test_mishaps.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the longest files to the front."""
    rank = {name: number for number, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


def pytest_report_header() -> str:
    """What the tests compute with; the last digits of results depend on it."""
    import torch

    from SAMLandmarkLib.models.precision import compute_dtype, instruction_set, precision_name

    precision = precision_name(compute_dtype(torch.device("cpu")))
    return f"processor: {instruction_set()}, computing in {precision} with {torch.get_num_threads()} threads"


class Page(HTMLParser):
    """A page's text, headings, ids and the addresses that it refers to; fails at a tag that is closed wrongly."""

    _VOID = ("meta", "img", "path", "use", "br", "wbr")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.headings: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in self._VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.addresses += [value for name, value in attributes if name in ("src", "href", "xlink:href")]
        self.ids += [value for name, value in attributes if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings.append(data)


@pytest.fixture(scope="session")
def parsed() -> Callable[[str], Page]:
    """A function that takes an HTML page apart."""

    def parse(text: str) -> Page:
        page = Page()
        page.feed(text)
        assert page.open == []
        return page

    return parse


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
    from SAMLandmarkLib.core.volume import Volume

    return Volume.read(sample_folder / "template.nii.gz")


@pytest.fixture(scope="session")
def sample_followup(sample_folder: Path):
    """The bundled follow-up volume, 33 days later."""
    from SAMLandmarkLib.core.volume import Volume

    return Volume.read(sample_folder / "followup.nii.gz")


@pytest.fixture(scope="session")
def sample_landmarks(sample_folder: Path):
    """The landmarks of the bundled template."""
    from SAMLandmarkLib.core.landmarks import LandmarkSet

    return LandmarkSet.read(sample_folder / "template.csv", csv_frame="LPS")


@pytest.fixture(scope="session")
def sample_truth(sample_folder: Path):
    """The same places found independently in the bundled follow-up."""
    from SAMLandmarkLib.core.landmarks import LandmarkSet

    return LandmarkSet.read(sample_folder / "followup.csv", csv_frame="LPS")


@pytest.fixture(scope="session")
def engine():
    """The engine with the bundled model, on the CPU."""
    from SAMLandmarkLib.engine.transfer import TransferEngine

    return TransferEngine(device="cpu")


@pytest.fixture(scope="session")
def sample_embeddings(engine, sample_template, sample_followup):
    """The embeddings of the bundled template and follow-up."""
    return engine.embed(sample_template), engine.embed(sample_followup)


@pytest.fixture
def write_ct() -> Callable[..., sitk.Image]:
    """A function that writes CT-like noise, or `array`, to a file of any format and returns ITK's image.

    It has the origin (-120.5, 33.25, 840) and the spacing (0.7, 0.9, 2.5) mm.
    """

    def write(path: Path, array: np.ndarray | None = None, direction: np.ndarray | None = None) -> sitk.Image:
        if array is None:
            array = np.random.default_rng(5).integers(-1000, 1500, (12, 14, 16)).astype(np.int16)
        image = sitk.GetImageFromArray(array)
        if image.GetDimension() == 3:
            image.SetOrigin((-120.5, 33.25, 840.0))
            image.SetSpacing((0.7, 0.9, 2.5))
            image.SetDirection(np.ravel(np.eye(3) if direction is None else direction).tolist())
        sitk.WriteImage(image, str(path))
        return image

    return write


@pytest.fixture
def write_point_lists(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes `a.mrk.json` with one point list for each argument, and returns its path.

    A list has one point, `carina` at LPS (1, 2, 3); its argument holds the keys to add or replace in it.
    """

    def write(*changes: dict, schema: str = "https://somewhere/markups-schema-v1.0.3.json#") -> Path:
        point = {"label": "carina", "position": [1.0, 2.0, 3.0], "positionStatus": "defined"}
        point_list = {"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": [point]}
        document = {"@schema": schema, "markups": [point_list | change for change in changes]}
        path = tmp_path / "a.mrk.json"
        path.write_text(json.dumps(document))
        return path

    return write
