"""What went wrong in a worker, as a kind for programs and one sentence for people."""

from __future__ import annotations

import errno
import signal
import sys
from pathlib import Path

from ..errors import LandmarkError, ModelError, OutputError, SAMLandmarkError, UsageError, VolumeError
from ..translation import _, sentence_of

CANCELLED = "cancelled"
FORGOTTEN = "forgotten"
MEMORY = "memory"
CRASH = "crash"
START = "start"
INSTALLATION = "installation"
MODEL = "model"
VOLUME = "volume"
LANDMARKS = "landmarks"
USAGE = "usage"
DISK = "disk"
INTERNAL = "internal"

_OWN_KINDS = {
    VolumeError: VOLUME,
    LandmarkError: LANDMARKS,
    ModelError: MODEL,
    UsageError: USAGE,
    OutputError: DISK,
    SAMLandmarkError: INSTALLATION,
}
_MEMORY_WORDS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "failed to allocate memory",
    "not enough memory",
    "failed to map segment",
)
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_OUT_OF_MEMORY_CODES = (-9, 137, 0xC0000017)
_ILLEGAL_INSTRUCTION_CODES = (-4, 132, 0xC000001D)


def too_little_memory() -> str:
    """What to say where memory ran out."""
    return _(
        "There was not enough memory for this; close other programs, or set a lower memory limit under Advanced."
    )


def is_memory_failure(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, of the computer or of the GPU."""
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in _MEMORY_WORDS)


def describe_exception(error: BaseException) -> tuple[str, str]:
    """Kind and sentence of an exception that a request ended with."""
    if is_memory_failure(error):
        return MEMORY, too_little_memory()
    for known, kind in _OWN_KINDS.items():
        if isinstance(error, known):
            return kind, sentence_of(error)
    if isinstance(error, ImportError):
        return INSTALLATION, _describe_import_error(error)
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        full = _("A file can't be written ({reason}); free some space on the disk.")
        return DISK, full.format(reason=error.strerror)
    unexpected = _(
        "Something unexpected went wrong ({kind}: {message}); try again, and report it with the worker's log if it "
        "stays."
    )
    return INTERNAL, unexpected.format(kind=type(error).__name__, message=one_line(error))


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


def _describe_import_error(error: ImportError) -> str:
    package = (error.name or "").partition(".")[0]
    name = {"torch": "PyTorch", "numpy": "NumPy"}.get(package, package)
    if isinstance(error, ModuleNotFoundError) and name:
        absent = _("{package} is not installed in {python}; install SAMLandmark's Python packages.")
        return absent.format(package=name, python=sys.executable)
    broken = _("{package} is installed in {python} but can't be loaded ({reason}); install it again.")
    return broken.format(package=name or _("A Python package"), python=sys.executable, reason=one_line(error))


def _exit_text(code: int | None) -> str:
    if code is None:
        return _("no exit code")
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return _("signal {number}").format(number=-code)
    return _("exit code {number}").format(number=f"{code:#x}" if code > 0xFFFF else code)


def one_line(error: BaseException) -> str:
    """The beginning of an exception's message, short enough for a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else _("no message")
