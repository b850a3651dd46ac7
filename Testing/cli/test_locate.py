"""`samlandmark locate` and `atlas build` on toy scans, as a user calls them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from toy_models import toy_model
from toy_scans import SHIFT_LPS, SOLID, landmarks_of, scans, texture
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A toy model, a marked scan, one that shows the same, and one that shows something else."""
    folder = tmp_path_factory.mktemp("toys")
    toy_model(folder, SOLID, (2.0, 4.0))
    template, target = scans(SOLID)
    for name, array in (("marked", template.array), ("target", target.array), ("other", texture(3, seed=11))):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((2.0, 2.0, 2.0))
        sitk.WriteImage(image, folder / f"{name}.nii.gz")
    rows = [f"{mark.label},{','.join(map(str, mark.position_lps))}" for mark in landmarks_of(SOLID, template)]
    (folder / "marked.csv").write_text("\n".join(["label,x,y,z", *rows]) + "\n")
    return folder


def run(*arguments: object):
    return CliRunner().invoke(app, [*map(str, arguments)])


def build(folder: Path, *more: object):
    return run(
        "atlas", "build", "--name", "toys", "-t", folder / "marked.nii.gz", "-l", folder / "marked.csv",
        "--csv-frame", "LPS", "-o", folder / "toys.safetensors", "--licence", "CC0",
        "--model", folder / "solid-2.safetensors", "--device", "cpu", "--no-cache", *more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def atlas(folder) -> Path:
    built = build(folder)
    assert built.exit_code == 0, built.output
    return folder / "toys.safetensors"


def test_landmarks_are_located_and_written_like_those_of_a_transfer(folder, atlas, tmp_path):
    located = run(
        "locate", "-f", folder / "target.nii.gz", "-f", folder / "other.nii.gz", "--protocol", atlas, "-o", tmp_path,
        "--model", folder / "solid-2.safetensors", "--device", "cpu", "--no-cache",
    )  # fmt: skip
    assert located.exit_code == 0, located.output
    assert {path.name for path in tmp_path.iterdir()} == {
        "target.mrk.json", "other.mrk.json", "transfer.csv", "transfer.json",
    }  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "transfer.csv").open()))
    assert {row["status"] for row in rows if row["target"] == "other"} == {"MISSING"}
    assert "FOUND" in {row["status"] for row in rows if row["target"] == "target"}
    shown, other = json.loads((tmp_path / "transfer.json").read_text())["targets"]
    assert shown["template"] == "atlas toys" and shown["inputs"]["template"]["path"] == str(atlas)
    assert shown["provenance"]["atlas"]["patients"] == [
        {"name": "marked", "licence": "CC0", "attribution": ""}
    ]
    assert "does not show what the protocol 'toys' is of" in other["provenance"]["atlas"]["doubts"][0]
    truth = landmarks_of(SOLID, scans(SOLID)[0]).positions_lps + SHIFT_LPS[3]
    best = np.array([mark["candidates"][0]["position_lps"] for mark in shown["landmarks"]])
    assert np.median(np.linalg.norm(best - truth, axis=1)) < 2.0


def test_wrong_usage_is_told_in_a_sentence(folder, tmp_path):
    model = ("--model", folder / "solid-2.safetensors", "--device", "cpu")
    unknown = run("locate", "-f", folder / "target.nii.gz", "--protocol", "knee", "-o", tmp_path, *model)
    assert unknown.exit_code == 2 and "no protocol 'knee'" in unknown.output
    uneven = build(folder, "-t", folder / "target.nii.gz")
    assert uneven.exit_code == 2 and "give each scan its own" in uneven.output
