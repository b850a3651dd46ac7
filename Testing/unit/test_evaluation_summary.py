"""From single transfers to tables and files: what counts, what doesn't, and how it is written."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest

from SAMLandmarkLib.engine.transfer import Candidate, Status, TransferredLandmark
from SAMLandmarkLib.evaluation.field_of_view import field_of_view_figures
from SAMLandmarkLib.evaluation.output import write_evaluation
from SAMLandmarkLib.evaluation.records import CSV_COLUMNS, KnownAnswer, TransferRecord, View
from SAMLandmarkLib.evaluation.runs import SetRun
from SAMLandmarkLib.evaluation.summary import summarise
from SAMLandmarkLib.evaluation.tables import summary_text

TRUE_LPS = np.array([10.0, -20.0, 30.0])


def answer(error_mm, status="FOUND", confidence=0.9, label="carina", template="a", target="b", **truth):
    """A transfer that misses by `error_mm`, or has no position where that is None."""
    found = None if error_mm is None else TRUE_LPS + (0.0, 0.0, error_mm)
    answer = TransferredLandmark(label, found, Status(status), confidence, 0.8, 1.5)
    return TransferRecord("chest", template, target, KnownAnswer(label, TRUE_LPS, **truth), answer, 0.02)


def item(position=None, candidates=()):
    found = [Candidate(np.array(each), similarity) for each, similarity in candidates]
    return TransferredLandmark(
        "carina", position, Status.MISSING, 0.1, 0.3, math.nan, tuple(found), "no consistent match"
    )


def record_of(item):
    return TransferRecord("chest", "a", "b", KnownAnswer("carina", TRUE_LPS), item, 0.02)


def figures(*records, semi_synthetic=False, name="chest"):
    run = SetRun(name, semi_synthetic, list(records), embedding_seconds=4.0, matching_seconds=0.5)
    return summarise([run], 100, 0)["sets"][name]


def test_a_missing_landmark_is_scored_at_its_best_candidate():
    record = record_of(item(candidates=[((10.0, -20.0, 33.0), 0.7), ((0.0, 0.0, 0.0), 0.6)]))
    assert record.error_mm == pytest.approx(3.0) and record.status == "MISSING"


def test_without_any_position_the_error_is_infinite():
    record = record_of(item())
    assert record.error_mm == math.inf
    assert dict(zip(CSV_COLUMNS, record.row()))["error_mm"] == ""


def test_a_position_goes_before_the_candidates():
    assert record_of(item(TRUE_LPS + (0, 4, 3), [(TRUE_LPS, 0.9)])).error_mm == pytest.approx(5.0)


def test_a_swap_is_nearer_to_the_mirrored_structure():
    partner = TRUE_LPS + (0.0, 0.0, 40.0)
    swapped = [answer(error, mirror_lps=partner).swapped for error in (0.0, 19.0, 21.0, None)] + [
        answer(40.0).swapped
    ]
    assert swapped == [False, False, True, False, None]
    assert figures(*(answer(error, mirror_lps=partner) for error in (1.0, 30.0)))["sides"] == {
        "n": 2,
        "swapped": 1,
    }


def test_quality_3_is_reported_apart():
    summary = figures(answer(1.0, quality=1), answer(2.0, quality=2), answer(90.0, quality=3))
    assert (summary["n"], summary["max_mm"]) == (2, 2.0)
    assert (summary["with_quality_3"]["n"], summary["with_quality_3"]["max_mm"]) == (3, 90.0)
    assert "with_quality_3" not in figures(answer(1.0))


def test_points_out_of_view_have_no_error_to_count():
    summary = figures(answer(1.0), answer(50.0, view=View.VANISHED), answer(20.0, view=View.BORDER))
    assert (summary["n"], summary["mean_mm"]) == (1, 1.0)


def test_each_status_gets_its_share_and_its_own_accuracy():
    records = [answer(1.0), answer(3.0), answer(12.0, "DOUBTFUL"), answer(None, "MISSING")]
    status = figures(*records)["status"]
    assert [status[name]["share"] for name in ("FOUND", "DOUBTFUL", "MISSING")] == [0.5, 0.25, 0.25]
    assert status["FOUND"]["mean_mm"] == 2.0 and status["FOUND"]["within_10_mm"] == 1.0
    assert status["MISSING"]["n_without_position"] == 1


def test_figures_per_landmark():
    records = [
        answer(error, label=label, template=template)
        for error, label, template in ((1.0, "carina", "a"), (3.0, "carina", "c"), (9.0, "apex", "a"))
    ]
    landmarks = figures(*records)["landmarks"]
    assert {label: (each["n"], each["mean_mm"]) for label, each in landmarks.items()} == {
        "apex": (1, 9.0),
        "carina": (2, 2.0),
    }
    assert landmarks["apex"]["interval_95"] == {}


def drawn_from(*pairs):
    return figures(*(answer(1.0, template=template, target=target) for template, target in pairs))[
        "resampled"
    ]


def test_the_bootstrap_says_what_it_draws():
    assert drawn_from(("a", "b")) == "landmarks (1)"
    assert drawn_from(("a", "b"), ("b", "a")) == "landmarks (2)"
    assert drawn_from(("a", "b"), ("b", "a"), ("a", "c")) == "patients (3)"
    assert drawn_from(("a", "a-warped"), ("b", "b-warped"), ("c", "c-warped")) == "scans (3)"


def test_all_sets_together_leave_out_the_semi_synthetic():
    runs = [
        SetRun("chest", records=[answer(1.0)]),
        SetRun("abdomen", records=[answer(3.0)]),
        SetRun("synthetic", True, [answer(100.0)]),
    ]
    summary = summarise(runs, 50, 0)
    assert summary["all_sets"]["n"] == 2 and summary["all_sets"]["mean_mm"] == 2.0
    assert "all_sets" not in summarise(runs[1:], 50, 0)
    assert "landmarks" not in summary["sets"]["synthetic"]


def test_field_of_view_figures():
    whole = SetRun(
        "synthetic", True, [answer(1.0, label="p"), answer(2.0, label="q"), answer(3.0, label="r")]
    )
    cropped = SetRun(
        "synthetic-cropped",
        True,
        [
            answer(2.0, label="p"),
            answer(None, "MISSING", label="q"),
            answer(60.0, "MISSING", label="r", view=View.VANISHED),
            answer(50.0, label="s", view=View.VANISHED),
            answer(5.0, label="t", view=View.BORDER),
        ],
    )
    assert field_of_view_figures(whole, cropped) == {
        "vanished": 2,
        "vanished_missing": 0.5,
        "vanished_found": 0.5,
        "visible": 5,
        "visible_missing": 0.2,
        "in_view_in_both": 2,
        "mean_mm_whole": 1.5,
        "mean_mm_cropped": 2.0,
    }


def test_a_set_of_which_nothing_counts_has_figures_all_the_same(tmp_path):
    run = SetRun("synthetic", True, [], skipped=["limb.nii.gz: no edges"])
    summary = summarise([run], 50, 0)
    assert summary["sets"]["synthetic"]["n"] == 0
    text = summary_text(summary)
    assert "Left out: limb.nii.gz: no edges" in text
    write_evaluation(tmp_path, [run], summary, text)


@pytest.fixture
def small_run():
    records = [
        answer(error, confidence=confidence, template=template, target=target)
        for error, confidence, template, target in (
            (1.0, 0.95, "a", "b"),
            (4.0, 0.9, "b", "a"),
            (30.0, 0.2, "a", "c"),
            (None, 0.1, "c", "a"),
        )
    ]
    return SetRun("chest", records=records, embedding_seconds=4.0, matching_seconds=0.5)


def test_tables_show_the_figures(small_run):
    text = summary_text(summarise([small_run], 200, 0))
    (row,) = [line for line in text.splitlines() if line.startswith("| chest ")][:1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:2] == ["chest", "4"]
    assert cells[2].startswith("11.7 (") and cells[3].startswith("4.00 (") and cells[5] == "30.0"
    assert cells[6].startswith("50 (") and "bootstrap over patients (3)" in text


def test_files_hold_every_transfer_and_every_figure(small_run, tmp_path):
    summary = summarise([small_run], 200, 0)
    written = write_evaluation(tmp_path / "new", [small_run], summary, "tables\n")
    names = ["evaluation.csv", "evaluation.md", "evaluation.json", "errors.png"]
    assert [path.name for path in written] == names
    with open(written[0], newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CSV_COLUMNS and len(rows) == 4
    assert rows[0]["error_mm"] == "1.0" and rows[0]["z_found_lps"] == "31.0" and rows[3]["x_found_lps"] == ""
    document = json.loads(written[2].read_text(encoding="utf-8"))
    assert document["sets"]["chest"]["max_mm"] == 30.0
    assert document["sets"]["chest"]["confidence"]["auroc"] == 1.0
    assert document["sets"]["chest"]["confidence"]["reliability"][5]["mean_confidence"] is None
