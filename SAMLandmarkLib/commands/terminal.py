"""What the commands say on a terminal: messages and progress on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..utils.errors import SAMLandmarkError
from ..utils.failures import is_memory_failure, too_little_memory
from ..utils.progress import Progress as ProgressCallback

# Wide enough for a table where no terminal says how wide it is.
_PIPE_WIDTH = 120


@cache
def messages() -> Console:
    """The console on stderr; there is only one, so that messages and the progress bar know of each other."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def results() -> Console:
    """The console on stdout."""
    return Console(
        highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH
    )


def print_json(document: dict[str, Any]) -> None:
    """Write `document` to stdout as JSON."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


@contextmanager
def exit_on_error(exit_code: int, as_json: bool = False) -> Iterator[None]:
    """Turn errors of SAMLandmark into an exit code and a message on stderr, and with `as_json` an object on stdout."""
    try:
        yield
    except (SAMLandmarkError, MemoryError, RuntimeError) as error:
        if not isinstance(error, SAMLandmarkError) and not is_memory_failure(error):
            raise
        message = str(error) if isinstance(error, SAMLandmarkError) else too_little_memory()
        messages().print(f"Error: {message}", style="red")
        if as_json:
            print_json({"error": message, "kind": type(error).__name__, "exit_code": exit_code})
        raise typer.Exit(exit_code) from error


def print_notes(notes: Iterable[str]) -> None:
    """Tell on stderr what a user should know of how something was computed."""
    for note in notes:
        messages().print(f"Warning: {note}", style="yellow")


@contextmanager
def warnings_as_messages(console: Console) -> Iterator[None]:
    """Show Python's warnings as plain messages, without the line of source that raised them."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: console.print(f"Warning: {message}", style="yellow")
        yield


class VolumeProgress:
    """One bar over the work on several volumes; shown on a terminal, silent elsewhere.

    >>> with VolumeProgress(messages(), volumes=2) as progress:
    ...     report = progress.volume("template")
    ...     report("embedding", 0.5)
    """

    def __init__(self, console: Console, volumes: int) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        self._bar = Progress(
            *columns,
            console=console,
            transient=True,
            # What goes to stdout may be read by a program and must not be drawn into with the bar.
            redirect_stdout=False,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=volumes)
        self._started = 0

    def __enter__(self) -> VolumeProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def volume(self, name: str) -> ProgressCallback:
        """Begin the next volume; return what takes its steps and the fraction of its work that is done."""
        before = self._started
        self._started += 1
        self._bar.update(self._task, completed=before, description=name)

        def report(step: str, fraction: float) -> None:
            self._bar.update(self._task, completed=before + fraction, description=f"{name}: {step}")

        return report
