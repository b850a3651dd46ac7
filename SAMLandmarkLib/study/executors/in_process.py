"""Jobs in threads of this process."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ...engine.settings import WorkerSettings
from ..jobs import JobResult, StudyJob
from ..scan_worker import SCANS_AT_ONCE, do_job, error_of_worker


class InProcessExecutor:
    """Does jobs here; a crash of the engine ends the program, and closing waits for the scans in hand."""

    capacity = SCANS_AT_ONCE

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(SCANS_AT_ONCE, thread_name_prefix="study")
        self._running: set[Future[JobResult]] = set()

    def submit(self, job: StudyJob) -> None:
        self._running.add(self._threads.submit(do_job, self._settings, job))

    def results(self, timeout: float) -> list[JobResult]:
        done, self._running = wait(self._running, timeout, FIRST_COMPLETED)
        return [_result_of(future) for future in done]

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)


def _result_of(future: Future[JobResult]) -> JobResult:
    if (error := future.exception()) is not None:
        raise error_of_worker(error)
    return future.result()
