"""A job done by a process of its own, so that the window stays free and the job can be canceled."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..utils.translation import _
from ..worker.private_folder import PrivateFolder

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from importlib import import_module; "
    "import_module(sys.argv[2]).main()"
)
Prepare = Callable[[Path, Callable[[], bool]], None]
"""Writes what describes a job into a folder, called with it and `canceled()`."""
_LAST_EVENTS = ("done", "failed")
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
# by name, because other systems than Windows lack it
_HIDDEN: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)


class BackgroundProcess:
    """Runs `main()` of a module of the library in the Python of the worker; a thread starts it and listens to it.

    `prepare(folder, canceled)` is called in that thread and writes what describes the job into a private folder, until
    `canceled()` is true. The process says one JSON object a line, each with an "event", of which "done" or "failed" is
    the last. Where it can't be prepared, or ends without a last word, the answer is {"event": "failed", "message": a
    sentence}.
    """

    def __init__(
        self,
        module: str,
        prepare: Prepare,
        python: Sequence[str],
        environment: Mapping[str, str] | None,
    ) -> None:
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._prepare = prepare
        self._command = [*python, "-c", _START, str(_PACKAGE_PARENT), module]
        given = os.environ if environment is None else environment
        # its threads that wait must not keep a core busy: the window and the worker need them
        self._environment = {"OMP_WAIT_POLICY": "PASSIVE", **given, "PYTHONUTF8": "1"}
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._changing = threading.Lock()
        threading.Thread(target=self._run, daemon=True).start()

    def answer(self) -> dict[str, Any] | None:
        """The next answer, None while there is none."""
        with suppress(queue.Empty):
            return self._answers.get_nowait()
        return None

    def tell(self, line: str) -> None:
        """Send the process a line on its standard input, where it runs."""
        with self._changing, suppress(OSError, ValueError):
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.write(line.encode() + b"\n")
                self._process.stdin.flush()

    def kill(self) -> None:
        """End the process, or don't start it."""
        with self._changing:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def _run(self) -> None:
        try:
            private = PrivateFolder()
        except OSError as error:
            self._fail(no_room(error))
            return
        try:
            self._prepare(private.path, lambda: self._killed)
            self._answers.put(self._end_in(private.path))
        except OSError as error:
            self._fail(no_room(error))
        finally:
            private.remove()

    def _end_in(self, folder: Path) -> dict[str, Any]:
        with open(folder / "process.log", "wb") as log:
            with self._changing:
                if self._killed:
                    return {"event": "failed", "message": ""}
                self._process = process = subprocess.Popen(
                    [*self._command, str(folder)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=folder,
                    env=self._environment,
                    creationflags=_HIDDEN,
                )
            end = self._listen(process)
        return end or {"event": "failed", "message": _died(process.wait())}

    def _listen(self, process: subprocess.Popen[bytes]) -> dict[str, Any] | None:
        """Pass on what the process says; its last word, None where it had none."""
        with process:
            for line in process.stdout or ():
                answer: dict[str, Any] = json.loads(line)
                if answer["event"] in _LAST_EVENTS:
                    return answer
                self._answers.put(answer)
        return None

    def _fail(self, message: str) -> None:
        self._answers.put({"event": "failed", "message": message})


def no_room(error: OSError) -> str:
    """A sentence about a folder for temporary files that could not be made or filled."""
    text = _("The job could not be prepared ({reason}); make room in the folder for temporary files.")
    return text.format(reason=str(error))


def _died(code: int) -> str:
    text = _("The process at work ended unexpectedly (code {code}); try again.")
    return text.format(code=code)
