"""Workers: real child processes on a part of the bundled sample that is small enough to be quick."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.worker import ScanData, WorkerClient, WorkerFailure, WorkerTransferRequest

PATIENCE_SECONDS = 120.0
"""Long enough for a busy machine; a test that needs this long has failed."""


def cropped(volume: Volume, start_ijk: tuple[int, int, int], stop_ijk: tuple[int, int, int]) -> Volume:
    """The part of a volume between two indices."""
    box = tuple(slice(low, high) for low, high in zip(start_ijk[::-1], stop_ijk[::-1], strict=True))
    affine = volume.ijk_to_lps.copy()
    affine[:3, 3] = volume.lps_from_index(start_ijk)
    return Volume(np.ascontiguousarray(volume.array[box]), affine, volume.name)


def scan_data(key: str, volume: Volume) -> ScanData:
    """A volume as it is handed to a worker."""
    return ScanData(key, volume.name, volume.array, volume.ijk_to_lps)


@pytest.fixture(scope="session")
def template(sample_template: Volume) -> Volume:
    """The middle of the bundled template."""
    return cropped(sample_template, (85, 90, 0), (180, 210, 90))


@pytest.fixture(scope="session")
def followup(sample_followup: Volume) -> Volume:
    """The middle of the bundled follow-up."""
    return cropped(sample_followup, (85, 90, 0), (180, 210, 90))


@pytest.fixture(scope="session")
def request_for(sample_landmarks: LandmarkSet) -> Callable[..., WorkerTransferRequest]:
    """A function that makes the request for some of the sample's landmarks from "template" to a target."""

    def make(target: str = "followup", count: int | None = None, **more: object) -> WorkerTransferRequest:
        labels, points = sample_landmarks.labels[:count], sample_landmarks.positions_lps[:count]
        return WorkerTransferRequest("template", labels, points, target, **more)

    return make


@dataclass
class Told:
    """What callbacks were told, in order."""

    done: list = field(default_factory=list)
    failed: list[WorkerFailure] = field(default_factory=list)
    progress: list[tuple[str, str, float]] = field(default_factory=list)

    @property
    def callbacks(self) -> dict[str, Callable]:
        """To be given to a request of a client."""
        return {
            "on_done": self.done.append,
            "on_failed": self.failed.append,
            "on_progress": lambda *progress: self.progress.append(progress),
        }

    @property
    def failure(self) -> WorkerFailure:
        """The one failure there was, and nothing else."""
        assert not self.done
        (failure,) = self.failed
        assert failure.message.endswith(".")
        return failure

    @property
    def result(self) -> object:
        """The one result there was, and nothing else."""
        assert not self.failed, self.failed
        (result,) = self.done
        return result


def poll_until(client: WorkerClient, happened: Callable[[], object]) -> None:
    """Poll as a timer would until something happened."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < end, f"nothing happened; the worker's log says: {client.log_tail()}"
        client.poll()
        time.sleep(0.005)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def make_client(tmp_path) -> Iterator[Callable[..., WorkerClient]]:
    """A function that makes clients, which are closed at the end."""
    clients = []

    def make(*arguments: object, **options: object) -> WorkerClient:
        clients.append(WorkerClient(*arguments, folder=tmp_path, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def warm_client(tmp_path_factory, template, followup) -> Iterator[WorkerClient]:
    """A client whose worker has embedded "template" and "followup"; tests must leave it like that."""
    client = WorkerClient(folder=tmp_path_factory.mktemp("worker"))
    told = Told()
    client.embed(scan_data("template", template), **told.callbacks)
    client.embed(scan_data("followup", followup), **told.callbacks)
    assert client.wait(PATIENCE_SECONDS)
    assert not told.failed
    yield client
    client.close()
