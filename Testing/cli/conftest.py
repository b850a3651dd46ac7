"""The real command on the bundled sample pair."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.engine.transfer import Candidate, Status, TransferredLandmark, TransferResult
from SAMLandmarkLib.utils.bundled import bundled_folder

Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Embeddings that commands keep by default go to a folder of these tests and not to the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("user-cache")))
        yield


@pytest.fixture(scope="session")
def sample() -> Path:
    return bundled_folder("SampleData")


@pytest.fixture(scope="session")
def truth(sample) -> LandmarkSet:
    return LandmarkSet.read(sample / "followup.csv", csv_frame="LPS")


@pytest.fixture(scope="session")
def samlandmark() -> Run:
    """Runs `samlandmark` in a process of its own, its output going into pipes."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "SAMLandmarkLib", *map(str, arguments)]
        environment = {**os.environ, "COLUMNS": "120"}
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=600, **options
        )

    return run


@pytest.fixture(scope="session")
def transfer(samlandmark, sample) -> Run:
    """Runs `samlandmark transfer` from the sample's template to the targets, with more options as given."""

    def run(
        output: Path, targets: list[Path], *options: object, **process: object
    ) -> subprocess.CompletedProcess:
        given = [part for target in targets for part in ("--target", target)]
        template = ["--template", sample / "template.nii.gz"]
        if "--landmarks" not in options:
            template += ["--landmarks", sample / "template.mrk.json"]
        return samlandmark("transfer", *template, *given, "--output", output, *options, **process)

    return run


@pytest.fixture
def result() -> TransferResult:
    """A result with one landmark of each status."""
    position = np.array([1.23456, -20.0, 300.0])
    items = (
        TransferredLandmark(
            "carina", position, Status.FOUND, 0.91234, 0.8, 1.5, (Candidate(position, 0.8),), "", 2.3456
        ),
        TransferredLandmark(
            "nodule, left", position + 1, Status.DOUBTFUL, 0.4, 0.5, 12.0, (), "cycle distance 12 mm"
        ),
        TransferredLandmark(
            "bladder", None, Status.MISSING, 0.0, np.nan, np.nan, (), "outside field of view"
        ),
    )
    provenance = {
        "model": {"version": "0"},
        "spread": np.float32(2.5),
        "grid": np.arange(3),
        "nothing": np.nan,
    }
    return TransferResult("baseline", "followup", items, provenance)
