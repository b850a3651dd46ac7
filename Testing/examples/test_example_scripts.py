"""The example scripts run as they stand, and do what their first lines say."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_example(name: str, output: Path) -> str:
    """What a script prints."""
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, str(EXAMPLES / name), str(output)]
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_follow_up_s_landmarks_are_near_the_known_places(tmp_path, sample_truth):
    printed = run_example("follow_up.py", tmp_path)
    (markups,) = tmp_path.glob("*.mrk.json")
    points = json.loads(markups.read_text())["markups"][0]["controlPoints"]
    truth = {mark.label: mark.position_lps for mark in sample_truth}
    placed = [point for point in points if point["positionStatus"] == "defined"]
    errors = [np.linalg.norm(np.array(point["position"]) - truth[point["label"]]) for point in placed]
    assert len(placed) >= 18 and np.median(errors) < 2.0
    assert re.search(
        r"left_renal_artery_origin – celiac_aorta_inferior_crotch: [\d.]+ mm, now [\d.]+ mm", printed
    )
    assert "transfer.csv" in printed


@pytest.mark.slow
def test_the_study_has_a_table_and_a_report(tmp_path):
    printed = run_example("study.py", tmp_path)
    with open(tmp_path / "results" / "study.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["patient"] for row in rows} == {"patient-001", "patient-002"}
    assert sum(row["status"] == "FOUND" for row in rows) >= 2
    assert (tmp_path / "results" / "report.html").is_file()
    assert "patient-001" in printed


@pytest.mark.slow
def test_fine_tuning_begins_with_the_trained_weights(tmp_path: Path) -> None:
    from SAMLandmarkLib import EmbeddingEncoder

    printed = run_example("fine_tune.py", tmp_path)
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", printed)]
    assert len(losses) == 5 and losses[-1] < losses[0]
    before, after = (EmbeddingEncoder.load(tmp_path / f"{name}.safetensors") for name in ("encoder", "tuned"))
    changed = [
        name for name, value in before.state_dict().items() if not value.equal(after.state_dict()[name])
    ]
    assert "branch.stem.0.weight" in changed
