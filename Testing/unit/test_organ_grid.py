"""The grid of few labelled patients of head and neck: labels lie on their organs, and every arm begins as it says."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

pytestmark = pytest.mark.slow

SIZE = (40, 40, 36)
HU = {1: 300, 2: 500, 3: 700, 4: 900}


@pytest.fixture(scope="module")
def organs():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
        yield importlib.import_module("organs")
    for name in ("organs", "few_labels", "few_label_grid"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Four patients of 160 mm, their axes along RAS, LAS, PSR and RAS, with four organs that differ in HU; C lacks one."""
    folder = tmp_path_factory.mktemp("heads")
    axes = {"A": np.eye(3), "B": np.diag([-1.0, 1.0, 1.0]), "C": np.eye(3)[[1, 2, 0]], "D": np.eye(3)}
    for name, part in (("A", "train"), ("B", "eval"), ("C", "train"), ("D", "train")):
        labels = np.zeros(SIZE, np.uint8)
        for number in HU:
            labels[6 + 6 * number : 11 + 6 * number, 12:20, 10:22] = number
        if name == "C":
            labels[labels == 4] = 0
        scan = np.full(SIZE, -1000, np.int16)
        scan[4:36, 4:36, 2:34] = 40
        for number, value in HU.items():
            scan[labels == number] = value
        affine = np.eye(4)
        affine[:3, :3] = 4 * axes[name]
        for values, place in ((scan, f"{part}/head-neck"), (labels, "labels/head-neck")):
            (folder / place).mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(values, affine), folder / place / f"{name}.nii.gz")
    return folder


@pytest.fixture
def grid(organs, data, tmp_path):
    words = ["--labelled", "1", "--draws", "1", "--seeds", "1", "--steps", "2", "--rates", "1e-3"]
    arguments = organs.arguments_of([str(data), "--output", str(tmp_path / "out"), *words])
    return organs.OrganGrid(arguments)


@pytest.mark.parametrize("name", ["A", "B"])
def test_labels_lie_on_their_organs_whatever_the_axes(grid, name):
    patient = grid.patient(f"{name}.nii.gz")
    for number, value in HU.items():
        inside = patient.hu[patient.organs == number]
        assert len(inside) > 200
        assert inside.median() == pytest.approx(value, abs=20)


def test_only_complete_patients_take_part(grid):
    assert grid.train_names == ["A.nii.gz", "D.nii.gz"] and list(grid.tests["head-neck"]) == ["B.nii.gz"]


def test_more_labels_than_patients_are_refused(organs, data, tmp_path):
    with pytest.raises(SystemExit, match="there are 2 to be labelled"):
        organs.OrganGrid(organs.arguments_of([str(data), "--output", str(tmp_path), "--labelled", "3"]))


def test_patches_carry_their_labels_along(grid, organs):
    rng = np.random.default_rng(0)
    hu, labels = organs.example(grid.patient("A.nii.gz"), rng)
    assert hu.shape == (1, *organs.PATCH_KJI) and labels.shape == organs.PATCH_KJI
    bright = [float(hu[0][labels == number].median()) for number in HU if (labels == number).sum() > 100]
    assert len(bright) >= 2 and bright == sorted(bright)


def test_arms_begin_and_learn_as_they_say(grid, organs):
    known = torch.cat([weights.flatten() for weights in grid.encoder.parameters()])
    begun = torch.cat([weights.flatten() for weights in grid.start(organs.TRAINED).parameters()])
    assert torch.equal(begun, known)
    random = [grid.start(organs.SCRATCH).branch.head.weight for _ in range(2)]
    assert torch.equal(*random) and not torch.equal(random[0], grid.encoder.branch.head.weight)
    frozen = grid.trained(organs.TRAINED_FROZEN, ["A.nii.gz"], 2, 1e-2, 0)
    kept = torch.cat([weights.flatten() for weights in frozen.encoder.parameters()])
    assert torch.equal(kept, known)


def test_a_toy_grid_tells_dice_of_each_arm(grid, organs):
    grid.arguments.arms = [organs.SCRATCH, organs.TRAINED]
    grid.finish()
    rows = grid.rows()
    # with a single rate there is none to choose
    assert [row["kind"] for row in rows] == ["run", "run"] and {row["rate"] for row in rows} == {1e-3}
    assert all(0 <= row["tests"]["B.nii.gz"]["dice"] <= 100 for row in rows)
    assert "| head-neck | 1 | trained | 1 |" in (grid.folder / "table.md").read_text()
