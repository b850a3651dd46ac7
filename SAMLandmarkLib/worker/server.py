"""The worker process: reads requests, embeds scans in one thread and finds landmarks in another, writes answers."""

from __future__ import annotations

import faulthandler
import os
import shutil
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from ..utils.child_processes import be_the_first_to_go
from ..utils.failures import INTERNAL, describe_exception
from ..utils.translation import _, pack
from . import failures
from .protocol import ProtocolError, decode_request, encode
from .schedule import ScanRef, Schedule, WorkerJob

# Nothing but Python's own library at file scope: what is missing is to be told, not to be died of.

EMBEDDING_NICENESS = 5
"""Halves the time that clicks take while a scan is embedded; more makes a busy computer embed slowly."""
CONFIGURE_SECONDS = 30.0
"""The settings are sent before anything else; when they take this long, they do not come."""


def main() -> None:
    """Run a worker until its standard input ends."""
    faulthandler.enable()
    be_the_first_to_go()
    requests, answers = _take_over_standard_streams()
    Server(requests, answers).run()


def _let_others_go_first() -> None:
    """Give this thread a lower priority where threads have their own; the threads that torch starts from it inherit."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), EMBEDDING_NICENESS)


def _take_over_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """The two ends of the protocol; what libraries read from then on is nothing, what they print goes to the log."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


class Server:
    """Answers requests from one stream on another."""

    def __init__(self, requests: BinaryIO, answers: BinaryIO) -> None:
        self._requests, self._answers = requests, answers
        self._writing = threading.Lock()
        self._schedule: Schedule = Schedule()
        self._configured = threading.Event()
        self._loaded = False
        self._settings: dict[str, Any] = {}
        self._folder = ""

    def run(self) -> None:
        """Read the settings, load the model, work; never returns."""
        # an empty line ends what something may have printed before
        self._write(b"\n" + encode({"event": "started"}))
        threading.Thread(target=self._read, daemon=True).start()
        if not self._configured.wait(CONFIGURE_SECONDS):
            self._stop(*failures.describe_silence())
        try:
            work = self._load()
        except Exception as error:
            traceback.print_exc()
            self._stop(*describe_exception(error))
        self._loaded = True
        threading.Thread(target=self._embed_scans, args=(work,), daemon=True).start()
        while True:
            self._do_next_job(work)

    def _load(self) -> Any:
        # both threads compute at times; waiting ones must not keep a core busy
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        if self._settings.get("threads"):
            os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(self._settings["threads"])
        from .request_handler import RequestHandler

        return RequestHandler.with_settings(self._settings, Path(self._folder))

    def _read(self) -> None:
        for line in self._requests:
            if line.strip():
                self._receive(line)
        # the program is gone: nobody else deletes its scans
        shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(0)

    def _receive(self, line: bytes) -> None:
        number = None
        try:
            request = decode_request(line)
            number = request.get("id")
            self._accept(request)
        except (ProtocolError, KeyError, TypeError) as error:
            message = _("The worker does not understand a request ({error}).").format(error=repr(error))
            self._send_failure(number, INTERNAL, message)

    def _accept(self, request: dict[str, Any]) -> None:
        if request["do"] == "configure":
            self._settings, self._folder = request["settings"], request["folder"]
            self._configured.set()
        elif request["do"] == "forget":
            for job in self._schedule.forget(request["file"]):
                self._fail(job, failures.FORGOTTEN, _("The scan was removed before this was done."))
        else:
            job = WorkerJob.from_request(request)
            if job.scans and not self._loaded:
                self._progress(job, job.scans[0].key, "loading the model", 0.0)
            self._schedule.add(job)

    def _embed_scans(self, work: Any) -> None:
        _let_others_go_first()
        while True:
            self._embed(work, self._schedule.next_scan())

    def _embed(self, work: Any, scan: ScanRef) -> None:
        def progress(step: str, fraction: float) -> None:
            for job in self._schedule.jobs_with(scan):
                self._progress(job, scan.key, step, fraction)

        try:
            embedded = self._schedule.embedded(scan) or self._newly_embedded(work, scan, progress)
        except Exception as error:
            traceback.print_exc()
            for job in self._schedule.take_jobs_with(scan.file):
                self._fail(job, *describe_exception(error))
            return
        for job in self._schedule.take_embedding_jobs(scan):
            self._send({"id": job.id, "event": "done", "result": work.embed_result(embedded)})

    def _newly_embedded(self, work: Any, scan: ScanRef, progress: Any) -> Any:
        embedded = work.embed(scan, progress)
        # landmarks need not wait for the disk, but who is told that a scan is done does not lose it by cancelling
        self._schedule.add_embedded(scan, embedded)
        work.runtime.keep(embedded)
        return embedded

    def _do_next_job(self, work: Any) -> None:
        job, embedded = self._schedule.next_job()
        try:
            if "target" in job.arguments:
                self._progress(job, job.arguments["target"], "matching", 0.0)
            result = work.do(job, embedded)
        except Exception as error:
            traceback.print_exc()
            self._fail(job, *describe_exception(error))
        else:
            self._send({"id": job.id, "event": "done", "result": result})

    def _progress(self, job: WorkerJob, scan_key: str, step: str, fraction: float) -> None:
        self._send({"id": job.id, "event": "progress", "scan": scan_key, "step": step, "fraction": fraction})

    def _fail(self, job: WorkerJob, kind: str, message: str) -> None:
        self._send_failure(job.id, kind, message)

    def _send_failure(self, number: int | None, kind: str, message: str) -> None:
        self._send({"id": number, "event": "failed", "kind": kind, "message": pack(message)})

    def _stop(self, kind: str, message: str) -> None:
        self._send({"event": "stopped", "kind": kind, "message": pack(message)})
        os._exit(1)

    def _send(self, answer: dict[str, Any]) -> None:
        try:
            line = encode(answer)
        except (ValueError, TypeError) as error:
            traceback.print_exc()
            kind, message = describe_exception(error)
            line = encode({"id": answer.get("id"), "event": "failed", "kind": kind, "message": pack(message)})
        self._write(line)

    def _write(self, line: bytes) -> None:
        # where the program is gone, the end of its requests ends this process too
        with self._writing:
            view = memoryview(line)
            while view:
                try:
                    view = view[self._answers.write(view) :]
                except OSError:
                    return
