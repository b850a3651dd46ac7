"""What the tests of a study share: one study of small real scans, and what comes of it when nothing disturbs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

if (folder := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, folder)

from SAMLandmarkLib.engine.settings import WorkerSettings
from SAMLandmarkLib.evaluation.demo_study import write_small_study
from SAMLandmarkLib.study.executors.in_process import InProcessExecutor
from SAMLandmarkLib.study.manifest import read_manifest
from SAMLandmarkLib.study.outcome import StudyOutcome
from SAMLandmarkLib.study.pending import StudyRequest
from SAMLandmarkLib.study.plan import StudyPlan
from SAMLandmarkLib.study.runner import StudyRun

PATIENTS, FOLLOW_UPS = 3, 2


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of a study of three patients with two follow-ups each; not to be changed."""
    return write_small_study(tmp_path_factory.mktemp("small-study"), PATIENTS, FOLLOW_UPS, size_mm=96.0)


@pytest.fixture(scope="session")
def two_patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study of two patients with two follow-ups each; not to be changed."""
    return write_small_study(tmp_path_factory.mktemp("two-patients"), 2, 2, size_mm=80.0).parent


@pytest.fixture
def own_study(tmp_path: Path, two_patients: Path) -> Path:
    """The manifest of a copy of that study, which a test may spoil."""
    return Path(shutil.copytree(two_patients, tmp_path / "study")) / "manifest.csv"


@pytest.fixture(scope="session")
def study_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of embeddings that all tests use."""
    return tmp_path_factory.mktemp("embeddings")


@pytest.fixture(scope="session")
def study_settings(study_cache: Path) -> WorkerSettings:
    """How the tests compute: with one thread, as the last digits of float32 depend on their number."""
    return WorkerSettings(device="cpu", cache_folder=study_cache, threads=1)


@pytest.fixture(scope="session")
def run_study(study_settings: WorkerSettings) -> Callable[..., StudyOutcome]:
    """A function that runs a manifest or a plan in this process, and returns what came of it."""

    def run(study: Path | StudyPlan, output: Path, resume: bool = False, **settings: object) -> StudyOutcome:
        plan = study if isinstance(study, StudyPlan) else read_manifest(study).plan
        chosen = WorkerSettings(**{**vars(study_settings), **settings})
        request = StudyRequest(plan, output, chosen, resume=resume)
        return StudyRun(request, lambda: InProcessExecutor(chosen)).carry_out()

    return run


@pytest.fixture(scope="session")
def undisturbed(small_study: Path, run_study: Callable[..., StudyOutcome], tmp_path_factory) -> StudyOutcome:
    """What comes of the small study when nothing disturbs it; not to be changed."""
    # embeddings of other tests may have been computed with more threads, and differ in the last digits
    return run_study(
        small_study,
        tmp_path_factory.mktemp("undisturbed"),
        cache_folder=tmp_path_factory.mktemp("undisturbed-embeddings"),
    )
