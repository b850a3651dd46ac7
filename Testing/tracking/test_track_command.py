"""`samlandmark track` on the bundled pair: what it writes, what stands on the page, and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from lesions_by_hand import finding
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app
from SAMLandmarkLib.core.lesions import Lesion, Role
from SAMLandmarkLib.io.lesion_json import read_history
from SAMLandmarkLib.io.lesion_lines import read_lesion_lines, write_lesion_lines

# calcified spots and marks in bone of the bundled pair's baseline
SPOT, OTHER = (-3.8, 78.0, -275.0), (7.0, 54.7, -316.0)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, sample_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("lesion-study")
    for name, date in (("template", "2024-03-01"), ("followup", "2024-04-03")):
        shutil.copy(sample_folder / f"{name}.nii.gz", folder / f"{date}-{name}.nii.gz")
    return folder


@pytest.fixture(scope="module")
def lesions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("marks") / "P1.mrk.json"
    drawn = [
        (Lesion("T1", organ="bone"), finding(12.0, SPOT, 9.0)),
        (Lesion("NT1", Role.NON_TARGET), finding(14.0, OTHER, 11.0)),
    ]
    write_lesion_lines(path, drawn)
    return path


@pytest.fixture(scope="module")
def done(study: Path, lesions: Path, tmp_path_factory: pytest.TempPathFactory):
    """The folder of the results and what the command said."""
    output = tmp_path_factory.mktemp("tracked")
    arguments = [
        "track",
        str(study),
        "--lesions",
        str(lesions),
        "--output",
        str(output),
        "--device",
        "cpu",
        "--no-cache",
    ]
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return output, json.loads(result.stdout)


def test_all_files_are_written(done, study):
    output, told = done
    folder = output / study.name
    names = {Path(file).relative_to(output).as_posix() for file in told["files"]}
    assert names == {
        f"{study.name}/{name}"
        for name in (
            "lesions.json",
            "report.html",
            "2024-03-01-template.mrk.json",
            "2024-04-03-followup.mrk.json",
        )
    } | {"tu.csv", "tr.csv", "rs.csv"}
    assert all((output / name).is_file() for name in names) and folder.is_dir()
    assert told["failures"] == {} and told["exit_code"] == 0


def test_places_are_those_of_the_follow_up(done, study, sample_truth):
    history = read_history(done[0] / study.name / "lesions.json")
    assert [visit.date for visit in history.visits] == ["2024-03-01", "2024-04-03"]
    known = dict(zip(sample_truth.labels, sample_truth.positions_lps, strict=True))
    for name, label in (("T1", "sclerotic_spot_center_t11"), ("NT1", "schmorl_sclerosis_center_t12")):
        found = history.track(name).at(1)
        assert np.linalg.norm(found.position - known[label]) < 6.0
        assert found.carried_long.length_mm == pytest.approx(history.track(name).at(0).size_mm, rel=0.15)


def test_lines_go_back_into_slicer(done, study):
    marks = read_lesion_lines(done[0] / study.name / "2024-03-01-template.mrk.json")
    assert [(mark.lesion.name, round(mark.finding.size_mm, 1)) for mark in marks] == [
        ("T1", 12.0),
        ("NT1", 14.0),
    ]
    assert all(mark.lesion.uid.startswith("2.25.") for mark in marks)


def test_the_page_is_whole_and_says_what_is_proposed(done, study, parsed):
    text = (done[0] / study.name / "report.html").read_text(encoding="utf-8")
    page = parsed(text)
    assert f"Lesions of {study.name}" in page.headings[0]
    for told in ("Sum of diameters", "New and vanished", "Proposed", "baseline", "by hand", "2024-04-03"):
        assert told in text
    # two lesions at two dates
    assert text.count('<img alt="" src="data:image/png;base64,') == 4
    assert 'href="#lesion-0"' in text and 'id="lesion-0"' in text


def test_the_response_is_in_the_document(done, study):
    response = json.loads((done[0] / study.name / "lesions.json").read_text())["response"]
    first, second = response["visits"]
    assert first["sum_mm"] == pytest.approx(12.0) and first["overall"] is None
    assert second["overall"]["response"] in ("CR", "PR", "SD", "PD", "NE") and second["overall"]["rule"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "does not exist"),
        (["{study}"], "--lesions must name the lesions"),
        (["{study}", "--lesions", "{study}/2024-03-01-template.nii.gz"], "is no label map"),
    ],
)
def test_wrong_usage_says_what_to_do(study, tmp_path, arguments, told):
    given = [argument.format(study=study) for argument in arguments]
    result = CliRunner().invoke(app, ["track", *given, "--output", str(tmp_path / "out")])
    assert result.exit_code in (1, 2) and told in " ".join(result.stderr.split())
