"""What stands in the files that a transfer writes."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.io.result_files import (
    TargetFailure,
    report_document,
    require_writable,
    to_json,
    write_results,
)
from SAMLandmarkLib.io.target_names import distinct_names
from SAMLandmarkLib.utils.errors import OutputError

COLUMNS = [
    "target",
    "label",
    "x_lps",
    "y_lps",
    "z_lps",
    "status",
    "confidence",
    "similarity",
    "cycle_mm",
    "reason",
    "uncertainty_mm",
]


def test_each_result_gives_markups_and_all_share_a_table_and_a_report(result, tmp_path):
    other = dataclasses.replace(result, target="other")
    paths = write_results(tmp_path / "new" / "folder", [result, other])
    assert [path.name for path in paths] == [
        "followup.mrk.json",
        "other.mrk.json",
        "transfer.csv",
        "transfer.json",
    ]
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {path.name for path in paths}


def test_the_table_has_exactly_the_documented_columns_and_no_coordinates_where_missing(result, tmp_path):
    write_results(tmp_path, [result])
    with open(tmp_path / "transfer.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == COLUMNS
    assert rows[1] == [
        "followup",
        "carina",
        "1.235",
        "-20.000",
        "300.000",
        "FOUND",
        "0.9123",
        "0.8000",
        "1.500",
        "",
        "2.346",
    ]
    assert rows[2][1] == "nodule, left"
    assert rows[3] == [
        "followup",
        "bladder",
        "",
        "",
        "",
        "MISSING",
        "0.0000",
        "",
        "",
        "outside field of view",
        "",
    ]


def test_markups_hold_the_positions_and_mark_what_is_missing(result, tmp_path):
    write_results(tmp_path, [result])
    marks = LandmarkSet.read(tmp_path / "followup.mrk.json")
    assert marks.labels == ("carina", "nodule, left", "bladder")
    np.testing.assert_allclose(marks[0].position_lps, result[0].position_lps, atol=1e-6)
    assert marks[2].position_lps is None
    assert marks[2].description == "MISSING: outside field of view"
    markup = json.loads((tmp_path / "followup.mrk.json").read_text())["markups"][0]
    assert markup["controlPoints"][2]["positionStatus"] == "missing"
    confidence = next(item for item in markup["measurements"] if item["name"] == "confidence")
    assert confidence["controlPointValues"] == pytest.approx([0.91234, 0.4, 0.0])


def test_the_report_is_strict_json_with_settings_provenance_candidates_and_failures(result, tmp_path):
    failure = TargetFailure("broken", "scans/broken.nii.gz", "VolumeError", "scans/broken.nii.gz is empty")
    write_results(tmp_path, [result], [failure], {"device": "cpu", "template": Path("scans/t.nii.gz")})

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    report = json.loads((tmp_path / "transfer.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert report["settings"] == {"device": "cpu", "template": str(Path("scans/t.nii.gz"))}
    assert report["failures"] == [dataclasses.asdict(failure)]
    target = report["targets"][0]
    assert target["counts"] == {"FOUND": 1, "DOUBTFUL": 1, "MISSING": 1}
    assert target["provenance"] == {
        "model": {"version": "0"},
        "spread": 2.5,
        "grid": [0, 1, 2],
        "nothing": None,
    }
    assert target["landmarks"][0]["candidates"] == [
        {"position_lps": [1.23456, -20.0, 300.0], "similarity": 0.8}
    ]
    assert target["landmarks"][2]["position_lps"] is None


def test_the_report_has_the_checksum_of_every_input_that_is_still_there(result, tmp_path):
    (tmp_path / "scan.nii.gz").write_bytes(b"scan")
    sources = {"template": tmp_path / "scan.nii.gz", "landmarks": None, "target": tmp_path / "gone.nii.gz"}
    document = report_document([dataclasses.replace(result, provenance={"sources": sources})])
    assert document["targets"][0]["inputs"] == {
        "template": {"path": str(tmp_path / "scan.nii.gz"), "sha256": hashlib.sha256(b"scan").hexdigest()},
        "target": {"path": str(tmp_path / "gone.nii.gz"), "sha256": None},
    }


def test_a_result_writes_itself(result, tmp_path):
    assert [path.name for path in result.write(tmp_path)] == [
        "followup.mrk.json",
        "transfer.csv",
        "transfer.json",
    ]


def test_two_results_of_one_name_are_refused_before_anything_is_written(result, tmp_path):
    with pytest.raises(OutputError, match="'followup' and 'Followup'.*different names"):
        write_results(tmp_path, [result, dataclasses.replace(result, target="Followup")])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_below_a_file_is_not_writable(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        require_writable(tmp_path / "file" / "folder")


def test_proving_a_folder_writable_leaves_nothing_in_it(tmp_path):
    assert list(require_writable(tmp_path / "new").iterdir()) == []


def test_numbers_of_numpy_become_json_numbers():
    assert to_json({"a": np.int64(3), "b": np.array([1.5, np.inf]), "c": (True, None)}) == {
        "a": 3,
        "b": [1.5, None],
        "c": [True, None],
    }


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/scan.nii.gz", "b/other.nrrd"], ["scan", "other"]),
        (["a/scan.nii.gz", "b/scan.nii.gz"], ["a_scan", "b_scan"]),
        (["a/scan.nii.gz", "b/SCAN.nii"], ["a_scan", "b_SCAN"]),
        (["a/scan.nii.gz", "a/scan.mha"], ["a_scan", "a_scan_2"]),
        (["x/a/scan.mha", "y/a/scan.mha", "a_scan_2.mha"], ["a_scan", "a_scan_2", "a_scan_2_2"]),
        (["patient.1/CT.series"], ["CT.series"]),
    ],
)
def test_targets_get_names_that_differ(paths, names):
    assert distinct_names([Path(path) for path in paths]) == names
