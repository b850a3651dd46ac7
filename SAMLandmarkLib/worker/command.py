"""Which Python a worker runs in."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SLICER_LAUNCHER = "PythonSlicer"
SLICER_PYTHON = "python-real"


def worker_command(python: Sequence[str] | None, environment: Mapping[str, str] | None = None) -> list[str]:
    """The command of a Python, by default of this one, such that it works from any folder.

    In place of Slicer's launcher it is the Python behind it: on Windows the launcher passes no input on, and on all
    systems it hides how its Python ended. That Python needs the environment that a running Slicer has.
    """
    program, *arguments = python or [sys.executable]
    path = Path(program)
    if path.name == program:
        return [program, *arguments]  # a bare name, to be looked for by the system
    real = path.with_name(SLICER_PYTHON + path.suffix)
    inside_slicer = "SLICER_HOME" in (os.environ if environment is None else environment)
    if path.stem == SLICER_LAUNCHER and inside_slicer and real.is_file():
        path = real
    return [str(path.absolute()), *arguments]
