"""`samlandmark demo` and what comes with the package."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from SAMLandmarkLib.core.landmarks import LandmarkSet


@pytest.fixture(scope="module")
def demo(samlandmark, tmp_path_factory):
    output = tmp_path_factory.mktemp("demo") / "results"
    return samlandmark("demo", "--output", output), output


def test_the_demo_prints_a_row_for_every_landmark_with_error_against_the_truth(demo, truth):
    process, _ = demo
    assert process.returncode == 0, process.stderr
    for label in truth.labels:
        row = next(line for line in process.stdout.splitlines() if label in line)
        assert re.search(r"FOUND|DOUBTFUL|MISSING", row)
    assert re.search(r"median error \d+\.\d mm", process.stdout)


def test_the_printed_errors_are_those_of_the_markups(demo, truth):
    process, output = demo
    found = LandmarkSet.read(output / "followup.mrk.json")
    errors = np.linalg.norm(found.positions_lps - truth.positions_lps, axis=1)
    for label, error in zip(truth.labels, errors, strict=True):
        row = next(line for line in process.stdout.splitlines() if label in line)
        shown = row.replace("│", " ").split()[-1]
        assert shown == ("-" if np.isnan(error) else f"{error:.1f}")


def test_the_demo_is_right_to_a_few_millimetres(demo):
    process, _ = demo
    median = float(re.search(r"median error (\d+\.\d) mm", process.stdout)[1])
    assert median < 5.0


def test_the_demo_writes_markups_tables_and_a_picture(demo):
    _, output = demo
    names = {path.name for path in output.iterdir()}
    assert names == {"followup.mrk.json", "followup.png", "transfer.csv", "transfer.json"}
    with Image.open(output / "followup.png") as picture:
        assert min(picture.size) > 1000


def test_the_sample_is_small_attributed_and_has_the_same_points_in_both_forms(sample):
    assert sum(path.stat().st_size for path in sample.iterdir()) < 12e6
    attribution = (sample / "README.md").read_text(encoding="utf-8")
    assert "creativecommons.org/licenses/by/4.0" in attribution and "TCIA.5FNA-0924" in attribution
    table = LandmarkSet.read(sample / "template.csv", csv_frame="LPS")
    markups = LandmarkSet.read(sample / "template.mrk.json")
    assert table.labels == markups.labels
    np.testing.assert_array_equal(table.positions_lps, markups.positions_lps)
