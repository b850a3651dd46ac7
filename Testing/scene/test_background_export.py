"""Exports by a process of its own: the same files, progress, cancel, and an end that is told in any case."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from scene_steps import LABELS, wait_for

from SAMLandmarkLib.reporting.pictures import Pictures
from SAMLandmarkLib.session import Change
from SAMLandmarkLib.utils.errors import UsageError


def picture_count(folder: Path) -> int:
    return (folder / "report.html").read_text(encoding="utf-8").count("data:image/png")


def texts(folder: Path) -> dict[str, str]:
    """The files by name, without the times at which they were written."""
    read = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    return {name: re.sub(r"20\d\d-\d\d-\d\d.\d\d:\d\d[:.\dZ+]*", "", text) for name, text in read.items()}


def test_the_process_writes_what_the_session_writes(transferred, tmp_path):
    transferred.correct(transferred.follow_ups[0].key, LABELS[0], (1.0, 2.0, -350.0))
    transferred.export(tmp_path / "here")
    fractions, changes = [], []
    transferred.add_listener(changes.append)
    transferred.exports.start(tmp_path / "there", Pictures.ALL)
    assert transferred.exports.running and transferred.exports.end is None
    wait_for(
        transferred, lambda: fractions.append(transferred.exports.fraction) or not transferred.exports.running
    )
    end = transferred.exports.end
    assert not end.problem and [path.name for path in end.files][-1] == "report.html"
    assert texts(tmp_path / "there") == texts(tmp_path / "here")
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert changes.count(Change.EXPORT) >= 2


@pytest.mark.parametrize("pictures", Pictures)
def test_pictures_are_of_those_points_only_that_were_asked_for(transferred, tmp_path, pictures):
    may = transferred.follow_ups[0]
    transferred.reject(may.key, LABELS[0])
    transferred.exports.start(tmp_path, pictures)
    wait_for(transferred, lambda: not transferred.exports.running)
    items = [item for scan in transferred.follow_ups for item in transferred.state.items(scan.key).values()]
    shown = [item for item in items if pictures.include(item)]
    # axial and coronal; a rejected point is shown in the template only
    assert picture_count(tmp_path) == sum(4 if item.position_lps else 2 for item in shown)
    assert len(shown) == {"all": 6, "none": 0}.get(pictures.value, len(shown)) and len(shown) < 7


def test_only_one_export_at_a_time_and_none_of_nothing(transferred, ready, tmp_path):
    transferred.exports.start(tmp_path)
    with pytest.raises(UsageError, match="wait for its end"):
        transferred.exports.start(tmp_path)
    transferred.exports.cancel()
    with pytest.raises(UsageError, match="transfer the landmarks first"):
        ready.set_follow_ups([])
        ready.exports.start(tmp_path)


def test_a_canceled_export_is_told_and_can_be_repeated(transferred, tmp_path):
    transferred.exports.start(tmp_path / "a", Pictures.ALL)
    transferred.exports.cancel()
    assert not transferred.exports.running and "canceled" in transferred.exports.end.problem
    transferred.exports.start(tmp_path / "b", Pictures.NONE)
    wait_for(transferred, lambda: not transferred.exports.running)
    assert not transferred.exports.end.problem and (tmp_path / "b" / "report.html").is_file()
    assert not (tmp_path / "a" / "report.html").exists()


def test_what_goes_wrong_is_told_in_a_sentence(transferred, tmp_path):
    (tmp_path / "file").write_text("in the way")
    transferred.exports.start(tmp_path / "file", Pictures.NONE)
    wait_for(transferred, lambda: not transferred.exports.running)
    assert "choose another" in transferred.exports.end.problem and not transferred.exports.end.files


def test_a_process_that_dies_is_told(transferred, tmp_path):
    transferred.exports.start(tmp_path, Pictures.ALL)
    job = transferred.exports._job._process
    wait_for(transferred, lambda: job._process is not None)
    os.kill(job._process.pid, signal.SIGKILL)
    wait_for(transferred, lambda: not transferred.exports.running)
    assert "ended unexpectedly" in transferred.exports.end.problem


def test_the_scene_may_close_meanwhile(transferred, tmp_path, scene):
    transferred.exports.start(tmp_path, Pictures.DOUBTFUL)
    scene.Clear(0)
    wait_for(transferred, lambda: not transferred.exports.running)
    assert (tmp_path / "review.csv").is_file() and not transferred.exports.end.problem
