"""Who does the jobs of a study: this process, child processes, or a Dask cluster. All call the same `do_job`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..jobs import JobResult, StudyJob


class Executor(Protocol):
    """Takes jobs and gives back results in any order; every job that it took comes back once, done or not."""

    @property
    def capacity(self) -> int:
        """How many jobs it wants to have at a time."""

    def submit(self, job: StudyJob) -> None:
        """Take a job."""

    def results(self, timeout: float) -> Sequence[JobResult]:
        """The next results, as soon as there are any; none after `timeout` seconds.

        Raises SAMLandmarkError where no job can be done at all, such as for want of the model.
        """

    def close(self) -> None:
        """End; jobs without a result are dropped."""
