"""PyTorch that is installed and does not work: one sentence with the way out."""

from __future__ import annotations

import os

import pytest

NO_NUMPY = """
import torch

def fails(*arguments, **options):
    raise RuntimeError("Numpy is not available")

torch.from_numpy = torch.Tensor.numpy = fails
"""
NO_LIBRARY = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise OSError("[WinError 126] The specified module could not be found. Error loading c10.dll")

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("trouble", [NO_NUMPY, NO_LIBRARY], ids=["built for NumPy 1", "a library is missing"])
def test_pytorch_that_does_not_work_is_named_with_the_way_out(
    transfer, sample, tmp_path, monkeypatch, trouble
):
    (tmp_path / "sitecustomize.py").write_text(trouble)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    run = transfer(tmp_path / "out", [sample / "followup.nii.gz"])
    assert run.returncode == 2
    assert "PyTorch" in run.stderr
    assert "install" in run.stderr
    assert "Traceback" not in run.stderr
