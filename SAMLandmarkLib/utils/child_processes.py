"""What child processes of this program have in common: their place in the system, and how they speak with it."""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .failures import describe_exception
from .translation import pack

_PROGRESS_STEP = 0.01


def be_the_first_to_go() -> None:
    """Where memory runs out, Linux ends the largest process; have it end this one and not the program."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def say(answer: Mapping[str, Any]) -> None:
    """Tell the program something: one JSON object in a line of its own on the standard output."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def listen(on_line: Callable[[str], None] = lambda line: None) -> None:
    """Call `on_line` in a thread for each line of the standard input; the end of it ends this process at once."""
    threading.Thread(target=_listen, args=(on_line,), daemon=True).start()


def _listen(on_line: Callable[[str], None]) -> None:
    for line in sys.stdin:
        on_line(line.strip())
    os._exit(1)


def do_job(
    job: Callable[[Path], Mapping[str, Any]], on_line: Callable[[str], None] = lambda line: None
) -> None:
    """Do the job in the folder that is the last argument, and say its answer, or in a sentence why it failed.

    This is what `main()` of a job's module does; for `on_line` see `listen`.
    """
    be_the_first_to_go()
    listen(on_line)
    try:
        answer = job(Path(sys.argv[-1]))
    except Exception as error:
        traceback.print_exc()
        kind, message = describe_exception(error)
        say({"event": "failed", "kind": kind, "message": pack(message)})
    else:
        say(answer)


class JobProgress:
    """Tells how much of a job is done, 0 to 1, where that can be seen."""

    def __init__(self) -> None:
        self._told = 0.0

    def __call__(self, fraction: float, scan: str = "", step: str = "") -> None:
        """A part is done; `scan` and `step` are at work now."""
        if fraction - self._told >= _PROGRESS_STEP:
            self._told = fraction
            say({"event": "progress", "scan": scan, "step": step, "fraction": fraction})
