"""Runs a study: hands jobs to an executor, writes each result, then records it; and goes on where a run stopped."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from ..io.result_files import require_writable
from ..utils.errors import OutputError, SAMLandmarkError, UsageError
from ..utils.failures import DISK
from .executors import Executor
from .input_check import fingerprint
from .jobs import JobResult
from .ledger import Entry, Ledger, State
from .outcome import StudyOutcome
from .output_folder import refuse_foreign_files, remove_leftovers, study_lock
from .pending import StudyRequest, outdated_scans
from .results_writer import write_scan, write_study
from .study_progress import ProgressCounter, StudyProgress

_POLL_SECONDS = 0.5
_NO_MORE_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
"""Errors of the system that the next scan's results would meet too."""

OpenExecutor = Callable[[], Executor]
OnProgress = Callable[[StudyProgress], None]


class StudyRun:
    """One run; `open_executor` is called when there is something to do."""

    def __init__(self, request: StudyRequest, open_executor: OpenExecutor) -> None:
        self._request, self._open_executor = request, open_executor
        self._settings = request.result_settings
        self._jobs = request.jobs
        self._patients = {scan.key: patient for patient, scan in request.plan}

    def carry_out(
        self,
        on_progress: OnProgress = lambda progress: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> StudyOutcome:
        """Do all that is to be done and return the study as it is then.

        Scans that fail are recorded and don't stop the others. As soon as `stopped()` is true, no more results are
        taken, and the tables are written about what is there. Raises UsageError where another run works in the folder,
        where it holds a study and `resume` is not set, or files that a result would overwrite; SAMLandmarkError where
        nothing can be computed or written. What has been recorded stays.
        """
        folder = require_writable(self._request.output)
        with study_lock(folder), Ledger.write(folder) as ledger:
            self._require_usable(folder, ledger)
            ledger.set_study(self._request.plan, self._recorded_settings())
            outdated = outdated_scans(self._request, ledger)
            ledger.queue(outdated)
            try:
                if outdated:
                    self._do(list(outdated), ledger, on_progress, stopped)
            except SAMLandmarkError:
                with suppress(SAMLandmarkError):
                    self._conclude(folder, ledger)
                raise
            return self._conclude(folder, ledger)

    def _require_usable(self, folder: Path, ledger: Ledger) -> None:
        begun = any(state is not State.QUEUED for state, _ in ledger.states().values())
        if begun and not self._request.resume:
            raise UsageError(
                f"{folder} already holds a study; go on with it by --resume, or choose another output folder."
            )
        if begun:
            self._request.require_same_source(ledger.settings)
        refuse_foreign_files(folder, self._request.plan, ledger.entries())
        remove_leftovers(folder, self._request.plan)

    def _conclude(self, folder: Path, ledger: Ledger) -> StudyOutcome:
        """Let what is still in work wait for the next run, and write the tables if there is anything to tell."""
        ledger.queue(key for key, (state, _) in ledger.states().items() if state is State.RUNNING)
        outcome = StudyOutcome.read(folder)
        if any(scan.state is not State.QUEUED for patient in outcome.patients for scan in patient.scans):
            write_study(outcome)
        return outcome

    def _do(
        self, keys: list[str], ledger: Ledger, on_progress: OnProgress, stopped: Callable[[], bool]
    ) -> None:
        states = ledger.states()
        counter = ProgressCounter((states[key][0] for key in self._jobs), len(keys))
        waiting, in_hand = keys[::-1], set()
        with closing(self._open_executor()) as executor:
            on_progress(counter.progress())
            while (waiting or in_hand) and not stopped():
                while waiting and len(in_hand) < executor.capacity:
                    key = waiting.pop()
                    ledger.begin(key)
                    counter.begun()
                    in_hand.add(key)
                    executor.submit(self._jobs[key])
                for done in executor.results(_POLL_SECONDS):
                    in_hand.discard(done.key)
                    on_progress(counter.ended(self._recorded(done, ledger)))

    def _recorded(self, done: JobResult, ledger: Ledger) -> Entry:
        """Write the files of a result, then record it."""
        files, state, kind, reason = {}, done.state, done.kind, done.reason
        begun = time.perf_counter()
        if done.result is not None:
            try:
                files = self._written(done, ledger)
            except OutputError as error:
                if getattr(error.__cause__, "errno", None) in _NO_MORE_WRITING:
                    raise
                # a name that this file system refuses, for example, is no reason to lose the other scans
                state, kind, reason = State.FAILED, DISK, str(error)
        entry = Entry(
            done.key,
            state,
            kind,
            reason,
            worker=done.worker,
            fingerprint=fingerprint(self._jobs[done.key], self._settings, done.inputs),
            files=files,
            seconds={**done.seconds, "write": round(time.perf_counter() - begun, 4)},
        )
        ledger.end(entry)
        return entry

    def _written(self, done: JobResult, ledger: Ledger) -> dict[str, str]:
        patient, scan = self._patients[done.key], self._jobs[done.key].scan
        before = ledger.entry(done.key).files
        return write_scan(self._request.output, patient, scan, done, self._settings, before)

    def _recorded_settings(self) -> dict[str, Any]:
        settings = self._request.settings
        return {
            **self._settings,
            "csv_frame": self._request.csv_frame,
            "device": settings.device,
            "max_memory": settings.max_memory,
            "threads": settings.threads,
            "model": None if settings.model is None else str(settings.model),
        }
