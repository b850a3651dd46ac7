"""Which executor does the jobs of a study, and how many threads each of its workers gets."""

from __future__ import annotations

from ...utils.threads import usable_cores
from ..pending import StudyRequest
from . import Executor


def open_executor(request: StudyRequest, workers: int, scheduler: str | None = None) -> Executor:
    """This process for 0 `workers`, else so many child processes; or the Dask cluster of a `scheduler`."""
    # only the one that is needed, for each brings its own libraries along
    if scheduler is not None:
        from .cluster import ClusterExecutor

        return ClusterExecutor(request.settings, scheduler)
    if workers == 0:
        from .in_process import InProcessExecutor

        return InProcessExecutor(request.settings)
    from .processes import ProcessExecutor

    return ProcessExecutor(request.settings, workers)


def default_threads(workers: int, scheduler: str | None = None) -> int:
    """This computer's cores shared out among the workers; those of a cluster take one, as Dask has it."""
    return 1 if scheduler is not None else max(1, usable_cores() // max(1, workers))
