"""Jobs in child processes of this computer; one that dies takes nothing with it but the scan that killed it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection, wait

from ...engine.settings import WorkerSettings
from ...utils.child_processes import be_the_first_to_go
from ...utils.errors import ModelError, SAMLandmarkError
from ...utils.failures import CRASH, MEMORY
from ...utils.threads import usable_cores
from ..jobs import JobResult, StudyJob
from ..ledger import State
from ..scan_worker import SCANS_AT_ONCE, do_job, error_of_worker, worker_for

_LOSSES_ALLOWED = 1
"""A job is tried once more after its process died, alone, so that it does not take an innocent one along."""
_STARTS_IN_VAIN = 3
_READY = "ready"
"""What a process says as soon as it can do jobs: if it dies later, a job is to blame."""
_KILLED = 9
"""SIGKILL, which Windows has no name for."""
_CLOSING_SECONDS = 5.0
# fork would copy the threads' locks, and CUDA does not survive it
_CONTEXT = multiprocessing.get_context("spawn")


class ProcessExecutor:
    """Does jobs in `processes` children, each of which has its share of the processor unless the settings say more."""

    def __init__(self, settings: WorkerSettings, processes: int) -> None:
        if not settings.threads:
            settings = replace(settings, threads=max(1, usable_cores() // processes))
        self._lanes = [_Lane(settings) for _ in range(processes)]
        self._losses: Counter[str] = Counter()

    @property
    def capacity(self) -> int:
        return SCANS_AT_ONCE * len(self._lanes)

    def submit(self, job: StudyJob) -> None:
        min(self._lanes, key=lambda lane: lane.load).submit(job)

    def results(self, timeout: float) -> list[JobResult]:
        lanes = {lane.connection: lane for lane in self._lanes}
        return [result for ready in wait(lanes, timeout) for result in self._results_of(lanes[ready])]

    def close(self) -> None:
        for lane in self._lanes:
            lane.close()

    def _results_of(self, lane: _Lane) -> Iterator[JobResult]:
        try:
            answer = lane.receive()
        except (EOFError, OSError):
            yield from self._lose(lane)
            return
        if isinstance(answer, SAMLandmarkError):
            raise answer
        if isinstance(answer, JobResult):
            yield answer

    def _lose(self, lane: _Lane) -> Iterator[JobResult]:
        """Start a process again that died; what it was at is tried once more, or given up."""
        code, lost = lane.restart()
        for job in lost:
            self._losses[job.key] += 1
            if self._losses[job.key] > _LOSSES_ALLOWED:
                kind, reason = _describe_death(code)
                yield JobResult(job.key, State.FAILED, "", kind=kind, reason=reason)
            else:
                lane.submit_alone(job)


class _Lane:
    """A child process, and the jobs that it has."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._sent: dict[str, StudyJob] = {}
        self._alone: deque[StudyJob] = deque()
        self._starts_in_vain = 0
        self._start()

    @property
    def load(self) -> int:
        """How many jobs it has, in hand or waiting to be alone."""
        return len(self._sent) + len(self._alone)

    def submit(self, job: StudyJob) -> None:
        if self._alone:
            self._alone.append(job)
        else:
            self._send(job)

    def submit_alone(self, job: StudyJob) -> None:
        """Take a job that is to have the process for itself."""
        self._alone.append(job)
        self._send_next_alone()

    def receive(self) -> JobResult | SAMLandmarkError | str:
        """The next answer, or that the process is ready. Raises EOFError and OSError where the process is dead."""
        answer = self.connection.recv()
        self._starts_in_vain = 0
        if isinstance(answer, JobResult):
            del self._sent[answer.key]
            self._send_next_alone()
        return answer

    def restart(self) -> tuple[int | None, list[StudyJob]]:
        """Start anew; the exit code of the process that died, and the jobs it was at."""
        self._process.join(_CLOSING_SECONDS)
        code, lost = self._process.exitcode, list(self._sent.values())
        self._starts_in_vain += 1
        self.connection.close()
        if self._starts_in_vain > _STARTS_IN_VAIN:
            raise ModelError(f"The workers end as soon as they start. {_describe_death(code)[1]}")
        self._sent.clear()
        self._start()
        self._send_next_alone()
        return code, lost

    def close(self) -> None:
        self._process.kill()
        self._process.join(_CLOSING_SECONDS)
        self.connection.close()

    def _start(self) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(
            target=_serve, args=(theirs, self._settings), daemon=True, name="samlandmark study"
        )
        self._process.start()
        theirs.close()

    def _send(self, job: StudyJob) -> None:
        self._sent[job.key] = job
        try:
            self.connection.send(job)
        except OSError:
            return  # it has died; `receive` will find out

    def _send_next_alone(self) -> None:
        if self._alone and not self._sent:
            self._send(self._alone.popleft())


def _serve(connection: Connection, settings: WorkerSettings) -> None:
    """Do jobs until the other end is closed, which also happens when the program that asks is killed."""
    # Ctrl-C reaches the children too; the program decides what becomes of them
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    be_the_first_to_go()
    sending = threading.Lock()

    def answer_with(make: Callable[[], JobResult | str]) -> None:
        try:
            answer = make()
        except Exception as error:
            answer = error_of_worker(error)
        with sending, suppress(OSError):
            connection.send(answer)

    def start() -> str:
        worker_for(settings)
        return _READY

    answer_with(start)
    threads = ThreadPoolExecutor(SCANS_AT_ONCE)
    while True:
        try:
            job = connection.recv()
        except (EOFError, OSError):
            # not even the scan in hand is of use to anybody
            os._exit(0)
        threads.submit(answer_with, partial(do_job, settings, job))


def _describe_death(code: int | None) -> tuple[str, str]:
    if code == -_KILLED:
        return MEMORY, (
            "The process at work on this scan was ended by the system twice, most likely because memory ran out; run "
            "fewer workers, or set --max-memory."
        )
    how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    return (
        CRASH,
        f"The process at work on this scan crashed twice ({how}); try again, and report it if it stays.",
    )
