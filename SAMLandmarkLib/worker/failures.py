"""Why a worker process ended or could not be used, as a kind for programs and one sentence for people."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from ..utils.failures import CRASH, DISK, INSTALLATION, MEMORY, VOLUME
from ..utils.translation import _

CANCELLED = "cancelled"
FORGOTTEN = "forgotten"
START = "start"

_OUT_OF_MEMORY_CODES = (-9, 137, 0xC0000017)
_ILLEGAL_INSTRUCTION_CODES = (-4, 132, 0xC000001D)


def describe_exit(code: int | None, started: bool, command: str) -> tuple[str, str]:
    """Kind and sentence of a worker that ended on its own with an exit code, negative for a POSIX signal."""
    if code in _OUT_OF_MEMORY_CODES:
        return MEMORY, _(
            "The worker was ended by the system, most likely because memory ran out; close other programs, or set a "
            "lower memory limit under Advanced, and try again."
        )
    if code in _ILLEGAL_INSTRUCTION_CODES:
        return INSTALLATION, _(
            "This computer's processor lacks instructions that the installed PyTorch needs (AVX2, for example); "
            "install a build of PyTorch made for older processors, or use another computer."
        )
    how = _exit_text(code)
    if not started:
        ended = _(
            "The worker could not be started: {command} ended at once ({how}); check the Python that it names."
        )
        return START, ended.format(command=command, how=how)
    crashed = _("The worker crashed ({how}); nothing else was harmed, and the next request starts a new one.")
    return CRASH, crashed.format(how=how)


def describe_start_error(error: OSError, command: str) -> tuple[str, str]:
    """Kind and sentence of a worker whose program the system can't run."""
    impossible = _(
        "The worker could not be started: {command} can't be run ({reason}); check that this Python is installed."
    )
    return START, impossible.format(command=command, reason=error.strerror or error)


def describe_silence() -> tuple[str, str]:
    """Kind and sentence of a worker that is asked nothing."""
    return START, _(
        "The worker was started, but what it is asked does not reach it: its Python is behind a launcher that passes "
        "no input on; name the Python itself (python-real in Slicer's folder bin)."
    )


def describe_write_error(error: OSError, folder: Path) -> tuple[str, str]:
    """Kind and sentence of a scan that can't be handed to the worker through its folder."""
    unwritten = _("A scan can't be written to {folder} ({reason}); check that its disk is not full.")
    return DISK, unwritten.format(folder=folder, reason=error.strerror or error)


def describe_unsendable(error: Exception, names: Sequence[str]) -> tuple[str, str]:
    """Kind and sentence of a request about scans that holds what no request can, such as a place that is no number."""
    wrong = _(
        "The worker can't be asked about {names}: a number of a scan's map or of a point is not finite ({reason})."
    )
    return VOLUME, wrong.format(names=", ".join(names), reason=error)


def _exit_text(code: int | None) -> str:
    if code is None:
        return _("no exit code")
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return _("signal {number}").format(number=-code)
    return _("exit code {number}").format(number=f"{code:#x}" if code > 0xFFFF else code)
