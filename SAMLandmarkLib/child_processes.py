"""What every child process of this program does first."""

from __future__ import annotations

from contextlib import suppress


def be_the_first_to_go() -> None:
    """Where memory runs out, Linux ends the largest process; have it end this one and not the program."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
