"""Names of files, folders and patients as old discs, other systems and careless people give them."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from SAMLandmarkLib.evaluation.demo_study import write_small_study
from SAMLandmarkLib.io.target_names import file_name, folder_name

LATIN_1 = os.fsdecode(b"M\xfcller")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """The manifest of one patient with one follow-up, cubes of 96 mm."""
    return write_small_study(tmp_path_factory.mktemp("study"), 1, 1, size_mm=96.0)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps names in UTF-16")
def test_a_name_that_is_no_utf_8_is_carried_beside_the_others(samlandmark, study, tmp_path):
    target = study.parent / "patient-001-followup-001.nrrd"
    odd = tmp_path / f"{LATIN_1}.nrrd"
    shutil.copy(target, odd)
    run = samlandmark(
        "transfer", "-t", study.parent / "patient-001-baseline.nrrd", "-l", study.parent / "patient-001.mrk.json",
        "-f", odd, "-f", target, "-o", tmp_path / "out", "--profile", "fast", "--device", "cpu",
    )  # fmt: skip
    assert (run.returncode, "Traceback" in run.stderr) == (0, False), run.stderr
    with open(tmp_path / "out" / "transfer.csv", encoding="utf-8") as table:
        assert {row["target"] for row in csv.DictReader(table)} == {"M_ller", "patient-001-followup-001"}
    json.loads((tmp_path / "out" / "transfer.json").read_text(encoding="utf-8"))


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps names in UTF-16")
def test_names_of_every_kind_end_no_batch(samlandmark, study, tmp_path):
    folder = tmp_path / LATIN_1
    folder.mkdir()
    shutil.copytree(study.parent, folder, dirs_exist_ok=True)
    lines = ["patient,role,date,volume,landmarks"]
    patients = ("study.csv", "ledger.sqlite", "report.html", "x" * 300, "CON", "..")
    for patient in patients:
        lines.append(f"{patient},template,2024-01-01,patient-001-baseline.nrrd,patient-001.mrk.json")
        lines.append(f"{patient},follow-up,2024-02-01,patient-001-followup-001.nrrd,")
    (folder / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    output = tmp_path / "output"
    run = samlandmark("batch", folder / "manifest.csv", "-o", output, "--profile", "fast", "--device", "cpu")
    assert (run.returncode, "Traceback" in run.stderr) == (0, False), run.stderr
    with open(output / "study.csv", encoding="utf-8") as table:
        assert {row["patient"] for row in csv.DictReader(table)} == set(patients)
    assert {path.name for path in output.iterdir() if path.is_dir()} >= {
        folder_name(name) for name in patients
    }
    assert not (tmp_path / "study.csv").exists()


@pytest.mark.parametrize(
    "name", ["study.csv", "STUDY.JSON", "ledger.sqlite", "ledger.sqlite-wal", "report.html", ".", ".."]
)
def test_a_folder_is_never_called_like_a_file_of_the_study(name):
    assert folder_name(name) != name
    assert Path(folder_name(name)).name == folder_name(name)


def test_long_names_are_cut_and_stay_apart():
    names = [f"{'ü' * 400}{number}" for number in range(3)]
    files = {file_name(name, ".mrk.json") for name in names}
    assert len(files) == 3
    assert max(len(file.encode()) for file in files) < 255
