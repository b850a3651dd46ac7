"""What went wrong, as a kind for programs and one sentence for people."""

from __future__ import annotations

import errno
import sys

from .errors import (
    AtlasError,
    LandmarkError,
    ModelError,
    OutputError,
    SAMLandmarkError,
    UsageError,
    VolumeError,
)
from .translation import _, sentence_of

MEMORY = "memory"
INSTALLATION = "installation"
MODEL = "model"
VOLUME = "volume"
LANDMARKS = "landmarks"
USAGE = "usage"
DISK = "disk"
CRASH = "crash"
INTERNAL = "internal"

_OWN_KINDS = {
    VolumeError: VOLUME,
    LandmarkError: LANDMARKS,
    ModelError: MODEL,
    AtlasError: MODEL,
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


# What PyTorch says where it was built for another NumPy, and what Windows says where one of its libraries is missing.
_BROKEN_TORCH_WORDS = (
    "numpy is not available",
    "c10.dll",
    "torch_cpu",
    "torch_python",
    "shm.dll",
    "libtorch",
)


def torch_failure(error: BaseException) -> str:
    """What to say where PyTorch is installed but does not work; empty where the error is another one."""
    text = str(error).lower()
    if not isinstance(error, (RuntimeError, OSError, ImportError)) or not any(
        word in text for word in _BROKEN_TORCH_WORDS
    ):
        return ""
    broken = _(
        "PyTorch is installed in {python} but does not work there ({reason}); install it again, in a version that fits "
        "the installed NumPy and this computer."
    )
    return broken.format(python=sys.executable, reason=one_line(error))


def too_little_memory() -> str:
    """What to say where memory ran out."""
    return _("There was not enough memory for this; close other programs, or set a lower memory limit.")


def is_memory_failure(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, of the computer or of the GPU."""
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in _MEMORY_WORDS)


def describe_exception(error: BaseException) -> tuple[str, str]:
    """Kind and sentence of an exception that a request ended with."""
    if is_memory_failure(error):
        return MEMORY, too_little_memory()
    if not isinstance(error, SAMLandmarkError) and (broken := torch_failure(error)):
        return INSTALLATION, broken
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


def one_line(error: BaseException) -> str:
    """The beginning of an exception's message, short enough for a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else _("no message")


def _describe_import_error(error: ImportError) -> str:
    package = (error.name or "").partition(".")[0]
    name = {"torch": "PyTorch", "numpy": "NumPy"}.get(package, package)
    if isinstance(error, ModuleNotFoundError) and name:
        absent = _("{package} is not installed in {python}; install SAMLandmark's Python packages.")
        return absent.format(package=name, python=sys.executable)
    broken = _("{package} is installed in {python} but can't be loaded ({reason}); install it again.")
    return broken.format(package=name or _("A Python package"), python=sys.executable, reason=one_line(error))
