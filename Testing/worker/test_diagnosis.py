"""One sentence about whether all of it works here."""

from __future__ import annotations

import os
import sys

from SAMLandmarkLib.worker import WorkerSettings, diagnose, start_diagnosis

from .conftest import poll_until


def test_a_working_installation_says_so_with_figures(make_client):
    client, diagnoses = make_client(), []
    start_diagnosis(client, diagnoses.append)
    poll_until(client, lambda: diagnoses)
    (diagnosis,) = diagnoses
    assert diagnosis.ok
    assert diagnosis.sentence.startswith("Everything works: 20 landmarks")
    assert diagnosis.details["sample"]["median_mm"] < 6.0
    assert diagnosis.details["torch"]


def test_a_python_without_torch_is_told_from_one_that_is_missing(tmp_path):
    (tmp_path / "torch.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"
    )
    without = diagnose(environment={**os.environ, "PYTHONPATH": str(tmp_path)})
    missing = diagnose(python=[str(tmp_path / "python")])
    assert (without.ok, missing.ok) == (False, False)
    assert without.sentence.startswith("PyTorch is not installed")
    assert without.details["kind"] == "installation"
    assert missing.sentence.startswith("The worker could not be started")


def test_a_damaged_model_is_named(tmp_path):
    model = tmp_path / "damaged.pt"
    model.write_bytes(b"not a model")
    diagnosis = diagnose(WorkerSettings(model=model), [sys.executable])
    assert not diagnosis.ok
    assert "damaged.pt" in diagnosis.sentence


def test_a_worker_that_does_not_answer_in_time_is_given_up(tmp_path):
    script = tmp_path / "sleeper.py"
    script.write_text("import time; time.sleep(1000)")
    diagnosis = diagnose(python=[sys.executable, str(script)], timeout=0.5)
    assert not diagnosis.ok
    assert "did not answer" in diagnosis.sentence
