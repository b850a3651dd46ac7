"""The environment of the processes that are timed: every peer may use all cores."""

from __future__ import annotations

import os

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_ITK_VARIABLE = "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"


def usable_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def all_cores() -> dict[str, str]:
    """This process's environment with as many threads as cores, whatever was set before."""
    count = str(usable_cores())
    # threads that spin while they wait take the cores away from whatever else runs there
    passive = {"OMP_WAIT_POLICY": "PASSIVE"}
    return passive | dict(os.environ) | {name: count for name in (*_THREAD_VARIABLES, _ITK_VARIABLE)}
