"""Evaluations with the real engine and the bundled model, on the bundled pair and on crops of it."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from typer.testing import CliRunner

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.engine.embedded_files import EmbeddedFiles
from SAMLandmarkLib.engine.runtime import EngineRuntime
from SAMLandmarkLib.engine.settings import WorkerSettings
from SAMLandmarkLib.evaluation.evaluation_plan import BenchmarkPlan, BenchmarkSettings
from SAMLandmarkLib.evaluation.records import View
from SAMLandmarkLib.evaluation.runs import run_evaluation_set
from SAMLandmarkLib.evaluation.sets import read_evaluation_set
from SAMLandmarkLib.evaluation.synthetic_runs import run_synthetic
from SAMLandmarkLib.utils.bundled import bundled_folder
from SAMLandmarkLib.utils.errors import UsageError

pytestmark = pytest.mark.slow

SAMPLE = bundled_folder("SampleData")
MARGIN_MM = 20.0


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    return EngineRuntime(WorkerSettings(device="cpu"), tmp_path_factory.mktemp("embeddings"))


@pytest.fixture(scope="module")
def sets_folder(tmp_path_factory):
    """A folder of test sets whose only one is the sample pair, cropped around its landmarks to save time."""
    folder = tmp_path_factory.mktemp("sets") / "cropped"
    folder.mkdir()
    for name in ("template", "followup"):
        points = LandmarkSet.read(SAMPLE / f"{name}.csv", csv_frame="LPS").positions_lps
        write_around(points, SAMPLE / f"{name}.nii.gz", folder / f"{name}.nii.gz")
        shutil.copy(SAMPLE / f"{name}.csv", folder)
    return folder.parent


def write_around(points_lps, source, destination):
    image = sitk.ReadImage(str(source))
    corners = [
        image.TransformPhysicalPointToIndex(corner.tolist())
        for corner in (points_lps.min(axis=0) - MARGIN_MM, points_lps.max(axis=0) + MARGIN_MM)
    ]
    low = np.maximum(np.min(corners, axis=0), 0)
    high = np.minimum(np.max(corners, axis=0), np.array(image.GetSize()))
    sitk.WriteImage(sitk.RegionOfInterest(image, (high - low).tolist(), low.tolist()), str(destination))


def run_cli(*arguments):
    from SAMLandmarkLib.cli import app

    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_the_sample_pair_is_found(runtime):
    seen = []
    run = run_evaluation_set(runtime, read_evaluation_set(SAMPLE), lambda *progress: seen.append(progress))
    errors = np.array([record.error_mm for record in run.records])
    assert len(errors) == 20 and run.embedding_seconds > 0 and run.matching_seconds > 0
    assert np.median(errors) < 4.0 and np.mean(errors <= 10) >= 0.9
    assert not any(record.swapped for record in run.records)
    assert seen == [("template → followup", 0.0)]


def test_landmarks_of_quality_3_do_not_influence_the_others(runtime, sets_folder, tmp_path):
    folder = shutil.copytree(sets_folder / "cropped", tmp_path / "with quality 3")
    table = (folder / "template.csv").read_text().splitlines()
    wrong = [f"{line.split(',')[0]},0,0,-300,3" for line in table[1:4]]
    (folder / "template.csv").write_text("\n".join([table[0], *wrong, *table[4:]]))
    run = run_evaluation_set(runtime, read_evaluation_set(folder))
    positions = {record.truth.label: record.found_lps for record in run.records}
    assert [record.truth.quality for record in run.records].count(3) == 3 and len(positions) == 20
    alone = LandmarkSet([each for each in LandmarkSet.read(folder / "template.csv", "LPS")][3:])
    again = runtime.engine.transfer(
        Volume.read(folder / "template.nii.gz"), alone, Volume.read(folder / "followup.nii.gz")
    )
    for item in again:
        if item.position_lps is not None:
            np.testing.assert_allclose(positions[item.label], item.position_lps, atol=1e-3)


def test_embeddings_are_computed_once_and_come_back_the_same(runtime, sets_folder):
    template, target = (sets_folder / "cropped" / f"{name}.nii.gz" for name in ("template", "followup"))
    landmarks = LandmarkSet.read(SAMPLE / "template.csv", csv_frame="LPS")
    scans = EmbeddedFiles(runtime, kept_in_memory=1)
    fresh = runtime.transfer(scans[template], landmarks, scans[target])
    seconds = scans.seconds
    restored = runtime.transfer(scans[template], landmarks, scans[target])
    assert scans.seconds == seconds > 0
    assert scans[target].from_cache
    for one, other in zip(fresh, restored, strict=True):
        assert (one.status, one.confidence) == (other.status, other.confidence)
        np.testing.assert_array_equal(one.candidates[0].position_lps, other.candidates[0].position_lps)


def test_semi_synthetic_points_are_found_and_some_vanish_by_cropping(runtime, sets_folder):
    path = sets_folder / "cropped" / "template.nii.gz"
    whole, cropped = run_synthetic(runtime, [path], points=15, seed=1)
    assert len(whole.records) == len(cropped.records) == 15
    visible = [record.error_mm for record in whole.records if record.truth.view is View.VISIBLE]
    # 0.4 mm on whole chests; alignment lost would give 1.4
    assert len(visible) >= 10 and np.median(visible) < 1.0
    assert any(record.truth.view is View.VANISHED for record in cropped.records)
    np.testing.assert_array_equal(whole.records[0].truth.position_lps, cropped.records[0].truth.position_lps)


def test_a_volume_without_a_body_is_skipped_and_named(runtime, tmp_path):
    air = sitk.GetImageFromArray(np.full((20, 30, 30), -1000, dtype=np.int16))
    sitk.WriteImage(air, str(tmp_path / "air.nii.gz"))
    with pytest.warns(UserWarning):
        whole, _ = run_synthetic(runtime, [tmp_path / "air.nii.gz"], points=5, seed=0)
    assert whole.records == [] and "air: no edges" in whole.skipped[0]


def test_nothing_to_evaluate_is_refused():
    with pytest.raises(UsageError, match="--data"):
        BenchmarkPlan.of(BenchmarkSettings())


def test_the_command_prints_and_writes(sets_folder, tmp_path):
    options = ("--bootstrap", 50, "--device", "cpu", "--profile", "fast", "--failures", 2)
    done = run_cli("--data", sets_folder, *options, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "| cropped |" in done.stdout and "spinous_tip_t11" in done.stdout
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert document["sets"]["cropped"]["n"] == 20 and document["settings"]["bootstrap"] == 50
    assert document["engine"]["settings"]["profile"] == "fast"
    assert document["machine"]["cores"] >= 1 and document["versions"]["torch"]
    with open(tmp_path / "out" / "evaluation.csv", newline="", encoding="utf-8") as file:
        errors = [float(row["error_mm"]) for row in csv.DictReader(file)]
    assert np.mean(errors) == pytest.approx(document["sets"]["cropped"]["mean_mm"], abs=0.01)
    for name in ("errors.png", "failures.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")


def test_an_unknown_set_ends_with_2_before_anything_runs(sets_folder, tmp_path):
    done = run_cli("--data", sets_folder, "--set", "lungs", "--output", tmp_path / "out")
    assert done.exit_code == 2 and "has no test set lungs" in done.stderr
    assert not (tmp_path / "out").exists()
