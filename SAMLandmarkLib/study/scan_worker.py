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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..core.landmarks import LandmarkSet
from ..core.volume import Volume
from ..engine.settings import WorkerSettings
from ..review.item import point_or_none
from ..utils.errors import LandmarkError, ModelError, SAMLandmarkError, VolumeError, VolumeWarning
from ..utils.failures import describe_exception
from ..utils.recently_used import RecentlyUsed
from ..utils.threads import torch_threads
from .inputs import InputState, stamp_of, watched_files
from .jobs import JobResult, StudyJob
from .ledger import State
from .plan import Template

if TYPE_CHECKING:
    from ..engine.scans import EmbeddedScan, PreparedScan

SCANS_AT_ONCE = 2
"""One is embedded, one is read. More would need more memory and gain nothing."""
TEMPLATES_KEPT = 4


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
        self._templates = _Templates(self._embedded_template)

    def do(self, job: StudyJob) -> JobResult:
        """Do a job; whatever goes wrong with it is in the result."""
        with self._in_hand:
            watch = _Watch()
            inputs: dict[str, InputState] = {}
            try:
                with watch.timing("template"):
                    templates = self._known_templates(job, inputs)
            except Exception as error:
                kind, reason = describe_exception(error)
                return self._without_result(
                    job, State.SKIPPED, kind, f"Its template can't be used: {reason}", inputs
                )
            try:
                return self._carry(job, templates, inputs, watch)
            # Whatever goes wrong with one scan, out of memory included, must not lose the other scans.
            except Exception as error:
                return self._without_result(
                    job, State.FAILED, *describe_exception(error), inputs, watch.seconds
                )

    def _carry(
        self, job: StudyJob, templates: list[_KnownTemplate], inputs: dict[str, InputState], watch: _Watch
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
            first, *others = templates
            extra = [(template.scan, template.landmarks) for template in others]
            result = self._runtime.transfer(first.scan, first.landmarks, target, extra)
        with watch.timing("keep"):
            self._runtime.keep(target)
        points = {item.label: point_or_none(item.position_lps) for item in first.landmarks}
        return JobResult(
            job.key, State.DONE, self._name, result, points, inputs=inputs, seconds=dict(watch.seconds)
        )

    def _embed(self, scan: PreparedScan) -> EmbeddedScan:
        with torch_threads(self._thread_count):
            return self._runtime.embed(scan)

    def _known_templates(self, job: StudyJob, inputs: dict[str, InputState]) -> list[_KnownTemplate]:
        known = []
        for number, template in enumerate(job.templates):
            known.append(self._templates.get(template, job.csv_frame))
            inputs[f"template {number}"], inputs[f"landmarks {number}"] = known[-1].inputs
        return known

    def _embedded_template(self, template: Template, csv_frame: str | None) -> _KnownTemplate:
        states = InputState.of_scan(template.scan), InputState.of([template.landmarks])
        landmarks = LandmarkSet.read(template.landmarks, csv_frame)
        volume = template.scan.read(self.settings.pixel_spacing_mm, self.settings.modality)
        _require_inside(landmarks, volume, template)
        # Several processes want the same template at the same time; one embeds it, the others take it from the cache.
        with self._runtime.claimed(template.scan.key):
            prepared = self._runtime.prepare(volume)
            with self._embedding:
                embedded = self._embed(prepared)
            self._runtime.keep(embedded)
        return _KnownTemplate(embedded, landmarks, states)

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


def _require_inside(landmarks: LandmarkSet, volume: Volume, template: Template) -> None:
    points = [item.position_lps for item in landmarks if item.position_lps is not None]
    if not any(volume.contains_lps(point) for point in points):
        raise LandmarkError(
            f"{template.landmarks}: none of its {len(points)} points lies inside {template.scan.path}; check that they "
            "belong to this scan and that their frame (LPS or RAS) is right."
        )


@dataclass(frozen=True, eq=False)
class _KnownTemplate:
    """A template ready for use, with the states of its scan and of its landmarks' file."""

    scan: EmbeddedScan
    landmarks: LandmarkSet
    inputs: tuple[InputState, InputState]


class _Templates:
    """The templates used last, and the errors of those that can't be used; only one thread makes one at a time."""

    def __init__(self, make: Callable[[Template, str | None], _KnownTemplate]) -> None:
        self._make = make
        self._making = threading.Lock()
        self._known = RecentlyUsed[tuple[Template, str | None, str | None], _KnownTemplate | Exception](
            TEMPLATES_KEPT
        )

    def get(self, template: Template, csv_frame: str | None) -> _KnownTemplate:
        with self._making:
            # a worker may outlive a study, and the files of a template may change between two of them
            key = (template, csv_frame, _stamp_or_none(template))
            known = self._known.get(key, lambda: self._made(template, csv_frame))
        if isinstance(known, Exception):
            raise known
        return known

    def _made(self, template: Template, csv_frame: str | None) -> _KnownTemplate | Exception:
        try:
            return self._make(template, csv_frame)
        except (VolumeError, LandmarkError) as error:
            return error


def _stamp_or_none(template: Template) -> str | None:
    try:
        return stamp_of([*watched_files(template.scan), template.landmarks])
    except OSError:
        return None


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
