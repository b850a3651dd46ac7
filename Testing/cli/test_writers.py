"""A format is one writer, known by its name to the library and to the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app
from SAMLandmarkLib.io.result_files import write_results
from SAMLandmarkLib.io.writers import registry
from SAMLandmarkLib.io.writers.markups import description
from SAMLandmarkLib.io.writers.writer import ResultSet, Scope
from SAMLandmarkLib.utils.errors import OutputError, UsageError


class Found:
    """The labels that were found, a line each."""

    name = "found"
    suffix = ".found.txt"
    scope = Scope.TARGET

    def write(self, results: ResultSet, path: Path) -> None:
        (result,) = results.results
        path.write_text("".join(f"{item.label}\n" for item in result if item.status.value == "FOUND"))


class Total:
    """How many landmarks there are."""

    name = "total"
    suffix = ".total"
    scope = Scope.RUN

    def write(self, results: ResultSet, path: Path) -> None:
        path.write_text(str(sum(map(len, results.results))))


@pytest.fixture
def toys():
    """Two formats that exist as long as the test."""
    for writer in (Found(), Total()):
        registry.register(writer)
    yield
    for name in ("found", "total"):
        registry.unregister(name)


def test_the_bundled_formats_are_known() -> None:
    assert registry.writer_names() == ("markups", "csv", "json", "dicom-sr")
    assert {name: registry.writer_of(name).suffix for name in registry.writer_names()} == {
        "markups": ".mrk.json",
        "csv": ".csv",
        "json": ".json",
        "dicom-sr": ".sr.dcm",
    }


def test_a_new_format_is_written_as_the_others_are(toys, result, tmp_path) -> None:
    paths = write_results(tmp_path, [result], formats=("found", "csv", "total"))
    assert [path.name for path in paths] == ["followup.found.txt", "transfer.csv", "transfer.total"]
    assert (tmp_path / "followup.found.txt").read_text() == "carina\n"
    assert (tmp_path / "transfer.total").read_text() == "3"


def test_the_command_line_knows_a_new_format(toys, sample, tmp_path) -> None:
    arguments = ["transfer", "-t", sample / "template.nii.gz", "-l", sample / "template.mrk.json"]
    arguments += ["-f", sample / "followup.nii.gz", "-o", tmp_path / "out", "--cache", tmp_path / "cache"]
    arguments += ["--device", "cpu", "--profile", "fast", "--format", "found", "--format", "TOTAL", "--json"]
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"followup.found.txt", "transfer.total"}
    document = json.loads(done.stdout)
    assert (tmp_path / "out" / "transfer.total").read_text() == "20"
    assert document["settings"]["formats"] == ["found", "total"] and len(document["files"]) == 2
    assert (
        len((tmp_path / "out" / "followup.found.txt").read_text().splitlines())
        == (document["targets"][0]["counts"]["FOUND"])
    )
    # the embeddings of both scans are kept where they were asked to be
    assert len(list((tmp_path / "cache").glob("*.npz"))) == 2


def test_an_unknown_format_is_refused_with_those_that_there_are(sample, tmp_path, result) -> None:
    scans = ["-t", "a.nii.gz", "-l", "a.csv", "-f", "b.nii.gz", "-o", str(tmp_path)]
    done = CliRunner().invoke(app, ["transfer", *scans, "--format", "xml"], env={"COLUMNS": "200"})
    assert done.exit_code == 2 and "choose from markups, csv, json, dicom-sr" in done.stderr
    with pytest.raises(UsageError, match="no format 'xml'"):
        write_results(tmp_path, [result], formats=("xml",))
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_given_once(toys) -> None:
    with pytest.raises(UsageError, match="'found' already"):
        registry.register(Found())


def test_a_target_that_was_no_dicom_has_no_dicom_report(result, tmp_path) -> None:
    with pytest.raises(OutputError, match="No DICOM report about followup: it was not read from DICOM"):
        write_results(tmp_path, [result], formats=("dicom-sr",))


def test_markups_tell_the_uncertainty_where_there_is_a_place(result) -> None:
    assert [description(item) for item in result] == [
        "FOUND (uncertainty 2.3 mm)",
        "DOUBTFUL: cycle distance 12 mm",
        "MISSING: outside field of view",
    ]
