"""The results of a study in other formats: the files that `samlandmark transfer` writes, from what was computed."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app
from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.study.outcome import StudyOutcome


@pytest.fixture(scope="module")
def done(two_patients: Path, run_study: Callable[..., StudyOutcome], tmp_path_factory) -> StudyOutcome:
    return run_study(two_patients / "manifest.csv", tmp_path_factory.mktemp("done"))


def export(*arguments: object):
    return CliRunner().invoke(app, ["study", "export", *map(str, arguments)], env={"COLUMNS": "200"})


def rows(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))


def test_every_format_tells_what_the_study_found(done: StudyOutcome, tmp_path: Path) -> None:
    asked = ("--format", "csv", "--format", "MARKUPS", "--format", "json", "--output", tmp_path)
    result = export(done.folder, *asked)
    assert result.exit_code == 0, result.stderr
    assert set(map(Path, result.stdout.splitlines())) == set(tmp_path.iterdir())
    known = {
        (f"{row['patient']}_{row['scan']}", row["label"]): row for row in rows(done.folder / "study.csv")
    }
    table = rows(tmp_path / "transfer.csv")
    assert len(table) == len(known) > 0
    for row in table:
        same = known[row["target"], row["label"]]
        assert {name: same[name] for name in row if name != "target"} == {
            name: value for name, value in row.items() if name != "target"
        }
    document = json.loads((tmp_path / "transfer.json").read_text(encoding="utf-8"))
    scans = [scan for patient in done.patients for scan in patient.scans]
    assert [target["inputs"]["target"]["sha256"] for target in document["targets"]] == [
        scan.checksum("target") for scan in scans
    ]
    for target in document["targets"]:
        points = LandmarkSet.read(tmp_path / target["markups"])
        assert list(points.labels) == [landmark["label"] for landmark in target["landmarks"]]


def test_a_scan_that_is_not_done_is_told_and_written_as_a_failure(done: StudyOutcome, tmp_path: Path) -> None:
    study = Path(shutil.copytree(done.folder, tmp_path / "study"))
    lost = done.patients[0].scans[0].scan
    (study / lost.patient / f"{lost.name}.json").unlink()
    result = export(study, "--format", "json", "--output", tmp_path / "out")
    assert result.exit_code == 0
    assert f"{lost.patient}_{lost.name}" in result.stderr and "missing or damaged" in result.stderr
    document = json.loads((tmp_path / "out" / "transfer.json").read_text(encoding="utf-8"))
    assert [failure["target"] for failure in document["failures"]] == [f"{lost.patient}_{lost.name}"]
    assert len(document["targets"]) == sum(len(patient.scans) for patient in done.patients) - 1


def test_wrong_usage_says_what_to_do(done: StudyOutcome, tmp_path: Path) -> None:
    before = sorted(done.folder.rglob("*"))
    for arguments, told in (
        (("--format", "csv"), "--format csv needs --output"),
        (("--format", "xml", "--output", tmp_path), "choose from markups, csv, json, dicom-sr"),
        (("--format", "csv", "--output", done.folder), "holds the study's own files"),
    ):
        result = export(done.folder, *arguments)
        assert result.exit_code == 2 and told in " ".join(result.stderr.split())
    assert sorted(done.folder.rglob("*")) == before
