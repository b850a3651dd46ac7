"""`samlandmark batch` as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import SimpleITK as sitk
from dicom_files import SeriesHeader, write_series

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.io.landmark_files import write_markups

Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def batch(study_cache) -> Run:
    def run(*arguments: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "SAMLandmarkLib", "batch", "--cache", str(study_cache)]
        command += ["--device", "cpu", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "140"}, timeout=300
        )

    return run


@pytest.fixture(scope="session")
def dicom_tree(tmp_path_factory, small_study) -> Path:
    """Two visits of a patient as DICOM, with a scout view beside the first; the landmarks lie in `P1.mrk.json`."""
    root = tmp_path_factory.mktemp("dicom")
    folder = small_study.parent
    visits = {"20240105": "patient-001-baseline", "20240607": "patient-001-followup-001"}
    for date, name in visits.items():
        volume = Volume.read(folder / f"{name}.nrrd")
        write_series(root / "files" / date, volume, SeriesHeader(date=date))
    scout = SeriesHeader(date="20240105", number=1, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))
    write_series(root / "files" / "scout", volume, scout)
    points = LandmarkSet.read(folder / "patient-001.mrk.json")
    write_markups(root / "P1.mrk.json", points.labels, points.positions_lps)
    return root


def test_a_dry_run_shows_what_would_be_done_and_does_nothing(batch, small_study, tmp_path):
    done = batch(small_study, "--output", tmp_path / "out", "--dry-run")
    assert done.returncode == 0
    assert "6 scans of 3 patients, 6 to be done" in done.stdout
    assert "patient-002-followup-002" in done.stdout
    assert not (tmp_path / "out").exists()


def test_names_are_shown_as_they_are_written(batch, small_study, tmp_path):
    folder = small_study.parent
    manifest = tmp_path / "odd.csv"
    manifest.write_text(
        "patient,role,date,volume,landmarks\n"
        f"p[/]1 [red],template,,{folder / 'patient-001-baseline.nrrd'},{folder / 'patient-001.mrk.json'}\n"
        f"p[/]1 [red],follow-up,,{folder / 'patient-001-followup-001.nrrd'},\n"
    )
    shown = batch(manifest, "--output", tmp_path / "out", "--dry-run")
    assert shown.returncode == 0
    assert "p[/]1 [red]" in shown.stdout


def test_a_dicom_folder_becomes_results(batch, dicom_tree, tmp_path):
    given = (dicom_tree / "files", "--landmarks", dicom_tree / "P1.mrk.json", "--output", tmp_path / "out")
    plan = batch(*given, "--dry-run")
    assert plan.returncode == 0, plan.stderr
    assert "1 scans of 1 patients, 1 to be done" in plan.stdout
    assert " slices, " in plan.stdout
    assert "LOCALIZER" in plan.stdout or "scout" in plan.stdout
    done = batch(*given, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scans"] == {
        "queued": 0,
        "running": 0,
        "done": 1,
        "failed": 0,
        "skipped": 0,
    }
    (markups,) = (tmp_path / "out" / "P1").glob("*.mrk.json")
    assert len(LandmarkSet.read(markups)) == len(LandmarkSet.read(dicom_tree / "P1.mrk.json"))
    again = batch(*given, "--dry-run")
    assert "1 scans of 1 patients, 0 to be done" in again.stdout


def test_one_template_for_all_and_a_failure_give_exit_code_1(batch, small_study, sample_folder, tmp_path):
    folder = small_study.parent
    manifest = tmp_path / "all.csv"
    scan = folder / "patient-002-followup-001.nrrd"
    manifest.write_text(
        "patient,role,date,volume,landmarks\n" + f"A,follow-up,,{scan},\n" + "B,follow-up,,gone.nrrd,\n"
    )
    done = batch(
        *(manifest, "--output", tmp_path / "out", "--workers", 0),
        *("--template", folder / "patient-002-baseline.nrrd", "--landmarks", folder / "patient-002.mrk.json"),
    )
    assert done.returncode == 1
    assert "line 3, column volume" in done.stderr
    assert "Error: B/gone: " in done.stderr
    assert "1 of 2 scans done" in done.stdout
    assert (tmp_path / "out" / "A" / "patient-002-followup-001.mrk.json").is_file()


def test_scans_that_do_not_look_like_ct_are_told_and_done_where_they_are_called_ct(
    batch, own_study, tmp_path
):
    path = own_study.parent / "patient-001-followup-001.nrrd"
    image = sitk.ReadImage(str(path))
    sitk.WriteImage(sitk.Cast(sitk.RescaleIntensity(image, 0, 255), sitk.sitkInt16), str(path))
    refused = batch(own_study, "--output", tmp_path / "refused")
    assert refused.returncode == 1
    assert "is of the modality Brain MR" in refused.stderr and "--modality" in refused.stderr
    done = batch(own_study, "--output", tmp_path / "out", "--modality", "ct")
    assert done.returncode == 0
    assert "Warning: patient-001/patient-001-followup-001: " in done.stderr
    assert "patient-001-followup-002" not in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--template", "gone.nrrd", "--landmarks", "l.mrk.json"], "does not exist"),
        (["--template", "t.nrrd"], "without --landmarks"),
        (["--landmarks", "l.mrk.json"], "without --template"),
        (["--workers", "-1"], "Invalid value for '--workers'"),
        (["--cache-limit", "much"], "is not a size of memory"),
        (["--workers", "2", "--scheduler", "tcp://127.0.0.1:9"], "Give --workers or --scheduler"),
        (["--device", "quantum"], "quantum"),
        (["--model", "gone.pt"], "gone.pt"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_computed(batch, small_study, tmp_path, options, message):
    done = batch(small_study, "--output", tmp_path / "out", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "study.csv").exists()
    # nothing has been done, so the mended command needs no --resume
    assert "already holds" not in batch(small_study, "--output", tmp_path / "out", *options).stderr


def test_what_is_no_study_is_refused(batch, tmp_path):
    (tmp_path / "empty").mkdir()
    for study, message in ((tmp_path / "gone.csv", "can't be read"), (tmp_path / "empty", "--landmarks")):
        done = batch(study, "--output", tmp_path / "out")
        assert done.returncode == 2
        assert message in done.stderr


def test_an_output_folder_that_can_not_be_used_is_told(batch, small_study, tmp_path):
    (tmp_path / "file").write_text("")
    done = batch(small_study, "--output", tmp_path / "file" / "out")
    assert done.returncode == 2
    assert "not a folder" in done.stderr
