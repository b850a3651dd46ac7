"""Slicer's Python as a child process, and pip in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from slicer.i18n import tr as _

from .library_path import libraryFolder

_POLL_SECONDS = 0.1
_OPTIONS = ("--no-input", "--disable-pip-version-check", "--progress-bar=off", "--only-binary=:all:")


class InstallationError(RuntimeError):
    """Packages can't be installed: one sentence says why and what to do; `details` is what pip printed."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


def pythonCommand() -> list[str]:
    """The command that starts Python with Slicer's packages: PythonSlicer in Slicer, this Python elsewhere.

    Raises InstallationError where Slicer runs without its PythonSlicer.
    """
    if launcher := shutil.which("PythonSlicer"):
        return [launcher]
    # Inside Slicer this is the application itself: started again it would open a second window.
    if not Path(sys.executable).stem.lower().startswith("python"):
        raise InstallationError(
            _("The program PythonSlicer was not found beside {executable}; install Slicer again.").format(
                executable=sys.executable
            )
        )
    return [sys.executable]


def pythonEnvironment() -> dict[str, str]:
    """The environment for `pythonCommand()`: this process's own, with SAMLandmarkLib importable."""
    known = os.environ.get("PYTHONPATH")
    folders = [str(libraryFolder())] + ([known] if known else [])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}


def runPip(arguments: Sequence[str], keepGoing: Callable[[], bool] = lambda: True) -> str:
    """Install with pip, from ready-made packages only; return what pip printed.

    Args:
        arguments: what follows `pip install`, such as packages and options.
        keepGoing: called ten times a second; keeps a window alive, and stops pip by returning False.

    Raises:
        InstallationError: pip can't start, fails, or was stopped.
    """
    command = [*pythonCommand(), "-m", "pip", "install", *_OPTIONS, *arguments]
    # A file, because a full pipe would stop pip while nobody reads it.
    with tempfile.TemporaryFile() as output:
        code = _run(command, output, keepGoing)
        output.seek(0)
        text = output.read().decode("utf-8", errors="replace")
    if code != 0:
        raise _failure(code, text)
    return text


def _run(command: list[str], output: object, keepGoing: Callable[[], bool]) -> int | None:
    """The exit code of `command`, or None where `keepGoing` stopped it."""
    try:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **_withoutConsole())
    except OSError as error:
        raise InstallationError(
            _("Python can't be started with {command}: {reason}.").format(
                command=command[0], reason=error.strerror
            )
        ) from error
    try:
        while keepGoing():
            try:
                return process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        return None
    finally:
        process.kill()
        process.wait()


def _withoutConsole() -> dict[str, int]:
    return {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {}


def _failure(code: int | None, text: str) -> InstallationError:
    if code is None:
        return InstallationError(_("The installation was canceled; nothing was finished."), text)
    errors = [line.partition("ERROR:")[2].strip() for line in text.splitlines() if "ERROR:" in line]
    reason = errors[-1] if errors else _("it ended with code {code}").format(code=code)
    return InstallationError(_("The packages can't be installed: {reason}").format(reason=reason), text)
