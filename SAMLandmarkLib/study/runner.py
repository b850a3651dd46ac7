"""Runs a study: hands jobs to an executor, writes each result, then records it; and goes on where a run stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UsageError
from ..failures import INTERNAL, LANDMARKS, VOLUME
from ..files import sha256_of
from ..results import require_writable
from ..target_names import MARKUPS_SUFFIX
from ..worker_settings import WorkerSettings
from .executors import Executor
from .inputs import InputCheck, fingerprint
from .jobs import Job, JobResult
from .ledger import LEDGER_NAME, Entry, Ledger, State
from .outcome import StudyOutcome
from .plan import StudyPlan
from .results_writer import write_scan, write_study

LOCK_NAME = "study.lock"
_POLL_SECONDS = 0.5
_FINAL_FAILURES = (VOLUME, LANDMARKS)
"""Kinds of failures that come again as long as the files are the same."""

OpenExecutor = Callable[[], Executor]


@dataclass(frozen=True)
class StudyRequest:
    """A study to run: the plan, the folder of its results, and how to compute.

    `csv_frame` is the frame of landmarks in .csv files; with `resume` a run in the same folder is gone on with.
    """

    plan: StudyPlan
    output: Path
    settings: WorkerSettings = WorkerSettings()
    csv_frame: str | None = None
    resume: bool = False


@dataclass(frozen=True)
class StudyProgress:
    """How far a run is: scans by state, which scan has just ended, and how many seconds are left, if that is known."""

    counts: Mapping[State, int]
    last: Entry | None
    seconds_left: float | None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """How many scans need nothing more."""
        return self.total - self.counts[State.QUEUED] - self.counts[State.RUNNING]


def scans_to_do(request: StudyRequest, ledger: Ledger) -> dict[str, str]:
    """Why each scan has to be computed, by its key; those that are done or failed for good are not in it."""
    entries, check, settings = ledger.entries(), InputCheck(), result_settings(request)
    reasons = {}
    for patient, scan in request.plan:
        job, entry = Job(scan, patient.templates, request.csv_frame), entries.get(scan.key)
        if (reason := _reason_to_do(request.output, job, entry, check, settings)) is not None:
            reasons[scan.key] = reason
    return reasons


class StudyRun:
    """One run; `open_executor` is called when there is something to do.

    Raises UsageError where another run works in the folder, or where it holds a study and `resume` is not set, and
    OutputError where it can't be written to.
    """

    def __init__(self, request: StudyRequest, open_executor: OpenExecutor) -> None:
        self._request, self._open_executor = request, open_executor
        self._settings = result_settings(request)
        self._places = {scan.key: (patient, scan) for patient, scan in request.plan}

    def carry_out(
        self,
        on_progress: Callable[[StudyProgress], None] = lambda progress: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> StudyOutcome:
        """Do all that is to be done and return the study as it is then.

        Scans that fail are recorded and don't stop the others. As soon as `stopped()` is true, no more results are
        taken, and the tables are written about what is there. Raises SAMLandmarkError where nothing can be computed or
        written; what has been recorded stays.
        """
        folder = require_writable(self._request.output)
        with study_lock(folder), Ledger.write(folder) as ledger:
            begun = any(state is not State.QUEUED for state, _ in ledger.states().values())
            if begun and not self._request.resume:
                raise UsageError(
                    f"{folder} already holds a study; go on with it by --resume, or choose another output folder."
                )
            ledger.set_study(self._request.plan, self._recorded_settings())
            todo = scans_to_do(self._request, ledger)
            ledger.queue(todo)
            try:
                if todo:
                    self._do(list(todo), ledger, on_progress, stopped)
            finally:
                ledger.queue(key for key, (state, _) in ledger.states().items() if state is State.RUNNING)
            outcome = StudyOutcome.read(folder)
            write_study(outcome)
        return outcome

    def _do(
        self,
        keys: list[str],
        ledger: Ledger,
        on_progress: Callable[[StudyProgress], None],
        stopped: Callable[[], bool],
    ) -> None:
        counter = _Counter(ledger, len(keys))
        waiting, in_hand = iter(keys), set()
        with closing(self._open_executor()) as executor:
            on_progress(counter.progress())
            more = True
            while (more or in_hand) and not stopped():
                while more and len(in_hand) < executor.capacity:
                    key = next(waiting, None)
                    if key is None:
                        more = False
                        break
                    ledger.begin(key)
                    in_hand.add(key)
                    patient, scan = self._places[key]
                    executor.submit(Job(scan, patient.templates, self._request.csv_frame))
                for done in executor.results(_POLL_SECONDS):
                    in_hand.discard(done.key)
                    entry = self._recorded(done, ledger)
                    on_progress(counter.progress(entry))

    def _recorded(self, done: JobResult, ledger: Ledger) -> Entry:
        """Write the files of a result, then record it."""
        files = {}
        if done.result is not None:
            patient, scan = self._places[done.key]
            before = ledger.entries()[done.key].files
            files = write_scan(self._request.output, patient, scan, done, self._settings, before)
        entry = Entry(
            done.key,
            done.state,
            done.kind,
            done.reason,
            worker=done.worker,
            fingerprint=fingerprint(self._settings, done.inputs),
            files=files,
            seconds=done.seconds,
        )
        ledger.end(entry)
        return entry

    def _recorded_settings(self) -> dict[str, Any]:
        settings = self._request.settings
        return {
            **self._settings,
            "device": settings.device,
            "max_memory": settings.max_memory,
            "model": None if settings.model is None else str(settings.model),
        }


def result_settings(request: StudyRequest) -> dict[str, Any]:
    """The settings that a result depends on; with others it would come out the same."""
    from ..model.model_card import bundled_model

    model = request.settings.model or bundled_model()
    return {
        "samlandmark_version": __version__,
        "model_sha256": sha256_of(model),
        "profile": request.settings.profile,
        "csv_frame": request.csv_frame,
    }


@contextmanager
def study_lock(folder: Path) -> Iterator[None]:
    """Keep other runs out of a study's folder; the system lets go of the lock when a run dies. Raises UsageError."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / LOCK_NAME, timeout=0):
            yield
    except Timeout as error:
        raise UsageError(
            f"Another run is at work in {folder}; wait until it ends, stop it, or choose another output folder."
        ) from error


def has_study(folder: Path) -> bool:
    """Whether there is a study in a folder."""
    return (folder / LEDGER_NAME).is_file()


class _Counter:
    """Counts what is done in a run, and estimates from it how long the rest takes."""

    def __init__(self, ledger: Ledger, todo: int) -> None:
        self._ledger, self._todo, self._ended = ledger, todo, 0
        self._started = time.monotonic()

    def progress(self, last: Entry | None = None) -> StudyProgress:
        self._ended += last is not None
        states = [state for state, _ in self._ledger.states().values()]
        counts = {state: states.count(state) for state in State}
        elapsed = time.monotonic() - self._started
        left = elapsed / self._ended * (self._todo - self._ended) if self._ended else None
        return StudyProgress(counts, last, left)


def _reason_to_do(
    folder: Path, job: Job, entry: Entry | None, check: InputCheck, settings: Mapping[str, Any]
) -> str | None:
    """Why a scan has to be computed, None where it has not."""
    if entry is None or entry.state is State.QUEUED:
        return "not done yet"
    if entry.state is State.RUNNING:
        return "was in work when a run ended"
    if entry.state is State.SKIPPED or (entry.state is State.FAILED and entry.kind not in _FINAL_FAILURES):
        return f"failed ({entry.kind or INTERNAL})"
    if not check.is_current(entry.fingerprint, settings, job):
        return "scan, template, landmarks, model or settings changed"
    if not all(_is_intact(folder / name, digest) for name, digest in entry.files.items()):
        return "its results are missing or damaged"
    return None


def _is_intact(path: Path, digest: str) -> bool:
    # markups may have been corrected by a reader, which is no reason to compute them again
    return path.is_file() and (path.name.endswith(MARKUPS_SUFFIX) or sha256_of(path) == digest)
