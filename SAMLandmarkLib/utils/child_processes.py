"""What child processes of this program have in common: their place in the system, and how they speak with it."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any


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
