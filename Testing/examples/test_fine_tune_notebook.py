"""The notebook runs on a folder of scans and labels, and what it writes lies where the scan lies."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SAMLandmarkLib import EmbeddingEncoder

NOTEBOOK = Path(__file__).parents[2] / "examples" / "fine_tune_your_folder.ipynb"
BONE_HU = 200


@pytest.fixture
def data(tmp_path, sample_folder) -> Path:
    """The bundled scans and their bones, every other voxel of a block of them, the second with its axes in another order."""
    for part in ("scans", "labels"):
        (tmp_path / "data" / part).mkdir(parents=True)
    for name, axes in (("template", "LPS"), ("followup", "ASL")):
        whole = sitk.DICOMOrient(sitk.ReadImage(str(sample_folder / f"{name}.nii.gz")), axes)
        scan = whole[::2, ::2, ::2]
        labels = sitk.Cast(scan > BONE_HU, sitk.sitkUInt8)
        sitk.WriteImage(scan, str(tmp_path / "data" / "scans" / f"{name}.nii.gz"))
        sitk.WriteImage(labels, str(tmp_path / "data" / "labels" / f"{name}.nii.gz"))
    return tmp_path / "data"


@pytest.mark.slow
def test_the_notebook_learns_and_writes_on_the_scans_own_voxels(data, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib").use("Agg")
    output = tmp_path / "out"
    for name, value in {"DATA": data, "OUTPUT": output, "STEPS": 6}.items():
        monkeypatch.setenv(f"FINE_TUNE_{name}", str(value))
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    names: dict = {"__name__": "notebook"}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), str(NOTEBOOK), "exec"), names)
    printed = capsys.readouterr().out
    assert "1 scans to learn from, template.nii.gz to measure with, 1 structures" in printed
    assert "label 1: Dice" in printed
    # the labels lie on the bones of the canonical grid, whatever the axes of the file were
    hu, truth = names["train_scans"][0]
    assert np.median(hu[truth == 1]) > BONE_HU
    assert len(names["losses"]) == 6 and np.isfinite(names["losses"]).all()
    scan, written = (
        sitk.ReadImage(str(path))
        for path in (data / "scans" / "template.nii.gz", output / "segmentation.nii.gz")
    )
    assert written.GetSize() == scan.GetSize() and written.GetOrigin() == pytest.approx(scan.GetOrigin())
    assert EmbeddingEncoder.load(output / "tuned-encoder.safetensors").level.name == "coarse"
    assert (output / "segmentation.png").stat().st_size > 10_000
