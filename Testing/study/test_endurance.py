"""What happens to a study from outside: caches that rot, scans that go, schedulers that die, memory that is short."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from SAMLandmarkLib.study.ledger import LEDGER_NAME, Ledger, State
from SAMLandmarkLib.study.outcome import StudyOutcome

PATIENCE_SECONDS = 300.0


def states(folder: Path) -> dict[str, tuple[State, str]]:
    if (folder / LEDGER_NAME).exists():
        with suppress(Exception), Ledger.read(folder) as ledger:
            return ledger.states()
    return {}


def done(folder: Path) -> int:
    return sum(state is State.DONE for state, _reason in states(folder).values())


def test_rotten_entries_of_the_cache_change_no_table(own_study, run_study, tmp_path):
    cache = tmp_path / "cache"
    run_study(own_study, tmp_path / "first", cache_folder=cache)
    entries = sorted(cache.glob("*.npz"))
    assert len(entries) == 6
    for number, entry in enumerate(entries):
        content = bytearray(entry.read_bytes())
        if number % 3 == 0:
            content[len(content) // 2] ^= 16
        elif number % 3 == 1:
            del content[len(content) // 2 :]
        else:
            content[:] = b"not an embedding"
        entry.write_bytes(bytes(content))
    run_study(own_study, tmp_path / "second", cache_folder=cache)
    tables = [(tmp_path / name / "study.csv").read_text() for name in ("first", "second")]
    assert tables[0] == tables[1]


def test_a_scan_that_is_gone_fails_alone_and_one_that_changed_is_made_again(own_study, run_study, tmp_path):
    output, folder = tmp_path / "out", own_study.parent
    run_study(own_study, output)
    before = (output / "study.csv").read_text().splitlines()
    (folder / "patient-001-followup-001.nrrd").unlink()
    shutil.copy(folder / "patient-002-followup-002.nrrd", folder / "patient-002-followup-001.nrrd")
    run_study(own_study, output, resume=True)
    ended = states(output)
    state, reason = ended.pop("patient-001/patient-001-followup-001")
    assert state is State.FAILED
    assert "patient-001-followup-001.nrrd" in reason
    assert {state for state, _reason in ended.values()} == {State.DONE}
    after = (output / "study.csv").read_text().splitlines()
    untouched = [line for line in before if line.startswith("patient-001,") and "followup-002" in line]
    assert untouched
    assert set(untouched) <= set(after)
    placed = {
        scan: [line.split(",", 4)[4] for line in after if scan in line]
        for scan in ("patient-002-followup-001", "patient-002-followup-002")
    }
    assert len(set(map(tuple, placed.values()))) == 1


@pytest.fixture
def dask(tmp_path) -> Iterator[Callable[[], tuple[str, subprocess.Popen]]]:
    """A function that starts a scheduler with one worker, and returns its address and process."""
    started = []

    def start() -> tuple[str, subprocess.Popen]:
        file = tmp_path / "scheduler.json"
        common = ["--scheduler-file", str(file), "--no-dashboard"]
        program = [
            sys.executable,
            "-m",
            "distributed.cli.dask_scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
        ]
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
        started.append(subprocess.Popen([*program, *common], **quiet))
        end = time.monotonic() + PATIENCE_SECONDS
        while not file.exists() or not file.read_text():
            assert time.monotonic() < end, "the scheduler does not start"
            time.sleep(0.1)
        started.append(subprocess.Popen([*worker, *common, "--death-timeout", "5"], **quiet))
        return json.loads(file.read_text())["address"], started[0]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="killed by a signal of POSIX")
def test_a_scheduler_that_dies_is_told_and_resuming_gives_the_same_table(
    dask, small_study: Path, undisturbed: StudyOutcome, tmp_path: Path
) -> None:
    address, scheduler = dask()
    output = tmp_path / "out"
    command = [sys.executable, "-m", "SAMLandmarkLib", "batch", str(small_study), "--output", str(output)]
    command += ["--device", "cpu", "--threads", "1", "--cache", str(tmp_path / "cache")]
    process = subprocess.Popen(
        [*command, "--scheduler", address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    try:
        end = time.monotonic() + PATIENCE_SECONDS
        while done(output) < 2:
            assert time.monotonic() < end and process.poll() is None, "it did not come to that"
            time.sleep(0.05)
        scheduler.send_signal(signal.SIGKILL)
        _out, err = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
    assert process.returncode not in (0, -9)
    assert "The connection to the Dask scheduler was lost" in err
    assert "Traceback" not in err
    assert 2 <= done(output) < 6
    resumed = subprocess.run(
        [*command, "--resume", "--workers", "1"],
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
    )
    assert resumed.returncode == 0, resumed.stderr
    assert (output / "study.csv").read_text() == (undisturbed.folder / "study.csv").read_text()
