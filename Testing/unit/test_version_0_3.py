"""What version 0.3 has written can be read: results, studies and reviews; data/version-0.3 holds such files."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from SAMLandmarkLib import TransferredLandmark
from SAMLandmarkLib.core.results import Status
from SAMLandmarkLib.io.result_files import read_results, write_results
from SAMLandmarkLib.review import Decision, ReviewState
from SAMLandmarkLib.study.ledger import Ledger, State
from SAMLandmarkLib.study.outcome import StudyOutcome
from SAMLandmarkLib.study.output_folder import earlier_plan, refuse_foreign_files
from SAMLandmarkLib.study.results_writer import write_study
from SAMLandmarkLib.utils.errors import SAMLandmarkError, UsageError

DATA = Path(__file__).parent / "data" / "version-0.3"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study with one scan and three landmarks, to be written into."""
    return Path(shutil.copytree(DATA / "study", tmp_path / "study"))


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_result_has_what_its_table_says_and_no_uncertainty() -> None:
    (result,) = read_results(DATA / "transfer.json")
    table = rows(DATA / "transfer.csv")
    assert [item.label for item in result] == [row["label"] for row in table] and len(result) == 20
    for item, row in zip(result, table, strict=True):
        assert item.status.value == row["status"] and item.reason == row["reason"]
        expected = [float(row[f"{axis}_lps"]) for axis in "xyz"]
        np.testing.assert_allclose(item.position_lps, expected, atol=0.0006)
        assert item.confidence == pytest.approx(float(row["confidence"]), abs=1e-4)
        assert item.cycle_mm == item.cycle_error_mm == pytest.approx(float(row["cycle_mm"]), abs=1e-3)
        assert math.isnan(item.uncertainty_mm)
    assert result.provenance["model"]["version"] == "0.2.2"


def test_a_result_written_again_is_the_same_beside_the_new_column(tmp_path: Path) -> None:
    results = read_results(DATA / "transfer.json")
    write_results(tmp_path, results)
    again = rows(tmp_path / "transfer.csv")
    assert {row.pop("uncertainty_mm") for row in again} == {""}
    assert again == rows(DATA / "transfer.csv")
    assert [item for result in read_results(tmp_path / "transfer.json") for item in result] == [
        item for result in results for item in result
    ]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": "something-else"}', '{"format": "samlandmark-transfer"}']
)
def test_what_is_no_result_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "transfer.json").write_text(text)
    with pytest.raises(SAMLandmarkError, match=r"holds no results that can be read .*give a transfer\.json"):
        read_results(tmp_path / "transfer.json")


def test_a_position_that_is_none_is_refused_and_not_believed() -> None:
    (result,) = read_results(DATA / "transfer.json")
    for wrong in ([1.0, 2.0], [1.0, 2.0, math.inf], "abc"):
        with pytest.raises((ValueError, TypeError)):
            TransferredLandmark.from_document({**result[0].to_document(), "position_lps": wrong})


def test_a_record_is_made_as_programs_for_version_0_3_make_it() -> None:
    item = TransferredLandmark("a", None, Status.MISSING, 0.0, math.nan, 2.5, (), "outside field of view")
    assert (item.cycle_mm, item.reason) == (2.5, "outside field of view") and math.isnan(item.uncertainty_mm)
    assert item == TransferredLandmark.from_document(json.loads(json.dumps(item.to_document())))


def test_a_study_is_read_with_its_landmarks(study: Path) -> None:
    outcome = StudyOutcome.read(study)
    (scan,) = outcome.patients[0].scans
    assert scan.state is State.DONE and [item.status for item in scan.items] == ["FOUND"] * 3
    table = rows(study / "study.csv")
    assert [item.label for item in scan.items] == [row["label"] for row in table]
    for item, row in zip(scan.items, table, strict=True):
        assert item.position_lps == pytest.approx([float(row[f"{axis}_lps"]) for axis in "xyz"], abs=0.0006)
        assert item.template_lps == pytest.approx(
            [float(row[f"template_{axis}_lps"]) for axis in "xyz"], abs=0.0006
        )
        assert item.uncertainty_mm is None and len(item.candidates) > 0


def test_a_study_can_be_gone_on_with(study: Path) -> None:
    plan = earlier_plan(study)
    with Ledger.read(study) as ledger:
        refuse_foreign_files(study, plan, ledger.entries())
    before = rows(study / "study.csv")
    write_study(StudyOutcome.read(study))
    after = rows(study / "study.csv")
    assert {row.pop("uncertainty_mm") for row in after} == {""}
    assert after == before
    refuse_foreign_files(study, plan, {})


def test_a_table_of_somebody_else_is_still_foreign(study: Path) -> None:
    (study / "study.csv").write_text("patient,scan\n")
    with pytest.raises(UsageError, match="is not the result of a study"):
        refuse_foreign_files(study, earlier_plan(study), {})


def test_a_review_keeps_its_decisions() -> None:
    state = ReviewState.from_json((DATA / "review.json").read_text(encoding="utf-8"))
    items = list(state.items("may").values())
    decisions = [Decision.ACCEPTED, Decision.CORRECTED, Decision.REJECTED, Decision.OPEN, Decision.OPEN]
    assert [item.decision for item in items] == decisions
    assert [item.status for item in items] == ["FOUND"] * 4 + ["MISSING"]
    assert items[1].position_lps == (1.0, 2.0, 3.0) and items[1].transferred_lps is not None
    assert items[2].position_lps is None and items[2].template_lps == (1.5, 2.5, -300.0)
    assert items[4].transferred_lps is None and items[4].cycle_error_mm is None
    assert items[0].cycle_error_mm == pytest.approx(0.094, abs=1e-3) and items[0].uncertainty_mm is None
    (result,) = read_results(DATA / "transfer.json")
    assert [score for _, score in items[0].candidates] == [found.similarity for found in result[0].candidates]
    assert [entry.action for entry in state.log] == ["accepted", "corrected", "rejected"]
    assert ReviewState.from_json(state.to_json()) == state
