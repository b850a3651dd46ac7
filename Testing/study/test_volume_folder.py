"""Studies of a folder of volume files: which files are scans, and whose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_files import write_series

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.io.landmark_files import write_markups
from SAMLandmarkLib.study.planning import study_plan
from SAMLandmarkLib.utils.errors import UsageError


@pytest.fixture
def template(tmp_path) -> tuple[Path, Path]:
    """A template outside of the study's folder, and its landmarks."""
    write_markups(tmp_path / "points.mrk.json", ["a"], np.zeros((1, 3)))
    (tmp_path / "template.nrrd").touch()
    return tmp_path / "template.nrrd", tmp_path / "points.mrk.json"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Scans of Ann, of Bob, and one that lies in the folder itself; and files that are no scans."""
    root = tmp_path / "study"
    names = ("Ann/may.nii.gz", "Ann/old/may.nii.gz", "Bob/june.mha", "single.nrrd")
    for name in (*names, "Ann/notes.txt", "Bob/.june.nii.gz"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def scans_of(plan) -> dict[str, list[str]]:
    return {patient.patient: [scan.name for scan in patient.follow_ups] for patient in plan.patients}


def plan_of(folder: Path, output: Path, template: tuple[Path, Path], **options):
    doubts: list[str] = []
    return study_plan(folder, output, *template, None, doubts.append, **options)


def test_the_first_folder_is_the_patient(folder, template, tmp_path):
    plan = plan_of(folder, tmp_path / "results", template)
    assert scans_of(plan) == {"Ann": ["Ann_may", "old_may"], "Bob": ["june"], "study": ["single"]}
    assert {item.scan.path for patient in plan.patients for item in patient.templates} == {template[0]}


def test_neither_the_template_nor_results_are_scans(folder, template, tmp_path):
    output = folder / "results"
    output.mkdir()
    (output / "template.nrrd").touch()
    plan = plan_of(folder, output, (folder / "single.nrrd", template[1]), left_out=[folder / "Bob/june.mha"])
    assert scans_of(plan) == {"Ann": ["Ann_may", "old_may"]}


def test_where_nothing_is_left_it_is_said(template, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no other volume than the template"):
        plan_of(tmp_path / "empty", tmp_path / "results", template)


def test_a_folder_with_dicom_in_it_is_one_of_dicom(folder, template, tmp_path):
    array = np.random.default_rng(1).integers(-1000, 1000, (30, 8, 8)).astype(np.int16)
    write_series(folder / "disc", Volume(array, np.diag([1.0, 1.0, 3.0, 1.0])))
    plan = plan_of(folder, tmp_path / "results", template)
    assert list(scans_of(plan)) == ["P1"]
    assert any("may.nii.gz" in item.what for item in plan.excluded)
