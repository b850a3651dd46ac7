"""The page without a template: named landmarks of a protocol, found on every scan that is opened."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from conftest import LABELS, PLACED
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app
from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.embedding.atlas_file import write_atlas_file
from SAMLandmarkLib.engine.atlas_build import MarkedScan, build_atlas

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def atlas(engine, files, tmp_path_factory) -> Path:
    """An atlas file of one patient, whose scan is the piece of the template."""
    marked = MarkedScan(engine.embed(Volume.read(files["april"])), LandmarkSet.read(files["landmarks"]))
    path = tmp_path_factory.mktemp("atlas") / "mine.safetensors"
    write_atlas_file(path, build_atlas(engine, "mine", [marked]))
    return path


@pytest.fixture(scope="module")
def person(start_server, browser, files, atlas):
    """Somebody in front of a page that has found the protocol's landmarks on one scan."""
    from visitor import Visitor

    server = start_server("--protocol", atlas, "--follow-up", files["may"])
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    person = Visitor(context.new_page(), server.address)
    for label in LABELS:
        person.wait_for_decision(label, "OPEN")
    yield person
    context.close()


def test_the_landmarks_are_found_and_shown_without_a_template(person):
    assert person.page.locator("#place").count() == 0
    assert "Named landmarks: mine" in person.page.locator(".sl-panel").inner_text()
    assert [person.state("titles")[key]["role"] for key in person.state("titles")] == ["Scan"]
    assert person.page.locator(".sl-view").count() == 1
    assert person.page.locator(".sl-welcome").count() == 0
    assert person.cell(PLACED)["status"] in ("FOUND", "DOUBTFUL")


def test_they_are_reviewed_like_any_others(person):
    person.choose(PLACED)
    assert "no template" in person.state("current")["blocking_reasons"]["heat_map"]
    person.press("a")
    person.wait_for_decision(PLACED, "ACCEPTED")
    person.press("Control+z")
    person.wait_for_decision(PLACED, "OPEN")


def test_they_are_downloaded(person, atlas):
    with person.page.expect_download() as waiting:
        person.page.click("#download")
    with zipfile.ZipFile(io.BytesIO(Path(waiting.value.path()).read_bytes())) as archive:
        names = archive.namelist()
        texts = [archive.read(name).decode() for name in names]
    # nothing names a folder of the computer
    texts.append(json.dumps(person.page.evaluate("window.trame.state.state")))
    assert not any(str(folder) in text for text in texts for folder in (atlas.parent, REPOSITORY))
    assert any("mine.safetensors" in text for text in texts)
    assert "may.mrk.json" in names and "report.html" in names and "april.mrk.json" not in names


def test_what_a_browser_sends_is_never_taken_for_a_path(person, atlas):
    person.page.evaluate(f"window.trame.state.set('protocol', {json.dumps(str(atlas))})")
    person.wait("get('protocol') === 'mine.safetensors'")


def test_points_of_a_template_can_be_chosen_instead(person):
    person.page.evaluate("window.trame.state.set('protocol', '')")
    person.page.wait_for_selector("#place")
    person.wait("get('table').rows.length === 0")
    assert person.state("sources")[0] == {"title": "Points on a template", "value": ""}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--protocol", "knee"), "There is no protocol 'knee'"),
        (("--protocol", "chest", "--template", "t.nii.gz"), "a protocol needs no template"),
    ],
)
def test_wrong_usage_is_told(options, message):
    done = CliRunner().invoke(app, ["serve", "--port", "0", *options], env={"COLUMNS": "200"})
    assert done.exit_code == 2 and message in " ".join(done.output.split())
