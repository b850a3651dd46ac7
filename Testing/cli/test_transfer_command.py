"""`samlandmark transfer` on the real sample pair, as a user runs it."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.utils.files import sha256_of


@pytest.fixture(scope="module")
def two_targets(transfer, sample, tmp_path_factory):
    """A run with two targets of the same file name and a broken one: (process, output folder, targets)."""
    folder = tmp_path_factory.mktemp("scans")
    targets = [folder / name / "scan.nii.gz" for name in ("may", "june")]
    for target in targets:
        target.parent.mkdir()
        shutil.copy(sample / "followup.nii.gz", target)
    broken = folder / "broken.nii.gz"
    broken.write_bytes((sample / "followup.nii.gz").read_bytes()[:100_000])
    output = folder / "results"
    return transfer(output, [targets[0], broken, targets[1]], "--json"), output, [*targets, broken]


def test_a_failed_target_gives_exit_code_1_and_leaves_the_others_written(two_targets):
    process, output, _ = two_targets
    assert process.returncode == 1, process.stderr
    assert {path.name for path in output.iterdir()} == {
        "may_scan.mrk.json",
        "june_scan.mrk.json",
        "transfer.csv",
        "transfer.json",
    }


def test_a_failure_is_told_on_stderr_and_in_the_report(two_targets):
    process, output, targets = two_targets
    report = json.loads((output / "transfer.json").read_text())
    assert [failure["target"] for failure in report["failures"]] == ["broken"]
    assert report["failures"][0]["source"] == str(targets[2])
    assert str(targets[2]) in process.stderr and "Traceback" not in process.stderr


def test_the_table_has_a_row_for_each_target_and_landmark(two_targets, sample):
    _, output, _ = two_targets
    with open(output / "transfer.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = LandmarkSet.read(sample / "template.mrk.json").labels
    assert [(row["target"], row["label"]) for row in rows] == [
        (target, label) for target in ("may_scan", "june_scan") for label in labels
    ]
    assert all(0 <= float(row["confidence"]) <= 1 for row in rows)
    assert all(row["reason"] == "" for row in rows if row["status"] == "FOUND")


def test_landmarks_land_near_the_truth(two_targets, truth):
    _, output, _ = two_targets
    found = LandmarkSet.read(output / "may_scan.mrk.json")
    assert found.labels == truth.labels
    errors = np.linalg.norm(found.positions_lps - truth.positions_lps, axis=1)
    assert np.nanmedian(errors) < 5.0


def test_the_same_scan_gives_the_same_answer_twice(two_targets):
    _, output, _ = two_targets
    may, june = (LandmarkSet.read(output / f"{name}_scan.mrk.json").positions_lps for name in ("may", "june"))
    np.testing.assert_array_equal(may, june)


def test_the_summary_on_stdout_is_json_alone_and_tells_files_counts_and_failures(two_targets):
    process, output, _ = two_targets
    summary = json.loads(process.stdout)
    assert summary["exit_code"] == 1
    assert sorted(summary["files"]) == sorted(str(path) for path in output.iterdir())
    assert [target["target"] for target in summary["targets"]] == ["may_scan", "june_scan"]
    assert sum(summary["targets"][0]["counts"].values()) == 20


def test_the_report_tells_model_settings_times_and_checksums(two_targets, sample):
    _, output, targets = two_targets
    report = json.loads((output / "transfer.json").read_text())
    assert report["model"]["version"] and len(report["model"]["sha256"]) == 64
    assert (report["settings"]["device"], report["settings"]["profile"]) == ("auto", "accurate")
    target = report["targets"][0]
    assert target["inputs"]["template"]["sha256"] == sha256_of(sample / "template.nii.gz")
    assert target["inputs"]["landmarks"]["sha256"] == sha256_of(sample / "template.mrk.json")
    assert target["inputs"]["target"]["sha256"] == sha256_of(targets[0])
    assert target["provenance"]["seconds"]["matching"] > 0


def test_a_pipe_hears_nothing_where_all_is_well(transfer, sample, tmp_path):
    options = ("--device", "cpu", "--max-memory", "2G", "--profile", "fast")
    process = transfer(tmp_path, [sample / "followup.nii.gz"], *options)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    (target,) = json.loads((tmp_path / "transfer.json").read_text())["targets"]
    assert target["provenance"]["settings"]["profile"] == "fast"


def test_a_terminal_sees_progress_and_a_summary(sample, tmp_path):
    command = [sys.executable, "-m", "SAMLandmarkLib", "transfer", "--template", sample / "template.nii.gz"]
    command += [
        "--landmarks",
        sample / "template.mrk.json",
        "--target",
        sample / "followup.nii.gz",
        "--output",
        tmp_path,
    ]
    shown = _run_on_terminal(command)
    assert "template.nii.gz" in shown and "followup.mrk.json" in shown
    assert "━" in shown


def test_an_error_on_a_terminal_stands_in_a_line_of_its_own(sample, tmp_path):
    command = [sys.executable, "-m", "SAMLandmarkLib", "transfer", "--template", sample / "README.md"]
    command += ["--landmarks", sample / "template.mrk.json"]
    command += ["--target", sample / "followup.nii.gz", "--output", tmp_path]
    shown = _run_on_terminal(command, exit_code=2)
    # The bar is wiped out (CSI 2K) before the message comes.
    before = re.split(r"\n|\x1b\[2K", shown[: shown.index("Error: ")])[-1]
    assert "━" not in before


def test_a_second_template_is_asked_together_with_the_first(transfer, sample, tmp_path, truth):
    """The follow-up itself as the second template knows the answer; the vote lies between it and the first's."""
    followup = sample / "followup.nii.gz"
    options = ("--template", followup, "--landmarks", tmp_path / "known.csv", "--csv-frame", "LPS")
    rows = [",".join([mark.label, *map(str, mark.position_lps)]) for mark in truth]
    (tmp_path / "known.csv").write_text("\n".join(["label,x,y,z", *rows]))
    first = ("--landmarks", sample / "template.mrk.json")
    process = transfer(tmp_path / "out", [followup], *first, *options)
    assert process.returncode == 0, process.stderr
    found = LandmarkSet.read(tmp_path / "out" / "followup.mrk.json")
    errors_mm = np.linalg.norm(found.positions_lps - truth.positions_lps, axis=1)
    # alone, the first errs by 1.4 mm in the mean and 3.3 mm at most
    assert np.nanmean(errors_mm) < 0.9 and np.nanmax(errors_mm) < 2.0
    (target,) = json.loads((tmp_path / "out" / "transfer.json").read_text())["targets"]
    assert target["provenance"]["extra_templates"] == ["followup"]


def test_templates_and_landmarks_come_in_pairs(transfer, sample, tmp_path):
    process = transfer(tmp_path, [sample / "followup.nii.gz"], "--template", sample / "followup.nii.gz")
    assert process.returncode == 2
    assert "2 --template and 1 --landmarks" in " ".join(process.stderr.split())


def test_a_second_template_without_a_common_label_is_refused(transfer, sample, tmp_path):
    (tmp_path / "other.csv").write_text("label,x,y,z\nelsewhere,1,2,3\n")
    first = ("--landmarks", sample / "template.mrk.json")
    second = (
        "--template",
        sample / "followup.nii.gz",
        "--landmarks",
        tmp_path / "other.csv",
        "--csv-frame",
        "LPS",
    )
    process = transfer(tmp_path / "out", [sample / "followup.nii.gz"], *first, *second)
    assert process.returncode == 2 and "none of its landmarks has a label of" in process.stderr


def test_csv_landmarks_in_ras_give_what_markups_give(transfer, sample, tmp_path):
    marks = LandmarkSet.read(sample / "template.mrk.json")
    rows = [
        f"{mark.label},{-mark.position_lps[0]},{-mark.position_lps[1]},{mark.position_lps[2]}"
        for mark in marks
    ]
    (tmp_path / "ras.csv").write_text("\n".join(["label,x,y,z", *rows]))
    options = ("--landmarks", tmp_path / "ras.csv", "--csv-frame", "RAS")
    process = transfer(tmp_path / "ras", [sample / "followup.nii.gz"], *options)
    assert process.returncode == 0, process.stderr
    reference = transfer(tmp_path / "lps", [sample / "followup.nii.gz"])
    assert reference.returncode == 0, reference.stderr
    tables = [(tmp_path / name / "transfer.csv").read_text() for name in ("ras", "lps")]
    assert tables[0] == tables[1]


def _run_on_terminal(command: list, exit_code: int = 0) -> str:
    """What a command shows on a terminal of its own."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    while chunk := _read_until_hangup(controller):
        shown += chunk
    os.close(controller)
    assert process.wait(timeout=600) == exit_code
    return shown.decode()


def _read_until_hangup(controller: int) -> bytes:
    try:
        return os.read(controller, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""
