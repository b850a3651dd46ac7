"""The environment of the processes that are timed: every baseline may use all cores."""

from __future__ import annotations

import os

from ...utils.threads import usable_cores

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_ITK_VARIABLE = "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"


def all_cores() -> dict[str, str]:
    """This process's environment with as many threads as cores, whatever was set before."""
    count = str(usable_cores())
    # threads that spin while they wait take the cores away from whatever else runs there
    passive = {"OMP_WAIT_POLICY": "PASSIVE"}
    return passive | dict(os.environ) | dict.fromkeys((*_THREAD_VARIABLES, _ITK_VARIABLE), count)
