"""A worker process as its program sees it: lines in, lines out, and an end that is noticed."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .protocol import LOG_NAME, ProtocolError, decode_answer, encode
from .scan_files import ScanFile

# -c instead of -m: the package need not be where the other Python looks for packages
_START = "import sys; sys.path.insert(0, sys.argv[1]); from SAMLandmarkLib.worker.server import main; main()"
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
_POSIX = os.name == "posix"

Inbox = queue.SimpleQueue
"""Holds (child, answer) for every answer; {"event": "unwritten", "id", "error"} tells of a scan that could not be
written, and the last of a child is {"event": "ended", "code": exit code}."""


class ChildProcess:
    """A running worker, whose answers come into an inbox. Raises OSError where it can't be started.

    Threads of their own read and write, so that no method waits for the process.
    """

    def __init__(
        self, python: Sequence[str], environment: Mapping[str, str] | None, folder: Path, inbox: Inbox
    ) -> None:
        self.started = False
        self._inbox = inbox
        self._log_path = folder / LOG_NAME
        self._outbox: queue.SimpleQueue = queue.SimpleQueue()
        with open(self._log_path, "ab") as log:
            self._process = subprocess.Popen(
                [*python, "-c", _START, str(_PACKAGE_PARENT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env={**(os.environ if environment is None else environment), "PYTHONUTF8": "1"},
                # a group of its own, so that all its descendants can be ended at once
                start_new_session=_POSIX,
                creationflags=0 if _POSIX else subprocess.CREATE_NO_WINDOW,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        for task in (self._write, self._watch):
            threading.Thread(target=task, daemon=True).start()

    @property
    def process_id(self) -> int:
        """The system's number of the process."""
        return self._process.pid

    def send(self, request: dict[str, Any], scans: Sequence[ScanFile] = ()) -> None:
        """Send a request as soon as the files of its scans are written."""
        self._outbox.put((request, scans))

    def kill(self) -> None:
        """End the process and all its descendants at once."""
        if self._process.poll() is None:
            _kill_tree(self._process)

    def wait(self, timeout: float) -> None:
        """Wait for the end of the process, at most `timeout` seconds."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)

    def _write(self) -> None:
        # a broken pipe means that it has ended, which _watch reports
        with suppress(OSError), self._process.stdin as pipe:
            while (item := self._outbox.get()) is not None:
                request, scans = item
                line = self._line(request)
                if line is not None and self._scans_are_written(request, scans):
                    pipe.write(line)
                    pipe.flush()

    def _line(self, request: dict[str, Any]) -> bytes | None:
        """The line of a request; None where it can't be written, which fails that request alone."""
        try:
            return encode(request)
        except (ValueError, TypeError) as error:
            names = [scan["name"] for scan in request.get("scans", ())]
            event = {"id": request.get("id"), "event": "unsendable", "error": error, "names": names}
            self._inbox.put((self, event))
            return None

    def _scans_are_written(self, request: dict[str, Any], scans: Sequence[ScanFile]) -> bool:
        try:
            for scan in scans:
                scan.write()
        except OSError as error:
            # put into words by the thread that polls: translators belong to it
            self._inbox.put((self, {"id": request["id"], "event": "unwritten", "error": error}))
            return False
        return True

    def _read(self) -> None:
        with self._process.stdout as pipe:
            for line in pipe:
                if line.strip():
                    self._receive(line)

    def _receive(self, line: bytes) -> None:
        try:
            if not line.endswith(b"\n"):
                raise ProtocolError(f"an unfinished line: {line[:200]!r}")
            self._inbox.put((self, decode_answer(line)))
        except ProtocolError as error:
            with suppress(OSError), open(self._log_path, "a", encoding="utf-8") as log:
                log.write(f"Skipped on the worker's output: {error}\n")

    def _watch(self) -> None:
        code = self._process.wait()
        # what it started may still hold its output open
        _kill_tree(self._process)
        self._reader.join(timeout=5)
        self._outbox.put(None)
        self._inbox.put((self, {"event": "ended", "code": code}))


def _kill_tree(process: subprocess.Popen) -> None:
    if _POSIX:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return
    with suppress(OSError):
        subprocess.run(
            ["taskkill", "/T", "/F", "/PID", str(process.pid)],
            capture_output=True,
            creationflags=subprocess.CREATE_NO_WINDOW,
            check=False,
        )
    with suppress(OSError):
        process.kill()
