"""The program's side of the worker: requests out, callbacks on the thread that polls."""

from __future__ import annotations

import itertools
import queue
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.settings import WorkerSettings
from ..utils.errors import UsageError
from ..utils.translation import _, unpack
from . import failures, replies
from .child import ChildProcess
from .command import worker_command
from .messages import EmbedReply, HeatMapReply, ScanData, TransferReply, WorkerRequest
from .pending import OnFailed, OnProgress, Pending
from .private_folder import PrivateFolder
from .protocol import LOG_NAME
from .scan_files import ScanFile

LOG_LINES = 30
CLOSING_SECONDS = 2.0


class WorkerClient:
    """Has a child process embed scans and transfer landmarks.

    No method waits for the child, which starts with the first request. Answers come to the callbacks from `poll`
    (and `wait`) only, on the thread that calls it; all methods belong to one thread. Of `on_done` and `on_failed`
    exactly one is called for each request, unless the client is closed before. The client keeps the scans, so that
    a child that crashed or was cancelled is followed by one that knows them as well.

    `python` is the command of the Python with torch (this one by default), `environment` its environment variables,
    `folder` where the private folder is made (the system's temporary folder by default). Raises UsageError for
    scans that it never saw, and when closed.
    """

    def __init__(
        self,
        settings: WorkerSettings | None = None,
        python: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | str | None = None,
    ) -> None:
        self.settings = settings or WorkerSettings()
        private = PrivateFolder(folder)
        self.folder = private.path
        self.python = worker_command(python, environment)
        self.environment = environment
        self._inbox: queue.SimpleQueue = queue.SimpleQueue()
        self._pending: dict[int, Pending] = {}
        self._scans: dict[str, ScanFile] = {}
        self._numbers = itertools.count(1)
        # a list, because what cleans up must know the child but not the client, or it would never go
        self._children: list[ChildProcess] = []
        self._clean_up = weakref.finalize(self, _clean_up, self._children, private)

    @property
    def busy(self) -> bool:
        """Whether any request waits for its answer."""
        return bool(self._pending)

    @property
    def process_id(self) -> int | None:
        """The system's number of the child, None where there is none."""
        return self._children[0].process_id if self._children else None

    def start(self) -> None:
        """Start the child, so that it loads the model before the first request, which tells if that fails."""
        with suppress(OSError):
            self._child()

    def embed(
        self,
        scan: ScanData,
        on_done: Callable[[EmbedReply], None] | None = None,
        on_failed: OnFailed | None = None,
        on_progress: OnProgress | None = None,
    ) -> int:
        """Embed a scan, in place of an earlier one with the same key; returns the request's number.

        The array is written to a file in the background and must not be changed meanwhile.
        """
        self._require_open()
        replaced = self._scans.get(scan.key)
        self._scans[scan.key] = ScanFile(scan, self.folder / f"scan-{next(self._numbers)}.npy")
        if replaced is not None:
            self._discard(replaced)
        pending = Pending(
            (scan.key,), lambda result: replies.embed_reply(scan.key, result), on_done, on_failed, on_progress
        )
        return self._request({"do": "embed"}, pending)

    def prepare(
        self,
        template_key: str,
        target_key: str,
        on_done: Callable[[None], None] | None = None,
        on_failed: OnFailed | None = None,
        on_progress: OnProgress | None = None,
    ) -> int:
        """Do early, when nothing else is to be done, what the first transfer of a pair would take longer for."""
        pending = Pending((template_key, target_key), lambda result: None, on_done, on_failed, on_progress)
        return self._request({"do": "prepare", "template": template_key, "target": target_key}, pending)

    def transfer(
        self,
        request: WorkerRequest,
        on_done: Callable[[TransferReply], None] | None = None,
        on_failed: OnFailed | None = None,
        on_progress: OnProgress | None = None,
    ) -> int:
        """Find landmarks of a template or a protocol in a target; scans that are not embedded yet are embedded first."""
        pending = Pending(
            request.scan_keys,
            lambda result: replies.transfer_reply(request, result),
            on_done,
            on_failed,
            on_progress,
        )
        return self._request(replies.transfer_message(request), pending)

    def heat_map(
        self,
        template_key: str,
        point_lps: Sequence[float] | np.ndarray,
        target_key: str,
        on_done: Callable[[HeatMapReply], None] | None = None,
        on_failed: OnFailed | None = None,
        on_progress: OnProgress | None = None,
    ) -> int:
        """How similar each place of a target is to a point `(3,)` LPS mm of a template."""
        message = {
            "do": "heat_map",
            "template": template_key,
            "target": target_key,
            "point_lps": [float(value) for value in point_lps],
            "file": str(self.folder / f"heat-{next(self._numbers)}.npy"),
        }
        pending = Pending(
            (template_key, target_key),
            lambda result: replies.heat_map_reply(template_key, target_key, result),
            on_done,
            on_failed,
            on_progress,
        )
        return self._request(message, pending)

    def describe(
        self, on_done: Callable[[dict], None] | None = None, on_failed: OnFailed | None = None
    ) -> int:
        """Ask for the model, the device, versions and the cache."""
        return self._request({"do": "describe"}, Pending((), replies.description, on_done, on_failed, None))

    def test(self, on_done: Callable[[dict], None] | None = None, on_failed: OnFailed | None = None) -> int:
        """Transfer the landmarks of the bundled sample; see `start_diagnosis` for the answer in words."""
        return self._request({"do": "test"}, Pending((), dict, on_done, on_failed, None))

    def forget(self, key: str) -> None:
        """Drop a scan; requests that still wait for it fail with the kind "forgotten"."""
        if (scan := self._scans.pop(key, None)) is not None:
            self._discard(scan)

    def configure(self, settings: WorkerSettings) -> None:
        """Compute with other settings from the next request on; what is pending is cancelled if they differ."""
        if settings != self.settings:
            self.cancel()
            self.settings = settings

    def cancel(self) -> None:
        """End the child at once; everything pending fails with the kind "cancelled" at the next poll."""
        self._drop_child()
        for number in self._pending:
            self._report(number, failures.CANCELLED, _("Canceled."))

    def poll(self) -> None:
        """Call the callbacks of everything that has arrived."""
        while not self._inbox.empty():
            self._receive(*self._inbox.get())

    def wait(self, timeout: float | None = None) -> bool:
        """Poll until nothing is pending or `timeout` seconds are over; whether nothing is pending."""
        end = None if timeout is None else time.monotonic() + timeout
        while self._pending:
            left = None if end is None else max(0.0, end - time.monotonic())
            try:
                self._receive(*self._inbox.get(timeout=left))
            except queue.Empty:
                return False
        return True

    def close(self) -> None:
        """End the child and delete the private folder; no callback is called any more. May be called again."""
        self._pending.clear()
        self._scans.clear()
        self._clean_up()

    def log_tail(self) -> str:
        """The last lines that the worker and its libraries wrote."""
        try:
            text = (self.folder / LOG_NAME).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-LOG_LINES:])

    def _request(self, message: dict[str, Any], pending: Pending) -> int:
        self._require_open()
        scans = [self._known_scan(key) for key in dict.fromkeys(pending.scan_keys)]
        number = next(self._numbers)
        self._pending[number] = pending
        message = {"id": number, **message, "scans": [scan.reference for scan in scans]}
        try:
            self._child().send(message, scans)
        except OSError as error:
            self._report(number, *failures.describe_start_error(error, self.python[0]))
        return number

    def _child(self) -> ChildProcess:
        """The running child; one is started where there is none. Raises OSError."""
        self._require_open()
        if not self._children:
            child = ChildProcess(self.python, self.environment, self.folder, self._inbox)
            self._children.append(child)
            child.send({"do": "configure", "settings": self.settings.to_json(), "folder": str(self.folder)})
        return self._children[0]

    def _drop_child(self) -> None:
        for child in self._children:
            child.kill()
        self._children.clear()

    def _discard(self, scan: ScanFile) -> None:
        for child in self._children:
            child.send({"do": "forget", "file": scan.reference["file"]})
        scan.discard()

    def _known_scan(self, key: str) -> ScanFile:
        if key not in self._scans:
            unknown = _("The worker does not know a scan '{key}'; have it embedded first.")
            raise UsageError(unknown.format(key=key))
        return self._scans[key]

    def _require_open(self) -> None:
        if not self._clean_up.alive:
            raise UsageError(_("The worker was closed; make a new one."))

    def _report(self, number: int, kind: str, message: str) -> None:
        """Let a request fail at the next poll."""
        self._inbox.put((None, {"id": number, "event": "failed", "kind": kind, "message": message}))

    def _receive(self, child: ChildProcess | None, answer: dict[str, Any]) -> None:
        if child is not None and child not in self._children:
            return  # what a child that was cancelled still had to say
        event = answer["event"]
        if event == "started":
            child.started = True
        elif event == "stopped":
            self._lose_child(answer["kind"], unpack(answer["message"]))
        elif event == "ended":
            self._lose_child(*failures.describe_exit(answer["code"], child.started, self.python[0]))
        elif event == "unwritten":
            self._report(answer["id"], *failures.describe_write_error(answer["error"], self.folder))
        elif event == "unsendable":
            self._report(answer["id"], *failures.describe_unsendable(answer["error"], answer["names"]))
        elif event == "progress" and answer["id"] in self._pending:
            self._pending[answer["id"]].tell_progress(answer)
        elif event in ("done", "failed") and answer["id"] in self._pending:
            self._pending.pop(answer["id"]).tell_end(answer, self.log_tail())

    def _lose_child(self, kind: str, message: str) -> None:
        self._drop_child()
        for number in self._pending:
            self._report(number, kind, message)


def _clean_up(children: list[ChildProcess], folder: PrivateFolder) -> None:
    for child in children:
        child.kill()
        child.wait(CLOSING_SECONDS)
    children.clear()
    folder.remove()
