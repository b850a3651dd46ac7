"""Which scans are followed in which order: manifests, folders with dates in their names, and what is odd about dates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lesions_by_hand import finding, history

from SAMLandmarkLib.core.lesions import Lesion
from SAMLandmarkLib.io.lesion_json import write_history
from SAMLandmarkLib.io.lesion_lines import write_lesion_lines
from SAMLandmarkLib.study.plan import StudyScan
from SAMLandmarkLib.tracking.planning import (
    PatientScans,
    doubts_of_dates,
    marks_of,
    tracking_plan,
)
from SAMLandmarkLib.utils.errors import LesionError, UsageError


def lines(path: Path, *names: str) -> Path:
    write_lesion_lines(
        path, [(Lesion(name), finding(10.0, (20.0 * n, 0, 0))) for n, name in enumerate(names)]
    )
    return path


def plan(study: Path, lesions: Path | None, warned: list[str] | None = None) -> list[PatientScans]:
    return tracking_plan(
        study, lesions, None, (warned if warned is not None else []).append, study.parent / "out"
    )


@pytest.fixture
def folder(tmp_path: Path, write_ct: Callable) -> Path:
    """A folder of three scans of one patient, whose names do not sort by date."""
    root = tmp_path / "study"
    root.mkdir()
    array = np.zeros((5, 6, 7), dtype=np.int16)
    for name in ("a-20240502.nrrd", "b_2024-01-15.nrrd", "c-20240301-thin.nii.gz"):
        write_ct(root / name, array)
    return root


def test_scans_of_a_folder_are_sorted_by_the_dates_in_their_names(folder, tmp_path):
    (patient,) = plan(folder, lines(tmp_path / "l.mrk.json", "T1"))
    assert [scan.date for scan in patient.scans] == ["2024-01-15", "2024-03-01", "2024-05-02"]
    assert patient.lesions == {0: tmp_path / "l.mrk.json"} and patient.doubts == ()


def test_a_folder_of_patients_takes_a_file_for_each(folder, tmp_path, write_ct):
    for name in ("P1", "P2"):
        (tmp_path / "all" / name).mkdir(parents=True)
        for date in ("20240101", "20240201"):
            write_ct(tmp_path / "all" / name / f"{date}.nrrd", np.zeros((5, 6, 7), dtype=np.int16))
    marks = tmp_path / "marks"
    marks.mkdir()
    lines(marks / "P1.mrk.json", "T1")
    (patient,) = plan(tmp_path / "all", marks)
    assert (patient.patient, len(patient.scans)) == ("P1", 2)


def manifest(folder: Path, *rows: str) -> Path:
    path = folder / "manifest.csv"
    path.write_text("\n".join(["patient,role,date,volume,landmarks", *rows]) + "\n")
    return path


def test_every_scan_of_a_manifest_may_have_its_lesions(folder):
    lines(folder / "base.mrk.json", "T1", "T2")
    lines(folder / "later.mrk.json", "1")
    study = manifest(
        folder,
        "P1,template,2024-01-15,b_2024-01-15.nrrd,base.mrk.json",
        "P1,follow-up,2024-05-02,a-20240502.nrrd,later.mrk.json",
        "P1,follow-up,2024-03-01,c-20240301-thin.nii.gz,",
    )
    (patient,) = plan(study, None)
    marks = marks_of(patient, None)
    assert {number: [mark.lesion.name for mark in given] for number, given in marks.items()} == {
        0: ["T1", "T2"],
        2: ["1"],
    }


def test_the_lesions_of_the_baseline_may_be_given_apart(folder, tmp_path):
    study = manifest(
        folder,
        "P1,template,2024-01-15,b_2024-01-15.nrrd,",
        "P1,follow-up,2024-05-02,a-20240502.nrrd,",
    )
    (patient,) = plan(study, lines(tmp_path / "l.mrk.json", "T1"))
    assert patient.lesions == {0: tmp_path / "l.mrk.json"}
    with pytest.raises(UsageError, match="a template needs the file of its lesions"):
        plan(study, None)


def test_a_wrong_file_of_lesions_is_named_with_its_line(folder):
    (folder / "base.mrk.json").write_text(json.dumps({"markups": [{"type": "Line", "controlPoints": []}]}))
    study = manifest(folder, "P1,template,2024-01-15,b_2024-01-15.nrrd,base.mrk.json")
    with pytest.raises(UsageError, match=r"line 2, column landmarks.*0 placed points"):
        plan(study, None)


def scan(name: str, date: str) -> StudyScan:
    return StudyScan("P1", name, Path(name), date)


@pytest.mark.parametrize(
    ("dates", "told"),
    [
        (("2024-01-01", "2024-02-01"), ""),
        (("2024-01-01", ""), "1 of 2 scans have no date (scan 1)"),
        (("", ""), "2 of 2 scans have no date"),
        (("2024-01-01", "2024-01-01"), "scan 0, scan 1 have the same date 2024-01-01"),
        (("2024-02-01", "2024-01-01"), "scan 1 are older than the baseline scan 0"),
    ],
)
def test_what_is_odd_about_dates_is_told(dates, told):
    doubts = doubts_of_dates([scan(f"scan {n}", date) for n, date in enumerate(dates)])
    assert told in "; ".join(doubts) and bool(doubts) == bool(told)


def test_a_document_of_lesions_is_for_scans_of_the_same_names(tmp_path):
    write_history(tmp_path / "lesions.json", history({"T1": [20, 12]}))
    known = PatientScans(
        "P1", (scan("scan 1", ""), scan("scan 2", ""), scan("scan 3", "")), {0: tmp_path / "lesions.json"}
    )
    assert sorted(marks_of(known, None)) == [0, 1]
    other = PatientScans("P1", (scan("x", ""), scan("y", "")), {0: tmp_path / "lesions.json"})
    with pytest.raises(LesionError, match="has lesions of a scan 'scan 1', and the patient's scans are x, y"):
        marks_of(other, None)


def test_missing_inputs_are_told(folder, tmp_path):
    with pytest.raises(UsageError, match="--lesions must name"):
        plan(folder, None)
    with pytest.raises(UsageError, match="does not exist"):
        plan(tmp_path / "nothing", None)
    with pytest.raises(UsageError, match="check the path of the lesions"):
        plan(folder, tmp_path / "nothing.mrk.json")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match="holds no scans"):
        plan(empty, lines(tmp_path / "l.mrk.json", "T1"))
