"""Seeded inputs for every reader, each judged by other programs: `make fuzz`.

    python Testing/robustness/fuzz.py --count 300 --seed 1 --kind nrrd

Ends with 1 where an input was read wrongly without a doubt, showed a traceback, crashed, hung, left a file behind, or
where a valid one was refused.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

CHILD = Path(__file__).parent / "fuzzing" / "child.py"
KINDS = ("nifti", "nrrd", "metaimage", "dicom", "landmarks", "manifest", "model", "atlas", "upload")
LONGEST_SECONDS = 20.0
"""Of the processor's time, since others may be at work on a machine; and what waits for nothing does not get far."""
_LONGEST_WAIT_SECONDS = 300.0
HARMLESS = ("refused", "right", "doubted")


@dataclass(frozen=True)
class Outcome:
    """What came of one input."""

    kind: str
    seed: int
    verdict: str
    what: str = ""
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.seed}: {self.verdict}: {self.what}: {self.detail}"


class Reader:
    """A child process that reads inputs; it is started anew where one crashes or hangs it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        # all files of a child lie in it, so that nothing stays of one that was killed
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def outcome(self, kind: str, seed: int) -> Outcome:
        """What comes of an input."""
        process = self._process or self._started()
        with suppress(BrokenPipeError):
            process.stdin.write(f"{kind} {seed}\n")
            process.stdin.flush()
        if not self._has_answered(process):
            self.close()
            return Outcome(kind, seed, "hang")
        line = process.stdout.readline()
        if not line:
            code = process.wait()
            self.close()
            return Outcome(kind, seed, "crash", f"exit code {code}")
        return Outcome(kind, seed, **json.loads(line))

    def _has_answered(self, process: subprocess.Popen[str]) -> bool:
        """Whether there is an answer, or an end, before the time is over."""
        used = _processor_seconds(process)
        end = time.monotonic() + _LONGEST_WAIT_SECONDS
        while not select.select([process.stdout], [], [], 1.0)[0]:
            if time.monotonic() > end or _processor_seconds(process) > used + LONGEST_SECONDS:
                return False
        return True

    def _started(self) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), self._folder.name)}
        self._process = subprocess.Popen([sys.executable, str(CHILD)], env=environment, **pipes)
        return self._process

    def close(self) -> None:
        """End the child process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                with suppress(BrokenPipeError):
                    stream.close()
            self._process = None
            self._folder.cleanup()


def _processor_seconds(process: subprocess.Popen[str]) -> float:
    with suppress(psutil.Error):
        times = psutil.Process(process.pid).cpu_times()
        return times.user + times.system
    return 0.0


def outcomes(kinds: Sequence[str], count: int, first_seed: int) -> Iterator[Outcome]:
    """What comes of `count` inputs of each kind."""
    reader = Reader()
    try:
        for kind in kinds:
            for seed in range(first_seed, first_seed + count):
                yield reader.outcome(kind, seed)
    finally:
        reader.close()


def main() -> int:
    """Read all inputs and print what went wrong, then how many came out how."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=300, help="inputs of each kind")
    parser.add_argument(
        "--seed", type=int, default=1, help="the first seed; an input depends on its own alone"
    )
    parser.add_argument("--kind", choices=KINDS, action="append", help="only inputs of this kind")
    arguments = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes(arguments.kind or KINDS, arguments.count, arguments.seed):
        counts[outcome.kind, outcome.verdict] += 1
        if outcome.verdict not in HARMLESS:
            print(outcome, flush=True)
    for (kind, verdict), number in sorted(counts.items()):
        print(f"{kind:10} {verdict:14} {number:5}")
    return 0 if all(verdict in HARMLESS for _kind, verdict in counts) else 1


if __name__ == "__main__":
    sys.exit(main())
