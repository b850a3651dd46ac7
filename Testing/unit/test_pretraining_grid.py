"""The grid of few labelled subjects: it runs, goes on where it was stopped, and measures what it says."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from SAMLandmarkLib.models.network import BranchConfig
from SAMLandmarkLib.training.pretrain_config import SLICE_LEVEL

pytestmark = pytest.mark.slow

BRANCH = BranchConfig((8, 12, 16), (0, 0, 0), 8, ((0.0, 1.0),), 2)
LEVEL = dataclasses.replace(
    SLICE_LEVEL, spacing_mm=4.0, patch_kji=(1, 32, 32), network=BRANCH, hidden_voxels=(2, 5)
)
SUBJECTS = {"A": "train", "B": "train", "C": "train", "D": "test", "E": "test"}


@pytest.fixture
def grid(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    module = importlib.import_module("pretraining")
    monkeypatch.setattr(importlib.import_module("few_labels"), "LEVEL", LEVEL)
    yield module
    for name in ("pretraining", "few_labels", "few_label_grid"):
        sys.modules.pop(name, None)


@pytest.fixture
def data(tmp_path) -> Path:
    folder = tmp_path / "stacks"
    folder.mkdir()
    rng = np.random.default_rng(0)
    x, y, z = np.indices((32, 32, 5))
    for name in SUBJECTS:
        cx, cy = rng.uniform(12, 20, 2)
        mask = (x - cx) ** 2 + (y - cy) ** 2 < (3 + z) ** 2
        picture = 60 + 120 * mask + 10 * z + rng.normal(0, 8, mask.shape)
        for ending, values in (("", np.clip(picture, 0, 255)), ("_mask", mask)):
            image = nibabel.Nifti1Image(values.astype(np.uint8), np.diag([4.0, 4.0, 8.0, 1.0]))
            nibabel.save(image, folder / f"{name}_LV_ED{ending}.nii.gz")
    rows = [f"{name},{split}" for name, split in SUBJECTS.items()]
    (folder / "subjects.csv").write_text("\n".join(["subject,split", *rows]))
    return folder


def words(data: Path, output: Path, *more: str) -> list[str]:
    usual = [
        "--draws",
        "1",
        "--seeds",
        "1",
        "--steps",
        "4",
        "--pretrain-steps",
        "2",
        "--rates",
        "1e-3",
        "1e-2",
    ]
    return [str(data), "--output", str(output), *usual, *more]


def test_a_toy_grid_goes_on_where_it_was_stopped(grid, data, tmp_path, capsys):
    output = tmp_path / "out"
    arms = ["--arms", "scratch", "scratch-3x", "location", "contrastive", "autoencoder"]
    grid.main(words(data, output, "--labelled", "1", *arms))
    rows = grid.SliceGrid(grid.arguments_of(words(data, output, "--labelled", "1"))).rows()
    assert [row["kind"] for row in rows] == ["rate", *["run"] * 5]
    assert [row["cell"][0] for row in rows[1:]] == arms[1:]
    assert rows[2]["steps"] == 12 and set(rows[1]["tests"]) == {"D", "E"}
    assert {path.name for path in (output / "pictures").iterdir()} == {f"{n}_LV_ED.nii.gz" for n in "ABC"}
    # the second number only: what is there already is not computed again
    grid.main(words(data, output, "--labelled", "1", "3", "--arms", "scratch", "location"))
    again = grid.SliceGrid(grid.arguments_of(words(data, output, "--labelled", "1"))).rows()
    assert again[:6] == rows and [row["kind"] for row in again[6:]] == ["rate", "run", "run"]
    table = (output / "table.md").read_text()
    assert table.count("\n") == 2 + 4 and "| stacks | 3 | location | 1 |" in table


def test_results_of_other_settings_are_not_mixed(grid, data, tmp_path):
    asked = words(data, tmp_path / "out", "--labelled", "1", "--arms", "scratch")
    grid.main(asked)
    with pytest.raises(SystemExit, match="with 4 steps, measured on 2 subjects"):
        grid.main([*asked, "--steps", "5"])


def test_stacks_of_another_hospital_are_measured_where_they_are_contoured(grid, data, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    labels = np.zeros((32, 32, 5), np.uint8)
    labels[8:20, 8:20, 1:4], labels[11:17, 11:17, 1:4] = 2, 1
    for ending, values in (("", 50 + 60 * (labels == 1)), ("_label", labels)):
        image = nibabel.Nifti1Image(values.astype(np.uint8), np.diag([4.0, 4.0, 8.0, 1.0]))
        nibabel.save(image, folder / f"S1_ED{ending}.nii.gz")
    asked = ["--labelled", "1", "--arms", "scratch", "--elsewhere", str(folder)]
    own = grid.SliceGrid(grid.arguments_of(words(data, tmp_path / "out", *asked)))
    assert [mask.values.sum() for mask in own.subjects["S1"].masks] == [36.0] * 3
    own.finish()
    assert "| elsewhere | 1 | scratch | 1 |" in (tmp_path / "out" / "table.md").read_text()


def test_stacks_that_begin_at_the_base_are_turned_over(grid, data, tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "BASE_FIRST", {"B"})
    own = grid.SliceGrid(grid.arguments_of(words(data, tmp_path / "out", "--labelled", "1")))
    stacks = {
        name: [
            np.asarray(nibabel.load(folder / f"{name}_LV_ED.nii.gz").dataobj)
            for folder in (data, own.pictures())
        ]
        for name in "AB"
    }
    assert np.array_equal(*stacks["A"])
    assert np.array_equal(stacks["B"][0][..., ::-1], stacks["B"][1])


def test_lines_need_exams(grid, data, tmp_path):
    with pytest.raises(SystemExit, match="--lines"):
        grid.main(words(data, tmp_path / "out", "--labelled", "1", "--arms", "lines"))


def test_labelled_networks_learn_the_structure(grid, data):
    subjects = {name: grid.read_subject(data, name, "LV") for name in SUBJECTS}
    network = grid.train(grid.new_network(), [subjects["A"], subjects["B"]], 60, 1e-2, 0)
    assert grid.measured(network, subjects["D"])["dice"] > 60
    untrained = grid.new_network().segmentation_head(2).eval()
    assert grid.measured(untrained, subjects["D"])["dice"] < 60


def test_surface_distances_are_in_mm(grid):
    hd95 = importlib.import_module("few_labels").hd95
    truth = np.zeros((3, 20, 20), bool)
    truth[1, 5:10, 5:10] = True
    assert hd95(truth, truth, (8.0, 2.0, 2.0)) == 0.0
    assert hd95(np.roll(truth, 3, 2), truth, (8.0, 2.0, 2.0)) == pytest.approx(6.0)
    assert np.isnan(hd95(np.zeros_like(truth), truth, (8.0, 2.0, 2.0)))


def test_gains_are_paired(grid):
    scratch = np.array([[50.0, 90.0, 70.0, 20.0]] * 3)
    assert importlib.import_module("few_label_grid").gained(scratch + 4, scratch) == "+4.0 (+4.0 to +4.0)"
    low_and_high = importlib.import_module("few_label_grid").gained(scratch + [-9, 11, 5, -7], scratch)
    assert low_and_high.startswith("+0.0 (-")
