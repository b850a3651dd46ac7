"""`samlandmark track` on a folder of DICOM files: the reports of all dates, and going on from what was written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from lesions_by_hand import finding
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app
from SAMLandmarkLib.core.lesions import Lesion, LesionHistory, Source
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.io.lesion_json import read_history
from SAMLandmarkLib.io.lesion_lines import write_lesion_lines
from SAMLandmarkLib.tracking.lesion_files import BASELINE, read_lesions

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))

from dicom_files import SeriesHeader, write_series

SPOT = (7.0, 54.7, -316.0)


def coarse(volume: Volume) -> Volume:
    return Volume(volume.array[::2, ::2, ::2], volume.ijk_to_lps @ np.diag([2, 2, 2, 1]))


@pytest.fixture(scope="module")
def tree(sample_template: Volume, sample_followup: Volume, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for volume, date in ((sample_template, "20240301"), (sample_followup, "20240403")):
        write_series(root / date, coarse(volume), SeriesHeader("P1", date, 3, "Abdomen"))
    return root


def track(tree: Path, lesions: Path, output: Path) -> LesionHistory:
    given = ["track", str(tree), "--lesions", str(lesions), "--output", str(output), "--device", "cpu"]
    cache = ["--cache", str(tree.parent / f"{tree.name}-cache"), "--json"]
    done = CliRunner().invoke(app, [*given, *cache], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["failures"] == {}
    return read_history(output / "P1" / "lesions.json")


@pytest.fixture(scope="module")
def tracked(tree: Path, tmp_path_factory) -> tuple[Path, LesionHistory]:
    lesions = tmp_path_factory.mktemp("marks") / "P1.mrk.json"
    write_lesion_lines(lesions, [(Lesion("T1", organ="bone"), finding(17.0, SPOT, 13.0))])
    output = tmp_path_factory.mktemp("tracked")
    return output, track(tree, lesions, output)


def test_every_date_has_a_report_in_which_the_lesion_has_its_uid(tracked):
    output, history = tracked
    files = sorted((output / "P1").glob("*.sr.dcm"))
    assert [file.name[:10] for file in files] == ["2024-03-01", "2024-04-03"]
    marks = [read_lesions(file)[BASELINE][0] for file in files]
    assert {mark.lesion.uid for mark in marks} == {history.track("T1").lesion.uid}
    for visit, mark in enumerate(marks):
        told = history.track("T1").at(visit)
        assert np.linalg.norm(mark.finding.position - told.position) < 6.0


def test_work_goes_on_from_the_document_with_the_same_uids(tracked, tree, tmp_path):
    output, before = tracked
    again = track(tree, output / "P1" / "lesions.json", tmp_path)
    assert [track.lesion for track in again.tracks] == [track.lesion for track in before.tracks]
    first, second = again.track("T1").at(0), again.track("T1").at(1)
    assert first == before.track("T1").at(0) and second.source is not Source.HAND
