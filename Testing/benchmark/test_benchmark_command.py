"""The whole benchmark on one pair of small cubes, with two baselines that are always installed."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app
from SAMLandmarkLib.evaluation.benchmark.job import BenchmarkJob, run_job
from SAMLandmarkLib.evaluation.benchmark.rows import LANDMARKS_NAME, PAIRS_NAME, RawRows

BASELINES = ("center", "sitk-affine")


def run(*arguments):
    return CliRunner().invoke(app, ["benchmark", *map(str, arguments)])


@pytest.fixture(scope="module")
def first_run(small_sets, tmp_path_factory):
    """What the benchmark of the center alignment alone wrote, and what it said."""
    folder = tmp_path_factory.mktemp("benchmark")
    result = run("--sets", small_sets, "--output", folder, "--peers", "center", "--json")
    assert result.exit_code == 0, result.output
    return folder, json.loads(result.stdout)


@pytest.fixture(scope="module")
def both_baselines(first_run, small_sets):
    """The same folder after it was gone on with, with a second baseline and after it was cut off in a line."""
    folder, _ = first_run
    before = (folder / PAIRS_NAME).read_text()
    with open(folder / LANDMARKS_NAME, "a") as stream:
        stream.write("cubes,template,followup,sitk-affine,half a li")
    result = run("--sets", small_sets, "--output", folder, "--peers", ",".join(BASELINES), "--resume")
    assert result.exit_code == 0, result.output
    return folder, before


def test_raw_rows_hold_errors_time_and_memory(first_run):
    folder, document = first_run
    rows = RawRows(folder)
    (pair,) = rows.pairs
    assert pair.baseline == "center" and not pair.failure
    assert pair.points == len(rows.landmarks) >= 5
    assert pair.seconds > pair.load_seconds + pair.read_seconds + pair.transfer_seconds > 0
    for row in rows.landmarks:
        gap = np.subtract(
            (row.x_found_lps, row.y_found_lps, row.z_found_lps),
            (row.x_true_lps, row.y_true_lps, row.z_true_lps),
        )
        assert row.error_mm == pytest.approx(np.linalg.norm(gap), abs=0.01)
    errors = [row.error_mm for row in rows.landmarks]
    assert document["sets"]["cubes"]["peers"]["center"]["median_mm"] == pytest.approx(
        np.median(errors), abs=0.01
    )


@pytest.mark.skipif(not psutil.LINUX, reason="peak memory is read from /proc")
def test_peak_memory_is_that_of_the_peer_alone(first_run):
    folder, _ = first_run
    held = np.ones(300 * 2**20 // 8)
    peak_mib = RawRows(folder).pairs[0].peak_mib
    assert 30 < peak_mib < 300 <= held.nbytes / 2**20


def test_a_benchmark_goes_on_where_it_was_cut_off(both_baselines):
    folder, before = both_baselines
    assert (folder / PAIRS_NAME).read_text().startswith(before)
    assert "half a li" not in (folder / LANDMARKS_NAME).read_text()
    assert [row.baseline for row in RawRows(folder).pairs] == list(BASELINES)


def test_the_page_names_machine_sets_peers_and_plots(both_baselines):
    folder, _ = both_baselines
    text = (folder / "benchmark.md").read_text()
    for expected in ("### cubes", "SimpleITK affine", "center alignment", "cores", "commit", "numpy"):
        assert expected in text
    assert {path.name for path in folder.glob("*.png")} == {"benchmark-errors.png", "benchmark-time.png"}


def test_a_page_has_its_marked_sections_filled(both_baselines, small_sets, tmp_path):
    folder, _ = both_baselines
    page = tmp_path / "page.md"
    page.write_text(
        "Before\n<!-- benchmark-accuracy: begin -->\nold\n<!-- benchmark-accuracy: end -->\nafter\n"
    )
    result = run("--sets", small_sets, "--output", folder, "--peers", "center", "--resume", "--page", page)
    assert result.exit_code == 0, result.output
    text = page.read_text()
    assert text.startswith("Before\n<!-- benchmark-accuracy: begin -->\n\n### cubes")
    assert text.endswith("<!-- benchmark-accuracy: end -->\nafter\n") and "old" not in text
    assert (tmp_path / "benchmark-errors.png").is_file()


def test_a_folder_with_a_benchmark_is_not_written_over(first_run, small_sets):
    folder, _ = first_run
    result = run("--sets", small_sets, "--output", folder, "--peers", "center")
    assert result.exit_code == 2 and "--resume" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--peers", "nobody"], "nobody"),
        (["--pairs", "some"], "ring, all or a number"),
        (["--set", "nothing"], "nothing"),
        (["--resume", "--redo", "nobody"], "nobody"),
    ],
)
def test_wrong_choices_are_named(arguments, said, small_sets, tmp_path):
    result = run("--sets", small_sets, "--output", tmp_path / "out", *arguments)
    assert result.exit_code == 2 and said in result.stderr


@pytest.fixture
def job(small_sets):
    template, target = (str(small_sets / "cubes" / f"{name}.nii.gz") for name in ("template", "followup"))
    return BenchmarkJob("center", template, target, ("a", "b"), ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), True)


def test_a_scan_that_can_t_be_read_is_a_failure_that_says_why(job, tmp_path):
    outcome = run_job(replace(job, target=str(tmp_path / "gone.nii.gz")), 60.0)
    assert "gone.nii.gz" in outcome.failure
    assert outcome.found_lps.shape == (2, 3) and np.isnan(outcome.found_lps).all()


def test_a_peer_that_takes_too_long_is_ended(job):
    others = set(psutil.Process().children())
    outcome = run_job(replace(job, baseline="samlandmark"), 0.3)
    assert outcome.failure.startswith("not done after")
    assert set(psutil.Process().children()) == others


@pytest.mark.skipif(not psutil.POSIX, reason="needs signals")
def test_a_crash_is_a_failure_that_names_the_signal(job):
    others = set(psutil.Process().children())

    def crash():
        while not (started := set(psutil.Process().children()) - others):
            time.sleep(0.01)
        started.pop().send_signal(psutil.signal.SIGSEGV)

    killer = threading.Thread(target=crash)
    killer.start()
    outcome = run_job(replace(job, baseline="samlandmark"), 60.0)
    killer.join()
    assert outcome.failure.startswith("crashed (SIGSEGV)")
