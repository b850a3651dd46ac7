"""The results that the page gives."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path


def test_the_download_is_what_the_command_writes_for_the_same_points(reader, files, tmp_path):
    with reader.page.expect_download() as event:
        reader.page.click("#download")
    event.value.save_as(tmp_path / "results.zip")
    with zipfile.ZipFile(tmp_path / "results.zip") as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "page")
    command = [sys.executable, "-m", "SAMLandmarkLib", "transfer", "--output", tmp_path / "command"]
    command += ["--template", files["april"], "--landmarks", files["landmarks"], "--target", files["may"]]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    page, command = tmp_path / "page", tmp_path / "command"
    assert json.loads((page / "may.mrk.json").read_text()) == json.loads(
        (command / "may.mrk.json").read_text()
    )
    assert _rows(page / "transfer.csv") == _rows(command / "transfer.csv")
    assert "<html" in (page / "report.html").read_text()
    assert {path.name for path in page.iterdir()} >= {"april.mrk.json", "review.csv", "review.json"}


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_nothing_that_the_page_gives_names_a_folder_of_the_computer(reader, pair, files, tmp_path):
    with reader.page.expect_download() as event:
        reader.page.click("#download")
    event.value.save_as(tmp_path / "results.zip")
    with zipfile.ZipFile(tmp_path / "results.zip") as archive:
        texts = [archive.read(name).decode() for name in archive.namelist()]
    texts.append(reader.page.content())
    texts.append(json.dumps(reader.page.evaluate("window.trame.state.state")))
    for folder in (pair.folder, files["april"].parent):
        assert not any(str(folder) in text for text in texts)
