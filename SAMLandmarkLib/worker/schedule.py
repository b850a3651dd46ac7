"""What a worker does next: landmarks before embeddings, and first the scans that landmarks wait for.

Scans are embedded by one thread and landmarks found by another, so that a click need not wait for a scan of its
follow-ups that is being embedded in the background.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Embedded = TypeVar("Embedded")

_RANK = {"describe": 0, "test": 0, "transfer": 1, "locate": 1, "heat_map": 1, "embed": 2, "prepare": 3}
"""Lower comes first; within a rank, what was asked first."""


@dataclass(frozen=True)
class ScanRef:
    """A scan as requests describe it; `file` tells one version of its voxels from another."""

    file: str
    key: str = field(compare=False)
    name: str = field(compare=False)
    ijk_to_lps: list[list[float]] = field(compare=False)
    source: str | None = field(default=None, compare=False)
    modality: str = field(default="", compare=False)


@dataclass(frozen=True)
class WorkerJob:
    """A request: its number, what to do, the scans it is about, the rest of it."""

    id: int
    do: str
    scans: tuple[ScanRef, ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def from_request(cls, request: dict[str, Any]) -> WorkerJob:
        """Raises KeyError and TypeError where a request lacks something or has too much."""
        scans = tuple(ScanRef(**scan) for scan in request.get("scans", ()))
        rest = {name: value for name, value in request.items() if name not in ("id", "do", "scans")}
        return cls(request["id"], request["do"], scans, rest)


class Schedule(Generic[Embedded]):
    """The waiting jobs and the embedded scans; all methods may be called from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[WorkerJob] = []
        self._embedded: dict[str, Embedded] = {}
        self._forgotten: set[str] = set()

    def add(self, job: WorkerJob) -> None:
        """Let a job wait for its turn."""
        with self._changed:
            self._waiting.append(job)
            self._waiting.sort(key=lambda other: _RANK[other.do])
            self._changed.notify_all()

    def next_scan(self) -> ScanRef:
        """Wait for a scan that a job needs embedded, or that a job asks to be embedded, and return the first."""
        return self._wait_for(self._scan_to_embed)

    def embedded(self, scan: ScanRef) -> Embedded | None:
        """What a scan's embedding is, where it is ready."""
        with self._changed:
            return self._embedded.get(scan.file)

    def add_embedded(self, scan: ScanRef, embedded: Embedded) -> None:
        """Note that a scan is embedded, for the jobs that wait for it."""
        with self._changed:
            if scan.file not in self._forgotten:
                self._embedded[scan.file] = embedded
            self._changed.notify_all()

    def take_embedding_jobs(self, scan: ScanRef) -> list[WorkerJob]:
        """The jobs that asked for no more than the embedding of a scan, which wait no more."""
        with self._changed:
            return self._take(lambda job: job.do == "embed" and scan in job.scans)

    def jobs_with(self, scan: ScanRef) -> list[WorkerJob]:
        """The waiting jobs that need a scan."""
        with self._changed:
            return [job for job in self._waiting if scan in job.scans]

    def take_jobs_with(self, file: str) -> list[WorkerJob]:
        """The waiting jobs that need the scan in a file, which wait no more."""
        with self._changed:
            return self._take(lambda job: any(scan.file == file for scan in job.scans))

    def forget(self, file: str) -> list[WorkerJob]:
        """Drop the scan in a file; returns the jobs that waited for it and now wait no more."""
        with self._changed:
            self._forgotten.add(file)
            self._embedded.pop(file, None)
            return self.take_jobs_with(file)

    def next_job(self) -> tuple[WorkerJob, dict[str, Embedded]]:
        """Wait for a job other than embedding whose scans are all embedded, and take it, with those by key."""
        return self._wait_for(self._job_to_do)

    def _wait_for(self, choose: Callable[[], Any]) -> Any:
        with self._changed:
            while (chosen := choose()) is None:
                self._changed.wait()
            return chosen

    def _scan_to_embed(self) -> ScanRef | None:
        for job in self._waiting:
            for scan in job.scans:
                if job.do == "embed" or scan.file not in self._embedded:
                    return scan
        return None

    def _job_to_do(self) -> tuple[WorkerJob, dict[str, Embedded]] | None:
        for job in self._waiting:
            if job.do != "embed" and all(scan.file in self._embedded for scan in job.scans):
                self._waiting.remove(job)
                return job, {scan.key: self._embedded[scan.file] for scan in job.scans}
        return None

    def _take(self, wanted: Callable[[WorkerJob], bool]) -> list[WorkerJob]:
        taken = [job for job in self._waiting if wanted(job)]
        self._waiting = [job for job in self._waiting if job not in taken]
        return taken
