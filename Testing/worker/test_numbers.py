"""Numbers that are not finite fail the request that holds them, and no other."""

from __future__ import annotations

import os

import numpy as np
import pytest

from SAMLandmarkLib.worker import ScanData, WorkerTransferRequest
from SAMLandmarkLib.worker.private_folder import LOCK_NAME, PREFIX, PrivateFolder

from .conftest import PATIENCE_SECONDS, Told


@pytest.mark.parametrize("place", [(0, 3), (2, 2), (3, 3)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_map_that_is_not_finite_is_told_and_the_next_request_works(warm_client, request_for, place, value):
    affine = np.eye(4)
    affine[place] = value
    process, bad, fine = warm_client.process_id, Told(), Told()
    warm_client.embed(
        ScanData("bad", "Chest of May", np.zeros((30, 30, 30), np.int16), affine), **bad.callbacks
    )
    warm_client.transfer(request_for(count=1), **fine.callbacks)
    assert warm_client.wait(PATIENCE_SECONDS)
    assert "Chest of May" in bad.failure.message
    assert fine.result.answers
    assert warm_client.process_id == process
    warm_client.forget("bad")


def test_a_point_that_is_not_finite_is_told_or_missing_and_the_next_request_works(warm_client, request_for):
    process, odd, fine = warm_client.process_id, Told(), Told()
    points = np.array([[np.inf, 0.0, 0.0]])
    warm_client.transfer(WorkerTransferRequest("template", ["a"], points, "followup"), **odd.callbacks)
    warm_client.transfer(request_for(count=1), **fine.callbacks)
    assert warm_client.wait(PATIENCE_SECONDS)
    assert odd.failed or odd.result.answers[0].position_lps is None
    assert fine.result.answers
    assert warm_client.process_id == process


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of POSIX")
def test_a_pipe_in_the_temporary_folder_stops_no_start_and_stays(tmp_path):
    for number in range(2):
        folder = tmp_path / f"{PREFIX}{number}"
        folder.mkdir()
        os.mkfifo(folder / LOCK_NAME)
        os.utime(folder / LOCK_NAME, (0, 0))
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path)
    os.mkfifo(tmp_path / f"{PREFIX}pipe")
    # without a limit of time here: the whole test would hang where a pipe was opened
    folder = PrivateFolder(tmp_path)
    assert folder.path.is_dir()
    folder.remove()
    assert not folder.path.exists()
    assert (tmp_path / f"{PREFIX}0" / LOCK_NAME).exists()
    assert (tmp_path / f"{PREFIX}pipe").exists()
