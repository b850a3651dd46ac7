"""Whatever ends a run or a worker: resuming gives the same table, and computes again only what was in work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from SAMLandmarkLib.study.executors.cluster import ClusterExecutor
from SAMLandmarkLib.study.executors.processes import ProcessExecutor
from SAMLandmarkLib.study.ledger import LEDGER_NAME, Entry, Ledger, State
from SAMLandmarkLib.study.manifest import read_manifest
from SAMLandmarkLib.study.pending import StudyRequest
from SAMLandmarkLib.study.runner import StudyRun
from SAMLandmarkLib.study.study_progress import StudyProgress

PATIENCE_SECONDS = 300.0


def entries(folder: Path) -> dict[str, Entry]:
    if not (folder / LEDGER_NAME).exists():
        return {}
    with suppress(Exception), Ledger.read(folder) as ledger:
        return ledger.entries()
    return {}


def in_state(folder: Path, state: State) -> set[str]:
    return {key for key, entry in entries(folder).items() if entry.state is state}


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


@pytest.fixture
def command(small_study, tmp_path) -> Iterator[Callable[..., subprocess.Popen]]:
    """A function that starts `samlandmark batch` on the small study; with an own cache, so that there is work to do."""
    started = []

    def start(*options: str) -> subprocess.Popen:
        arguments = [sys.executable, "-m", "SAMLandmarkLib", "batch", str(small_study), "--device", "cpu"]
        arguments += ["--output", str(tmp_path / "out"), "--cache", str(tmp_path / "cache"), *options]
        started.append(
            subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def descendants(process: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.every_processor
def test_killed_runs_are_gone_on_with(command, tmp_path, undisturbed):
    output, begun = tmp_path / "out", Counter()
    for number in range(2):
        process = command("--workers", "2", *(["--resume"] if number else ["--threads", "1"]))
        done = len(in_state(output, State.DONE))
        wait_until(lambda done=done: len(in_state(output, State.DONE)) >= done + 2)
        children = descendants(process)
        process.kill()
        process.wait()
        begun.update(in_state(output, State.RUNNING))
        # workers of a run that is gone must not go on computing, nor hold the study's lock
        assert not psutil.wait_procs(children, timeout=PATIENCE_SECONDS)[1]
    # one worker would take all cores by itself; the study goes on with as many threads as it was begun with
    final = command("--workers", "1", "--resume")
    assert final.wait(PATIENCE_SECONDS) == 0
    with Ledger.read(output) as ledger:
        assert ledger.settings["threads"] == 1
    assert (output / "study.csv").read_text() == (undisturbed.folder / "study.csv").read_text()
    assert {key: entry.attempts for key, entry in entries(output).items()} == {
        key: 1 + begun[key] for key in entries(undisturbed.folder)
    }
    assert not [path for path in output.rglob(".*") if path.is_file()]


def test_ctrl_c_stops_cleanly_and_resuming_goes_on(command, tmp_path, undisturbed):
    output = tmp_path / "out"
    process = command("--workers", "1", "--threads", "1")
    wait_until(lambda: len(in_state(output, State.DONE)) >= 2)
    children = descendants(process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert "--resume" in err
    assert not psutil.wait_procs(children, timeout=PATIENCE_SECONDS)[1]
    assert not in_state(output, State.RUNNING)
    done = in_state(output, State.DONE)
    assert f"{len(done)} of 6 scans done" in out
    # the tables tell what there is
    lines = (output / "study.csv").read_text().splitlines()
    assert set(lines) <= set((undisturbed.folder / "study.csv").read_text().splitlines())
    assert {line.split(",")[1] for line in lines[1:]} == {key.split("/")[1] for key in done}
    resumed = command("--resume")
    assert resumed.wait(PATIENCE_SECONDS) == 0
    assert (output / "study.csv").read_text() == (undisturbed.folder / "study.csv").read_text()
    assert all(entries(output)[key].attempts == 1 for key in done)


def test_a_second_run_in_the_same_folder_says_so_and_stops(command, tmp_path):
    first = command("--workers", "1")
    wait_until(lambda: bool(in_state(tmp_path / "out", State.RUNNING)))
    _, err = (second := command("--resume")).communicate(timeout=PATIENCE_SECONDS)
    assert second.returncode == 2
    assert "Another run is at work" in err
    assert first.wait(PATIENCE_SECONDS) == 0


@pytest.fixture
def run(small_study, study_settings, tmp_path):
    """A function that runs the small study with an executor, and calls `meddle` with each progress."""

    def go(make_executor, meddle: Callable[[StudyProgress], None], resume: bool = False) -> Path:
        output = tmp_path / "out"
        settings = study_settings.__class__(**{**vars(study_settings), "cache_folder": tmp_path / "cache"})
        request = StudyRequest(read_manifest(small_study).plan, output, settings, resume=resume)
        StudyRun(request, lambda: make_executor(settings)).carry_out(meddle)
        return output

    return go


def workers() -> list[psutil.Process]:
    """The worker processes of an executor in this process."""
    with suppress(psutil.NoSuchProcess):
        return [
            child
            for child in psutil.Process().children()
            if any("spawn_main" in part for part in child.cmdline())
        ]
    return []


def done(progress: StudyProgress) -> int:
    return progress.counts[State.DONE]


def test_a_worker_process_that_dies_once_costs_nothing_but_time(run, undisturbed):
    killed = []

    def meddle(progress: StudyProgress) -> None:
        if done(progress) == 3 and not killed:
            killed.append(workers()[0])
            killed[0].kill()

    output = run(lambda settings: ProcessExecutor(settings, 2), meddle)
    assert killed
    assert (output / "study.csv").read_text() == (undisturbed.folder / "study.csv").read_text()
    # the executor tries again by itself
    assert {entry.attempts for entry in entries(output).values()} == {1}


def test_a_scan_whose_process_dies_again_and_again_is_given_up(run, tmp_path, undisturbed):
    ended = threading.Event()

    def kill_the_last_scan() -> None:
        while not ended.wait(0.05):
            if len(in_state(tmp_path / "out", State.DONE)) == len(entries(tmp_path / "out")) - 1:
                for worker in workers():
                    worker.kill()

    killer = threading.Thread(target=kill_the_last_scan)
    killer.start()
    try:
        output = run(lambda settings: ProcessExecutor(settings, 1), lambda progress: None)
    finally:
        ended.set()
        killer.join()
    (failed,) = (entry for entry in entries(output).values() if entry.state is State.FAILED)
    assert failed.kind == "memory"
    assert "ended by the system twice" in failed.reason
    assert run(lambda settings: ProcessExecutor(settings, 1), lambda progress: None, resume=True) == output
    assert (output / "study.csv").read_text() == (undisturbed.folder / "study.csv").read_text()


@pytest.fixture(scope="module")
def cluster():
    """A Dask cluster of two local worker processes on loopback."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=2, processes=True, host="127.0.0.1", dashboard_address=None
    ) as running:
        yield running


def test_a_dask_cluster_that_loses_a_worker_gives_the_same_table(cluster, run, undisturbed):
    killed = []

    def meddle(progress: StudyProgress) -> None:
        if done(progress) == 3 and not killed:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    output = run(lambda settings: ClusterExecutor(settings, cluster.scheduler_address), meddle)
    assert killed
    assert (output / "study.csv").read_text() == (undisturbed.folder / "study.csv").read_text()
    workers = {entry.worker for entry in entries(output).values()}
    assert len(workers) >= 2


def test_the_command_works_on_a_cluster(cluster, command, tmp_path, undisturbed):
    process = command("--scheduler", cluster.scheduler_address, "--json")
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, err
    assert json.loads(out)["scans"]["done"] == 6
    assert (tmp_path / "out" / "study.csv").read_text() == (undisturbed.folder / "study.csv").read_text()


def test_a_scheduler_that_does_not_answer_is_told(command):
    process = command("--scheduler", "tcp://127.0.0.1:9")
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2
    assert "No Dask scheduler answers at tcp://127.0.0.1:9" in err
