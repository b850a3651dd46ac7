"""The real page in headless Chromium, served by the real command on pieces of the bundled scans."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SAMLandmarkLib.core.landmarks import Landmark, LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.io.landmark_files import write_markups

# The tests share helpers that lie beside this file.
sys.path.insert(0, str(Path(__file__).parent))

from page_server import PageServer
from visitor import CHROMIUM_FLAGS, Visitor

PLACED = "transverse_process_tip_l1_left"
LABELS = (PLACED, "celiac_aorta_inferior_crotch", "spinous_tip_t12")
_HALF_SIZE_IJK = (52, 52, 34)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.fail(
            "The tests of the page need Chromium: run Testing/install_system_packages.sh, or set CHROMIUM."
        )
    return found


@pytest.fixture(scope="package")
def browser(chromium) -> Iterator[object]:
    """A browser without windows; its driver's loop ends with the tests of the page, since others start their own."""
    # here, so that a missing package fails these tests and not the collection of all
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, headless=True, args=CHROMIUM_FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def places(sample_landmarks) -> dict[str, np.ndarray]:
    """Where the landmarks are in the template, LPS mm."""
    return {mark.label: mark.position_lps for mark in sample_landmarks}


@pytest.fixture(scope="session")
def truth(sample_truth) -> dict[str, np.ndarray]:
    """Where they are in the follow-up, found independently, LPS mm."""
    return {mark.label: mark.position_lps for mark in sample_truth}


@pytest.fixture(scope="session")
def files(tmp_path_factory, sample_template, sample_followup, places, truth) -> dict[str, Path]:
    """Pieces of both scans with one landmark in the middle, and the landmarks of the template's piece."""
    folder = tmp_path_factory.mktemp("scans")
    paths = {name: folder / f"{name}.nii.gz" for name in ("april", "may")}
    _write_piece(paths["april"], sample_template, places[PLACED])
    # the follow-up's piece lies a little elsewhere, so that equal places in the pieces are not equal places in the body
    _write_piece(paths["may"], sample_followup, truth[PLACED] + (6.0, -9.0, 4.5))
    marks = LandmarkSet([Landmark(label, places[label]) for label in LABELS])
    paths["landmarks"] = folder / "april.mrk.json"
    write_markups(paths["landmarks"], marks.labels, marks.positions_lps)
    return paths


def _write_piece(path: Path, volume: Volume, middle_lps: np.ndarray) -> None:
    middle = np.rint(volume.index_from_lps(middle_lps)).astype(int)
    start, stop = middle - _HALF_SIZE_IJK, middle + _HALF_SIZE_IJK + 1
    start, stop = np.maximum(start, 0), np.minimum(stop, volume.size_ijk)
    image = sitk.GetImageFromArray(volume.array[tuple(slice(*ends) for ends in zip(start, stop))[::-1]])
    image.SetOrigin(volume.lps_from_index(start).tolist())
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetDirection((volume.ijk_to_lps[:3, :3] / volume.spacing_mm).ravel().tolist())
    sitk.WriteImage(image, str(path))


@pytest.fixture(scope="module")
def start_server(tmp_path_factory) -> Iterator[Callable[..., PageServer]]:
    """A function that starts `samlandmark serve` with arguments; all it started end with the module."""
    started: list[PageServer] = []

    def start(*arguments: object) -> PageServer:
        # one at a time in a temporary folder of its own, so that what is left behind is seen
        server = PageServer(arguments, tmp_path_factory.mktemp("server"))
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="package")
def serve_pair(tmp_path_factory, files) -> Callable[[], AbstractContextManager[PageServer]]:
    """A function that serves a page with both scans and the landmarks."""

    @contextmanager
    def serve() -> Iterator[PageServer]:
        arguments = (
            "--template",
            files["april"],
            "--landmarks",
            files["landmarks"],
            "--follow-up",
            files["may"],
        )
        server = PageServer((*arguments, "--max-upload", "20M"), tmp_path_factory.mktemp("server"))
        yield server
        server.stop()

    return serve


@pytest.fixture(scope="package")
def sit_down(browser) -> Callable[[PageServer], AbstractContextManager[Visitor]]:
    """A function that puts somebody in front of such a page and waits until all landmarks are carried."""

    @contextmanager
    def visitor(server: PageServer) -> Iterator[Visitor]:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
        person = Visitor(context.new_page(), server.address)
        person.wait_until_ready()
        for label in LABELS:
            person.wait_for_decision(label, "OPEN")
        yield person
        context.close()

    return visitor


@pytest.fixture(scope="package")
def pair(serve_pair) -> Iterator[PageServer]:
    """A page with both scans and the landmarks, for tests that leave it as it was."""
    with serve_pair() as server:
        yield server


@pytest.fixture(scope="package")
def reader(sit_down, pair) -> Iterator[Visitor]:
    """Somebody in front of that page when all landmarks are carried."""
    with sit_down(pair) as person:
        yield person


@pytest.fixture
def visit(browser) -> Iterator[Callable[[str], Visitor]]:
    """A function that opens an address in a browser profile of its own."""
    contexts = []

    def open_page(address: str) -> Visitor:
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True))
        return Visitor(contexts[-1].new_page(), address)

    yield open_page
    for context in contexts:
        context.close()
