"""Jobs on the workers of a Dask cluster."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from ...engine.settings import WorkerSettings
from ...utils.errors import SAMLandmarkError, UsageError
from ...utils.failures import CRASH, INSTALLATION, MODEL, USAGE, describe_exception
from ..jobs import JobResult, StudyJob
from ..ledger import State
from ..scan_worker import SCANS_AT_ONCE, do_job

if TYPE_CHECKING:
    from distributed import Client, Future

_CONNECT_SECONDS = 10
_OF_THE_WORKER = (INSTALLATION, MODEL, USAGE)
"""Kinds of errors that say that a worker can't work at all."""


class ClusterExecutor:
    """Does jobs on a Dask cluster, which gives those of a lost worker to another by itself.

    Each worker reads scans and keeps embeddings on its own; only results travel. Raises UsageError where the scheduler
    can't be reached.
    """

    def __init__(self, settings: WorkerSettings, scheduler: str) -> None:
        self._client = _connected(scheduler)
        self._settings = settings
        self._running: dict[Future, StudyJob] = {}
        self._done: queue.SimpleQueue[Future] = queue.SimpleQueue()

    @property
    def capacity(self) -> int:
        # a client that has lost its scheduler knows of no workers; whatever comes next says so
        workers = self._client.scheduler_info(n_workers=-1).get("workers", {})
        # one more than each has in hand, so that none waits for the network
        return max(1, len(workers)) * (SCANS_AT_ONCE + 1)

    def submit(self, job: StudyJob) -> None:
        self._require_scheduler()
        # a result is never taken from an earlier run of the same job
        future = self._client.submit(do_job, self._settings, job, pure=False)
        self._running[future] = job
        future.add_done_callback(self._done.put)

    def results(self, timeout: float) -> list[JobResult]:
        try:
            done = [self._done.get(timeout=timeout)]
        except queue.Empty:
            self._require_scheduler()
            return []
        with suppress(queue.Empty):
            while True:
                done.append(self._done.get_nowait())
        return [result for future in done for result in self._results_of(future)]

    def close(self) -> None:
        with suppress(Exception):
            self._client.cancel(list(self._running), force=True)
        self._client.close()

    def _results_of(self, future: Future) -> Iterator[JobResult]:
        job = self._running.pop(future)
        if future.status == "finished":
            yield future.result()
        elif future.status == "error":
            yield _failure(job, future.exception())
        else:
            self._require_scheduler()
            self.submit(job)

    def _require_scheduler(self) -> None:
        if self._client.status not in ("running", "connecting"):
            raise SAMLandmarkError(
                "The connection to the Dask scheduler was lost; what is done is kept, go on with --resume."
            )


def _connected(scheduler: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            "--scheduler needs Dask, which is not installed; install it with: pip install 'samlandmark[cluster]'"
        ) from error
    try:
        return Client(scheduler, timeout=_CONNECT_SECONDS, name="samlandmark")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"No Dask scheduler answers at {scheduler} ({error}); check the address and that it runs the same version "
            "of Dask."
        ) from error


def _failure(job: StudyJob, error: BaseException) -> JobResult:
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        reason = (
            "Every worker that was at work on this scan died, most likely because its memory ran out; give the "
            "workers more memory, or set --max-memory."
        )
        return JobResult(job.key, State.FAILED, "", kind=CRASH, reason=reason)
    kind, reason = describe_exception(error)
    if kind in _OF_THE_WORKER:
        raise SAMLandmarkError(f"The cluster's workers can't work: {reason}")
    return JobResult(job.key, State.FAILED, "", kind=kind, reason=str(reason))
