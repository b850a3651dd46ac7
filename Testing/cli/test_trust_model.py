"""A model that is a program is loaded only where the user says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from format_2_models import VERSION, write_format_2

from SAMLandmarkLib.evaluation.demo_study import write_small_study


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> Path:
    return write_format_2(tmp_path_factory.mktemp("model") / "others.pt")


def test_torchscript_of_others_needs_trust_and_says_why(samlandmark, others, tmp_path):
    folder = write_small_study(tmp_path / "scans", 1, 1, size_mm=96.0).parent
    output = tmp_path / "out"
    command = (
        "transfer", "-t", folder / "patient-001-baseline.nrrd", "-l", folder / "patient-001.mrk.json", "-f",
        folder / "patient-001-followup-001.nrrd", "-o", output, "--model", others, "--device", "cpu", "--profile", "fast",
    )  # fmt: skip
    refused = samlandmark(*command)
    assert refused.returncode == 2
    assert "--trust-model" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (output / "transfer.csv").exists()
    trusted = samlandmark(*command, "--trust-model")
    assert trusted.returncode == 0, trusted.stderr
    document = json.loads((output / "transfer.json").read_text(encoding="utf-8"))
    assert VERSION in json.dumps(document)


@pytest.mark.parametrize("command", ["transfer", "batch", "serve", "evaluate"])
def test_the_help_says_what_a_trusted_model_may_do(samlandmark, command):
    text = " ".join(samlandmark(command, "--help").stdout.replace("│", " ").split())
    assert "--trust-model" in text
    assert "may run any code" in text
