"""What is computed from raw rows, and which pairs are chosen."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from SAMLandmarkLib.evaluation.benchmark.document import fill_sections
from SAMLandmarkLib.evaluation.benchmark.figures import (
    bootstrap_weights,
    comparison_figures,
    difference_figures,
    error_figures,
)
from SAMLandmarkLib.evaluation.benchmark.pairs import chosen_pairs, same_patient
from SAMLandmarkLib.evaluation.benchmark.rows import LandmarkRow, PairRow, RawRows
from SAMLandmarkLib.evaluation.benchmark.tables import (
    accuracy_text,
    cost_text,
    differences_text,
    failures_text,
)
from SAMLandmarkLib.evaluation.sets import read_evaluation_set
from SAMLandmarkLib.utils.errors import UsageError

VOLUMES = ("a", "b", "c", "d")


def landmark(baseline: str, pair: tuple[str, str], label: str, error_mm: float) -> LandmarkRow:
    return LandmarkRow("chest", *pair, baseline, label, 1, 0.0, 0.0, 0.0, error_mm, 0.0, 0.0, error_mm)


def pair_row(baseline: str, pair: tuple[str, str], seconds: float, failure: str = "") -> PairRow:
    times = (np.nan,) * 3 if failure else (0.5, 0.5, seconds - 1)
    return PairRow(
        "chest", *pair, baseline, 2, seconds, *times, 100 * seconds, failure, "2026-01-02T00:00:00", "abc"
    )


@pytest.fixture
def rows(tmp_path: Path) -> RawRows:
    """Four pairs: SAMLandmark errs by 1 mm, ANTs by 3 mm and fails at the last pair."""
    rows = RawRows(tmp_path)
    rows.begin()
    for number, pair in enumerate(zip(VOLUMES, (*VOLUMES[1:], "a"), strict=True)):
        rows.add(
            pair_row("samlandmark", pair, 2.0), [landmark("samlandmark", pair, label, 1.0) for label in "xy"]
        )
        failure = "crashed (SIGSEGV): no message" if number == 3 else ""
        error_mm = np.nan if failure else 3.0
        rows.add(
            pair_row("ants-syn", pair, 40.0, failure),
            [landmark("ants-syn", pair, label, error_mm) for label in "xy"],
        )
    return rows


def test_figures_of_two_baselines(rows):
    figures = comparison_figures(rows, resamples=200)["chest"]
    ants = figures["peers"]["ants-syn"]
    assert (ants["n"], ants["n_without_position"], ants["mean_mm"], ants["within_5_mm"]) == (8, 2, 3.0, 0.75)
    assert ants["ratio"]["seconds"] == 20.0 and ants["cost"]["failed"] == 1
    assert ants["difference"]["mean_mm"] == 2.0 and ants["difference"]["n"] == 6
    assert ants["difference"]["interval_95"] == [2.0, 2.0]
    assert figures["failures"] == ["ants-syn, d → a: crashed (SIGSEGV): no message"]


def test_the_tables_name_peers_failures_and_what_is_missing(rows):
    figures = comparison_figures(rows, resamples=50)
    assert "| ANTs SyN" in accuracy_text(figures) and "Intervals over pairs" in accuracy_text(figures)
    assert "+2.00" in differences_text(figures) and "20" in cost_text(figures)
    told = failures_text(figures, {"elastix": "not installed: itk-elastix"})
    assert "not installed: itk-elastix" in told and "SIGSEGV" in told


def test_rows_come_back_from_the_files_as_they_were(rows, tmp_path):
    again = RawRows(tmp_path)
    assert repr(again.pairs) == repr(rows.pairs)
    assert repr(again.landmarks) == repr(rows.landmarks)


def test_landmarks_of_an_unfinished_pair_are_dropped(rows, tmp_path):
    pairs = tmp_path / "pairs.csv"
    lines = pairs.read_text().splitlines(keepends=True)
    pairs.write_text("".join(lines[:-1]) + lines[-1][:20])
    again = RawRows(tmp_path)
    assert len(again.pairs) == 7 and len(again.landmarks) == 14
    assert not again.has("ants-syn", ("chest", "d", "a")) and again.has("samlandmark", ("chest", "d", "a"))


def test_landmarks_of_one_pair_stay_together_in_the_bootstrap():
    pairs = [(name, "z") for name in VOLUMES]
    clustered = [
        landmark("center", pair, str(number), 10.0 * index)
        for index, pair in enumerate(pairs)
        for number in range(20)
    ]
    weights, drawn = bootstrap_weights(clustered, 500, seed=0)
    assert drawn == "pairs"
    assert (np.ptp(weights.reshape(500, 4, 20), axis=2) == 0).all()
    low, high = error_figures(clustered, 500, seed=0)["interval_95"]["mean_mm"]
    assert high - low > 15


def test_one_pair_is_resampled_and_tested_by_landmarks():
    random = np.random.default_rng(1)
    pair = ("template", "followup")
    errors = random.uniform(1, 3, 30)
    own = [landmark("samlandmark", pair, str(number), error) for number, error in enumerate(errors)]
    worse = [landmark("center", pair, str(number), error + 1) for number, error in enumerate(errors)]
    figures = difference_figures(worse, own, 200, seed=0)
    assert figures["tested"] == "30 landmarks" and figures["p"] < 1e-5
    assert figures["interval_95"] == pytest.approx([1.0, 1.0])


def test_equal_peers_do_not_differ():
    own = [landmark("samlandmark", ("a", "b"), str(number), 2.0) for number in range(9)]
    assert difference_figures(own, own, 100, seed=0)["p"] == 1.0


@pytest.fixture
def four_volumes(tmp_path):
    folder = tmp_path / "chest"
    folder.mkdir()
    for name in VOLUMES:
        (folder / f"{name}.nii.gz").touch()
        quality = 3 if name == "d" else 1
        (folder / f"{name}.csv").write_text(f"label,x,y,z,quality\ncarina,1,2,3,1\ntip,4,5,6,{quality}\n")
    return read_evaluation_set(folder)


def test_a_ring_uses_every_volume_twice(four_volumes):
    pairs = chosen_pairs(four_volumes, "ring")
    assert [(pair.template.name, pair.target.name) for pair in pairs] == list(
        zip(VOLUMES, (*VOLUMES[1:], "a"), strict=True)
    )
    used = Counter(scan.name for pair in pairs for scan in (pair.template, pair.target))
    assert set(used.values()) == {2}
    assert not same_patient(four_volumes)


@pytest.mark.parametrize(("wanted", "count"), [("all", 12), ("ring", 4), ("2", 2), ("9", 4)])
def test_the_number_of_pairs_is_the_wanted_one(four_volumes, wanted, count):
    assert len(chosen_pairs(four_volumes, wanted)) == count


def test_a_page_without_marks_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing to fill")
    with pytest.raises(UsageError, match="none of the marks"):
        fill_sections(page, {"benchmark-cost": "table"})
