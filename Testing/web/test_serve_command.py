"""`samlandmark serve`: what it refuses before it starts, and how it ends."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app
from SAMLandmarkLib.core.landmarks import Landmark, LandmarkSet
from SAMLandmarkLib.io.landmark_files import write_markups


@pytest.fixture(autouse=True)
def _no_page_is_served_for_ever() -> Iterator[None]:
    """A command that should have been refused, but serves its page, is interrupted."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _serve(*arguments: object) -> tuple[int, str]:
    """Exit code and error of a command that is not expected to start."""
    ended = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["serve", "--port", "0", *map(str, arguments)])
    return ended.exit_code, ended.stderr


def test_a_scan_that_is_not_there(files, tmp_path):
    code, error = _serve("--template", tmp_path / "missing.nii.gz")
    assert code == 2
    assert "missing.nii.gz does not exist; check the path." in error


def test_a_follow_up_that_is_no_scan(files, tmp_path):
    (tmp_path / "letter.nrrd").write_text("Dear colleague,")
    code, error = _serve("--template", files["april"], "--follow-up", tmp_path / "letter.nrrd")
    assert code == 2
    assert "letter.nrrd can't be read as NRRD" in error


def test_landmarks_outside_the_template(files, tmp_path):
    marks = LandmarkSet([Landmark("far", (5000.0, 0.0, 0.0)), Landmark("farther", (9000.0, 0.0, 0.0))])
    write_markups(tmp_path / "far.mrk.json", marks.labels, marks.positions_lps)
    code, error = _serve("--template", files["april"], "--landmarks", tmp_path / "far.mrk.json")
    assert code == 2
    assert "none of its 2 landmarks lies inside the template april" in error


def test_landmarks_without_a_template(files):
    code, error = _serve("--landmarks", files["landmarks"])
    assert code == 2
    assert "give --template as well" in error


def test_a_demo_with_other_scans(files):
    code, error = _serve("--demo", "--template", files["april"])
    assert code == 2
    assert "--demo brings its own scans" in error


def test_a_port_that_is_taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, error = _serve("--port", port)
    assert code == 2
    assert f"Port {port} of 127.0.0.1 can't be used" in error


def test_other_computers_only_with_a_token():
    code, error = _serve("--host", "0.0.0.0")
    assert code == 2
    assert "give a --token" in error


def test_a_token_that_is_soon_guessed():
    code, error = _serve("--token", "abc")
    assert code == 2
    assert "fewer than 8 signs" in error


@pytest.mark.parametrize("package", ["trame", "trame_rca", "slicer"])
def test_a_package_that_is_not_installed(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    code, error = _serve("--demo")
    assert code == 2
    assert f"({package}); install them with: pip install 'samlandmark[web]'" in error


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP], ids=["Ctrl-C", "closed terminal"])
def test_the_end_leaves_nothing_behind(start_server, files, how):
    server = start_server("--template", files["april"])
    children = server.children()
    assert len(children) == 1
    assert list(server.folder.glob("samlandmark-*"))
    assert server.stop(how) == 0
    assert not list(server.folder.iterdir())
    _wait_until_gone(children[0])
    assert "Traceback" not in "".join(server.lines)


def _wait_until_gone(process_id: int) -> None:
    end = time.monotonic() + 180
    while Path(f"/proc/{process_id}").exists():
        assert time.monotonic() < end, "The worker outlives the server."
        time.sleep(0.1)
