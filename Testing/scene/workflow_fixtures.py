"""Fixtures of the workflow on pieces of the bundled scans, with the real worker."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from scene_steps import TIMEOUT, fill, nodes_of, piece

from SAMLandmarkLib.core.geometry import affine_from_parts
from SAMLandmarkLib.session import TransferSession
from SAMLandmarkLib.worker import WorkerClient, WorkerSettings


@pytest.fixture(scope="session")
def settings(tmp_path_factory) -> WorkerSettings:
    """A worker that keeps embeddings on disk, so that the many tests don't compute them again."""
    return WorkerSettings(device="cpu", threads=2, cache_folder=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def worker(settings) -> Iterator[WorkerClient]:
    client = WorkerClient(settings)
    yield client
    client.close()


@pytest.fixture(scope="session")
def scans(sample_template, sample_followup) -> dict[str, tuple[np.ndarray, np.ndarray, str]]:
    """Array, map and date of three scans; June is May stored from feet to head and from left to right."""
    april = piece(sample_template, (85, 110, 5), (105, 105, 70))
    array, ijk_to_lps = piece(sample_followup, (88, 118, 8), (105, 104, 72))
    turned = ijk_to_lps @ affine_from_parts((104, 0, 71), (1, 1, 1), np.diag([-1.0, 1.0, -1.0]))
    june = (np.ascontiguousarray(array[::-1, :, ::-1]), turned)
    return {
        "April": (*april, "20230411"),
        "May": (array, ijk_to_lps, "20230514"),
        "June": (*june, "20230620"),
    }


@pytest.fixture(scope="session")
def places(sample_landmarks) -> dict[str, np.ndarray]:
    """Where the landmarks are in the template, LPS mm."""
    return {mark.label: mark.position_lps for mark in sample_landmarks}


@pytest.fixture(scope="session")
def truth(sample_truth) -> dict[str, np.ndarray]:
    """Where they are in the follow-ups, found independently, LPS mm."""
    return {mark.label: mark.position_lps for mark in sample_truth}


@pytest.fixture
def case(scene, scans, places, truth) -> SimpleNamespace:
    """Template, its landmarks and two follow-ups in the scene, and what is known of them."""
    fill(scene, scans, places)
    return nodes_of(scene, places, truth)


@pytest.fixture(scope="session")
def saved_scene(_another_slicer_like, worker, scans, places, tmp_path_factory) -> str:
    """The case after its transfer, saved."""
    scene, path = _another_slicer_like.scene, str(tmp_path_factory.mktemp("scene") / "transferred.mrb")
    fill(scene, scans, places)
    session = TransferSession(scene, worker, "AB")
    session.set_template(scene.GetFirstNodeByName("April"), scene.GetFirstNodeByName("Landmarks"))
    session.set_follow_ups([scene.GetFirstNodeByName(name) for name in ("June", "May")])
    session.transfer()
    assert worker.wait(TIMEOUT) and scene.WriteToMRB(path, None)
    session.close()
    scene.Clear(False)
    return path


@pytest.fixture
def loaded(scene, saved_scene, places, truth) -> SimpleNamespace:
    """The case after its transfer, loaded."""
    assert scene.ReadFromMRB(saved_scene, True)
    return nodes_of(scene, places, truth)


@pytest.fixture
def session(scene, worker) -> Iterator[TransferSession]:
    """A session that is not set up."""
    session = TransferSession(scene, worker, who="AB")
    yield session
    session.close()


@pytest.fixture
def ready(session, case) -> TransferSession:
    """A session with template and both follow-ups, before the transfer."""
    session.set_template(case.april, case.markups)
    session.set_follow_ups([case.june, case.may])
    return session


@pytest.fixture
def just_transferred(ready, worker) -> TransferSession:
    """A session that has just made its first transfer."""
    ready.transfer()
    assert worker.wait(TIMEOUT)
    return ready


@pytest.fixture
def transferred(loaded, session) -> TransferSession:
    """A session that took up the review of a transfer."""
    assert session.restore()
    return session
