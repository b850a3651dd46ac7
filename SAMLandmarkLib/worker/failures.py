"""What went wrong in a worker, as a kind for programs and one sentence for people."""

from __future__ import annotations

import errno
import signal
import sys

from ..errors import LandmarkError, ModelError, OutputError, SAMLandmarkError, UsageError, VolumeError

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

TOO_LITTLE_MEMORY = (
    "There was not enough memory for this; close other programs, or set a lower memory limit under Advanced."
)
KILLED = (
    "The worker was ended by the system, most likely because memory ran out; close other programs, or set a lower "
    "memory limit under Advanced, and try again."
)
OLD_PROCESSOR = (
    "This computer's processor lacks instructions that the installed PyTorch needs (AVX2, for example); install a "
    "build of PyTorch made for older processors, or use another computer."
)


def is_memory_failure(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, of the computer or of the GPU."""
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in _MEMORY_WORDS)


def describe_exception(error: BaseException) -> tuple[str, str]:
    """Kind and sentence of an exception that a request ended with."""
    if is_memory_failure(error):
        return MEMORY, TOO_LITTLE_MEMORY
    for known, kind in _OWN_KINDS.items():
        if isinstance(error, known):
            return kind, str(error)
    if isinstance(error, ImportError):
        return INSTALLATION, _describe_import_error(error)
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        return DISK, f"A file can't be written ({error.strerror}); free some space on the disk."
    return INTERNAL, (
        f"Something unexpected went wrong ({type(error).__name__}: {one_line(error)}); try again, and report it with "
        "the worker's log if it stays."
    )


def describe_exit(code: int | None, started: bool, command: str) -> tuple[str, str]:
    """Kind and sentence of a worker that ended on its own with an exit code, negative for a POSIX signal."""
    if code in _OUT_OF_MEMORY_CODES:
        return MEMORY, KILLED
    if code in _ILLEGAL_INSTRUCTION_CODES:
        return INSTALLATION, OLD_PROCESSOR
    how = _exit_text(code)
    if not started:
        return START, (
            f"The worker could not be started: {command} ended at once ({how}); check the Python that it names."
        )
    return (
        CRASH,
        f"The worker crashed ({how}); nothing else was harmed, and the next request starts a new one.",
    )


def describe_start_error(error: OSError, command: str) -> tuple[str, str]:
    """Kind and sentence of a worker whose program the system can't run."""
    return START, (
        f"The worker could not be started: {command} can't be run ({error.strerror or error}); check that this Python "
        "is installed."
    )


def _describe_import_error(error: ImportError) -> str:
    package = (error.name or "").partition(".")[0]
    name = {"torch": "PyTorch", "numpy": "NumPy"}.get(package, package)
    if isinstance(error, ModuleNotFoundError) and name:
        return f"{name} is not installed in {sys.executable}; install SAMLandmark's Python packages."
    return (
        f"{name or 'A Python package'} is installed in {sys.executable} but can't be loaded ({one_line(error)}); "
        "install it again."
    )


def _exit_text(code: int | None) -> str:
    if code is None:
        return "no exit code"
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code:#x}" if code > 0xFFFF else f"exit code {code}"


def one_line(error: BaseException) -> str:
    """The beginning of an exception's message, short enough for a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no message"
