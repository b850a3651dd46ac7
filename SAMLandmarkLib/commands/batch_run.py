"""A study on the terminal: what would be done, how far it is, and what came of it."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ..study.executors.opening import default_threads, open_executor
from ..study.ledger import State
from ..study.outcome import ScanOutcome, StudyOutcome
from ..study.pending import StudyRequest
from ..study.results_writer import DOCUMENT_NAME, TABLE_NAME
from ..study.runner import StudyRun
from ..study.study_progress import StudyProgress
from .terminal import messages, print_json, results

INTERRUPTED = 130
"""The exit code that shells give a program which Ctrl-C has ended."""
_SECONDS_BETWEEN_LINES = 30.0
_LINES_SHOWN = 10


def run_study(request: StudyRequest, workers: int, scheduler: str | None) -> tuple[StudyOutcome, bool]:
    """Run a study with a progress bar, or with a line now and then where stderr is no terminal.

    Returns the study as it is then, and whether Ctrl-C has stopped it.
    """
    console = messages()
    request = request.with_threads(default_threads(workers, scheduler))
    with _stop_on_interrupt() as stopped, _Bar(console) as bar:
        run = StudyRun(request, lambda: open_executor(request, workers, scheduler))
        return run.carry_out(bar.show, stopped.is_set), stopped.is_set()


def print_warning(text: str) -> None:
    """Tell what is odd about a study but does not stop it."""
    messages().print(f"Warning: {text}", style="yellow")


def print_outcome(outcome: StudyOutcome, was_stopped: bool, as_json: bool) -> int:
    """Tell what came of a study; returns the exit code."""
    scans = [scan for patient in outcome.patients for scan in patient.scans]
    counts = Counter(scan.state for scan in scans)
    code = INTERRUPTED if was_stopped else int(counts[State.DONE] < len(scans))
    files = [str(outcome.folder / name) for name in (TABLE_NAME, DOCUMENT_NAME)]
    if as_json:
        states = {state.value: counts[state] for state in State}
        print_json({"output": str(outcome.folder), "scans": states, "files": files, "exit_code": code})
        return code
    _print_some([f"Warning: {text}" for text in _doubts(scans)], "yellow")
    failed = [scan for scan in scans if scan.state in (State.FAILED, State.SKIPPED)]
    _print_some([f"Error: {scan.scan.key}: {scan.reason}" for scan in failed], "red")
    if was_stopped:
        messages().print("Stopped. What is done is kept; the same command with --resume goes on.")
    statuses = Counter(item.status for scan in scans for item in scan.items)
    results().print(
        f"{counts[State.DONE]} of {len(scans)} scans done: {statuses['FOUND']} landmarks found, "
        f"{statuses['DOUBTFUL']} doubtful, {statuses['MISSING']} missing."
    )
    for file in files:
        results().print(file, soft_wrap=True)
    return code


def _doubts(scans: Sequence[ScanOutcome]) -> list[str]:
    """What looks wrong about scans that are done, and fallbacks, such as for want of memory."""
    notes = dict.fromkeys(note for scan in scans for note in scan.provenance.get("notes", ()))
    return [*notes, *(f"{scan.scan.key}: {text}" for scan in scans for text in scan.warnings)]


def _print_some(lines: Sequence[str], style: str) -> None:
    for line in lines[:_LINES_SHOWN]:
        messages().print(line, style=style)
    if len(lines) > _LINES_SHOWN:
        messages().print(
            f"… and {len(lines) - _LINES_SHOWN} more; `samlandmark report` shows all.", style=style
        )


@contextmanager
def _stop_on_interrupt() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second one ends the program as always."""
    stopped = threading.Event()

    def stop(signum: int, frame: Any) -> None:
        # nothing else: it may come in the middle of writing to the terminal
        stopped.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


class _Bar:
    """The progress of a study on a console."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        self._console = console
        self._interactive = sys.stderr.isatty()
        self._bar = Progress(
            *columns, console=console, transient=True, redirect_stdout=False, disable=not self._interactive
        )
        self._task = self._bar.add_task("starting", total=None)
        self._next_line = time.monotonic() + _SECONDS_BETWEEN_LINES

    def __enter__(self) -> _Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, progress: StudyProgress) -> None:
        """Show how far the study is."""
        parts = [f"{progress.failed} failed" if progress.failed else "", _time_text(progress.seconds_left)]
        text = ", ".join(part for part in parts if part)
        self._bar.update(self._task, total=progress.total, completed=progress.ended, description=text)
        if not self._interactive and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
            self._console.print(f"{progress.ended} of {progress.total} scans ended, {text}")


def _time_text(seconds: float | None) -> str:
    """A duration for people.

    >>> _time_text(20.0), _time_text(3000.0), _time_text(9000.0)
    ('less than a minute left', 'about 50 min left', 'about 2 h 30 min left')
    """
    if seconds is None:
        return "estimating the time left"
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute left"
    if minutes < 60:
        return f"about {minutes} min left"
    return f"about {minutes // 60} h {minutes % 60} min left"
