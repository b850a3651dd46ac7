"""Does the jobs of a study in one process: the model stays loaded, templates stay embedded, two scans are in hand.

While one scan is embedded, the one before is matched and the next one read and resampled; memory holds two scans, however
long the study is.
"""

from __future__ import annotations

import os
import platform
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..engine.settings import WorkerSettings
from ..utils.errors import ModelError, SAMLandmarkError, VolumeWarning
from ..utils.failures import describe_exception
from ..utils.threads import torch_threads
from .inputs import InputState
from .jobs import JobResult, StudyJob
from .known_sources import KnownSource, KnownSources
from .ledger import State

if TYPE_CHECKING:
    from ..engine.scans import EmbeddedScan, PreparedScan

SCANS_AT_ONCE = 2
"""One is embedded, one is read. More would need more memory and gain nothing."""


class ScanWorker:
    """Does jobs, up to two at a time when it is called from several threads. Raises ModelError and UsageError."""

    def __init__(self, settings: WorkerSettings) -> None:
        # late, because the process that gives out the jobs needs none of it
        import torch

        from ..engine.runtime import EngineRuntime

        self._thread_count = settings.threads or torch.get_num_threads()
        # What looks wrong about a scan stands in its result.
        warnings.filterwarnings("ignore", category=VolumeWarning)
        self.settings = settings
        self._runtime = EngineRuntime(settings)
        self._name = f"{platform.node()}, process {os.getpid()}"
        self._in_hand = threading.BoundedSemaphore(SCANS_AT_ONCE)
        self._embedding = threading.Lock()
        self._sources = KnownSources(self._runtime, settings, self._embed_alone)

    def do(self, job: StudyJob) -> JobResult:
        """Do a job; whatever goes wrong with it is in the result."""
        with self._in_hand:
            watch = _Watch()
            inputs: dict[str, InputState] = {}
            try:
                with watch.timing("template"):
                    source = self._sources.of(job, inputs)
            except Exception as error:
                kind, reason = describe_exception(error)
                what = "atlas" if job.protocol else "template"
                return self._without_result(
                    job, State.SKIPPED, kind, f"Its {what} can't be used: {reason}", inputs
                )
            try:
                return self._find(job, source, inputs, watch)
            # Whatever goes wrong with one scan, out of memory included, must not lose the other scans.
            except Exception as error:
                return self._without_result(
                    job, State.FAILED, *describe_exception(error), inputs, watch.seconds
                )

    def _find(
        self, job: StudyJob, source: KnownSource, inputs: dict[str, InputState], watch: _Watch
    ) -> JobResult:
        with watch.timing("read"):
            inputs["target"] = InputState.of_scan(job.scan)
            volume = job.scan.read(self.settings.pixel_spacing_mm, self.settings.modality)
        with watch.timing("resample"):
            prepared = self._runtime.prepare(volume)
            del volume
        with watch.timing("wait"):
            self._embedding.acquire()
        try:
            with watch.timing("embed"):
                target = self._embed(prepared)
        finally:
            self._embedding.release()
        # one thread, as other numbers change the last digits: the table is the same with any number of workers
        with watch.timing("match"), torch_threads(1):
            result = source.found_in(target)
        with watch.timing("keep"):
            self._runtime.keep(target)
        seconds = dict(watch.seconds)
        return JobResult(
            job.key, State.DONE, self._name, result, source.template_lps, inputs=inputs, seconds=seconds
        )

    def _embed_alone(self, scan: PreparedScan) -> EmbeddedScan:
        with self._embedding:
            return self._embed(scan)

    def _embed(self, scan: PreparedScan) -> EmbeddedScan:
        with torch_threads(self._thread_count):
            return self._runtime.embed(scan)

    def _without_result(
        self,
        job: StudyJob,
        state: State,
        kind: str,
        reason: str,
        inputs: dict[str, InputState],
        seconds: dict[str, float] | None = None,
    ) -> JobResult:
        return JobResult(
            job.key, state, self._name, kind=kind, reason=str(reason), inputs=inputs, seconds=seconds or {}
        )


@dataclass
class _Watch:
    """How long each part of a job took, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = round(time.perf_counter() - started, 4)


_worker: ScanWorker | None = None
_making_worker = threading.Lock()


def worker_for(settings: WorkerSettings) -> ScanWorker:
    """This process's worker, made at the first call. Raises ModelError and UsageError where none can be made."""
    global _worker  # noqa: PLW0603  (one for each process of a pool)
    with _making_worker:
        if _worker is None or _worker.settings != settings:
            _worker = ScanWorker(settings)
        return _worker


def do_job(settings: WorkerSettings, job: StudyJob) -> JobResult:
    """Do a job with this process's worker; every executor calls this. Raises what `worker_for` raises."""
    return worker_for(settings).do(job)


def error_of_worker(error: BaseException) -> SAMLandmarkError:
    """What to tell where no job can be done at all, such as for want of a library; a job's own error is in its result."""
    return error if isinstance(error, SAMLandmarkError) else ModelError(str(describe_exception(error)[1]))
