"""`samlandmark serve` in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

# For a machine that has much else to do.
READY_SECONDS, END_SECONDS = 300, 180


class PageServer:
    """The running command; its private folders lie below `folder`."""

    def __init__(self, arguments: Sequence[object], folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "SAMLandmarkLib", "serve", "--port", "0", *map(str, arguments)]
        environment = {**os.environ, "TMPDIR": str(folder), "OMP_WAIT_POLICY": "PASSIVE", "DISPLAY": ""}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self.lines: list[str] = []
        self._ready = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        if not self._ready.wait(READY_SECONDS) or not self.address:
            self.process.kill()
            raise AssertionError("The server did not start:\n" + "".join(self.lines))

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line)
            if "is ready" in line:
                self._ready.set()
        self._ready.set()

    @property
    def address(self) -> str:
        """Where the page is, without a query; "" where the server did not start."""
        found = re.search(r"http://[^/\s]+/", "".join(self.lines))
        return found.group() if found else ""

    def children(self) -> list[int]:
        """The numbers of the processes that the server has started."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(number) for number in listed.split()]

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Press Ctrl-C, or send another signal, and wait for the end; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(END_SECONDS)
