"""`samlandmark transfer` keeps embeddings as the other front ends do, and goes on where that fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app


@pytest.fixture(scope="module")
def run(sample: Path, tmp_path_factory: pytest.TempPathFactory):
    """A function that transfers the sample pair with more options; the process' result and the table."""

    def transfer(*options: object) -> tuple[Result, str]:
        output = tmp_path_factory.mktemp("out")
        given = ["transfer", "-t", sample / "template.nii.gz", "-l", sample / "template.mrk.json"]
        given += ["-f", sample / "followup.nii.gz", "-o", output, "--device", "cpu", "--profile", "fast"]
        done = CliRunner().invoke(app, [str(part) for part in (*given, *options)])
        return done, (output / "transfer.csv").read_text()

    return transfer


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def first(run, cache: Path) -> str:
    """The table of a run that has computed both embeddings and kept them."""
    done, table = run("--cache", cache)
    assert (done.exit_code, done.stderr) == (0, "")
    return table


def test_kept_embeddings_give_the_same_table_and_are_not_made_again(run, cache: Path, first: str) -> None:
    before = {path: path.stat().st_ino for path in cache.glob("*.npz")}
    assert len(before) == 2
    done, table = run("--cache", cache)
    assert done.exit_code == 0 and table == first
    assert {path: path.stat().st_ino for path in cache.glob("*.npz")} == before


def test_a_cache_that_cannot_be_used_costs_time_and_a_warning(run, tmp_path: Path, first: str) -> None:
    (tmp_path / "file").write_text("")
    done, table = run("--cache", tmp_path / "file" / "folder")
    assert done.exit_code == 0 and table == first
    assert "Warning: Embeddings are not kept" in done.stderr


def test_without_a_cache_nothing_is_kept(run, tmp_path: Path, first: str) -> None:
    done, table = run("--cache", tmp_path / "cache", "--no-cache")
    assert (done.exit_code, done.stderr) == (0, "") and table == first
    assert not (tmp_path / "cache").exists()
