"""What a session has a process of its own do: at most one job of a kind, how far it is, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..utils.errors import SAMLandmarkError, UsageError
from ..utils.translation import _, unpack
from ..worker.client import WorkerClient
from .background_process import BackgroundProcess, Prepare
from .status import step_in_words


class BackgroundJob:
    """Does one job at a time by `main()` of a module, in the Python of the worker; see `BackgroundProcess`.

    `fraction` (0 to 1) and `text` tell how far it is. From `poll` are called: `on_change()` when it goes on, and once at
    its end `on_end(answer, problem)`: its last answer and "", or None and a sentence.
    """

    def __init__(
        self,
        module: str,
        on_change: Callable[[], None],
        on_end: Callable[[dict[str, Any] | None, str], None],
    ) -> None:
        self.fraction, self.text = 0.0, ""
        self._module, self._on_change, self._on_end = module, on_change, on_end
        self._process: BackgroundProcess | None = None
        self._awaited: tuple[Callable[[], bool], Callable[[], None]] | None = None

    @property
    def running(self) -> bool:
        """Whether a job is being done, or is waited with."""
        return self._process is not None or self._awaited is not None

    def begin_when(self, ready: Callable[[], bool], begin: Callable[[], None]) -> None:
        """Call `begin`, which starts a job, as soon as `ready()`: now, or later from `poll`.

        What it raises now goes through, what it raises later ends the job. UsageError where a job is being done.
        """
        self._require_idle()
        if ready():
            begin()
            return
        self._awaited = ready, begin
        self.fraction, self.text = 0.0, _("Waiting for the scans.")
        self._on_change()

    def start(self, prepare: Prepare, worker: WorkerClient, text: str = "") -> None:
        """Do the job that `prepare` describes; `text` is shown until it says more. UsageError where one is being done."""
        self._require_idle()
        self.fraction, self.text = 0.0, text
        self._process = BackgroundProcess(self._module, prepare, worker.python, worker.environment)
        self._on_change()

    def cancel(self, text: str) -> None:
        """End what runs, if anything, with this sentence as its problem."""
        if self.running:
            self.close()
            self._on_end(None, text)

    def close(self) -> None:
        """End what runs and tell nobody."""
        self._awaited = None
        if self._process is not None:
            self._process.kill()
            self._process = None

    def poll(self) -> None:
        """Begin what is waited with, and take what the process has said."""
        if self._awaited is not None and self._awaited[0]():
            self._begin_awaited(self._awaited[1])
        while self._process is not None and (answer := self._process.answer()) is not None:
            self._take(answer)

    def _require_idle(self) -> None:
        if self.running:
            raise UsageError(_("This is being done already; wait for its end, or cancel it."))

    def _begin_awaited(self, begin: Callable[[], None]) -> None:
        self._awaited = None
        try:
            begin()
        except SAMLandmarkError as error:
            self._on_end(None, str(error))

    def _take(self, answer: dict[str, Any]) -> None:
        if answer["event"] == "progress":
            self.fraction = answer["fraction"]
            self.text = ": ".join(part for part in (answer["scan"], step_in_words(answer["step"])) if part)
            self._on_change()
            return
        self._process = None
        if answer["event"] == "done":
            self._on_end(answer, "")
        else:
            self._on_end(None, unpack(answer["message"]))
