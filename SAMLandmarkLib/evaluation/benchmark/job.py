"""One baseline on one pair, in a process of its own, so that its time and memory are its own and a crash is only a row."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from .environment import all_cores

_LOOK_SECONDS = 0.02
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class BenchmarkJob:
    """What a baseline has to do: find `positions_lps` `(n,3)` of the template's landmarks in the target."""

    baseline: str
    template: str
    target: str
    labels: tuple[str, ...]
    positions_lps: tuple[tuple[float, float, float], ...]
    same_patient: bool

    def text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> BenchmarkJob:
        values = json.loads(text)
        return cls(**values | {name: tuple(values[name]) for name in ("labels", "positions_lps")})


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    `found_lps` `(n,3)` is NaN where there is no answer; `seconds` is the whole life of the process, `parts` what of it
    went into loading the software, reading the files and the transfer itself; `peak_bytes` its peak memory, None where
    the system does not tell. `failure` says what went wrong, and is empty where nothing did.
    """

    found_lps: np.ndarray
    seconds: float
    peak_bytes: int | None
    parts: dict[str, float] = field(default_factory=dict)
    failure: str = ""


def run_job(job: BenchmarkJob, longest_seconds: float) -> Outcome:
    """Run a job in a fresh process and wait for it, at most so long; whatever happens to it, there is an outcome."""
    with tempfile.TemporaryDirectory(prefix="samlandmark-") as folder:
        answer, log = Path(folder) / "answer.json", Path(folder) / "log.txt"
        started = time.perf_counter()
        with open(log, "wb") as stream:
            process = subprocess.Popen(
                child_command(answer), stdin=subprocess.PIPE, stdout=stream, stderr=stream, env=all_cores()
            )
            process.stdin.write(job.text().encode())
            process.stdin.close()
            peak = _watch(process, started + longest_seconds)
        seconds = time.perf_counter() - started
        return _outcome(job, process.returncode, answer, log, seconds, peak, seconds >= longest_seconds)


def child_command(answer: Path) -> Sequence[str]:
    """How the process is started that reads a job from stdin and writes what it found to a file."""
    return (sys.executable, "-m", f"{__package__}.child", str(answer))


def _watch(process: subprocess.Popen, until: float) -> int | None:
    """Wait for a process, end it at the time `until`; its peak memory as far as it could be seen from here."""
    peak = None
    try:
        while process.poll() is None and time.perf_counter() < until:
            peak = peak_bytes(process.pid) or peak
            time.sleep(_LOOK_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return peak


def peak_bytes(process: int | str = "self") -> int | None:
    """The most memory that a process has held in RAM; None where the system does not tell.

    Not `ru_maxrss`: Linux counts in it what the parent held when it started the process.
    """
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)


def _outcome(
    job: BenchmarkJob, code: int, answer: Path, log: Path, seconds: float, peak: int | None, too_long: bool
) -> Outcome:
    nothing = np.full((len(job.labels), 3), np.nan)
    if code == 0 and answer.is_file():
        values = json.loads(answer.read_text())
        found = np.array(
            [[np.nan if value is None else value for value in point] for point in values["found_lps"]]
        )
        peaks = [value for value in (peak, values["peak_bytes"]) if value is not None]
        return Outcome(found.reshape(-1, 3), seconds, max(peaks, default=None), values["parts"])
    if too_long:
        return Outcome(nothing, seconds, peak, failure=f"not done after {seconds:.0f} s, ended")
    return Outcome(nothing, seconds, peak, failure=_why(code, log))


def _why(code: int, log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    last = lines[-1][:_SHOWN_CHARACTERS] if lines else "no message"
    if code < 0 and os.name == "posix":
        return f"crashed ({signal.Signals(-code).name}): {last}"
    return f"ended with {code}: {last}"
