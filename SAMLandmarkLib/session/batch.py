"""A study inside Slicer: run in the background on a folder or on DICOM files, and each finished scan open to review."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..scene.points import read_points
from ..scene.volumes import source_path, volume_arrays
from ..study.batch_description import STOP, VOXELS_FILE, BatchScans, write_job
from ..study.ledger import LEDGER_NAME
from ..study.outcome import StudyOutcome
from ..study.scan_summary import ScanSummary, ended_scans
from ..utils.errors import UsageError
from ..utils.translation import _, unpack
from .background_calls import BackgroundCalls
from .background_process import BackgroundProcess
from .batch_review import BatchReview, LoadedScan
from .context import SessionContext
from .scan_selection import ScanSelection
from .status import Change
from .transfer_control import TransferControl

_MODULE = "SAMLandmarkLib.study.batch_job"


@dataclass(frozen=True)
class BatchProgress:
    """How far a study is: scans ended and failed, of how many; seconds until its end, where that is known."""

    ended: int
    total: int
    failed: int
    seconds_left: float | None

    @property
    def text(self) -> str:
        """The same for people.

        >>> BatchProgress(3, 10, 1, 130.0).text
        '3 of 10 scans, 1 failed, about 2 min left'
        """
        parts = [_("{ended} of {total} scans").format(ended=self.ended, total=self.total)]
        if self.failed:
            parts.append(_("{failed} failed").format(failed=self.failed))
        if self.seconds_left is not None:
            minutes = max(1, round(self.seconds_left / 60))
            parts.append(_("about {minutes} min left").format(minutes=minutes))
        return ", ".join(parts)


class BatchControl:
    """Starts, follows and stops studies, and opens their scans; listeners of the session hear `Change.BATCH`.

    `folder` is that of the study in view, `scans` its scans that have ended, by key; `text` tells how far it is or how it
    ended, `doubts` what is odd about it.
    """

    def __init__(self, context: SessionContext, selection: ScanSelection, transfers: TransferControl) -> None:
        self.folder: Path | None = None
        self.scans: dict[str, ScanSummary] = {}
        self.text, self.doubts = "", ()
        self.fraction = 0.0
        self.opening = False
        self._context, self._transfers = context, transfers
        self._review = BatchReview(context, selection)
        self._calls = BackgroundCalls()
        self._job: BackgroundProcess | None = None
        self._planned = self._stopping = False

    @property
    def running(self) -> bool:
        """Whether a study is being computed."""
        return self._job is not None

    @property
    def stopping(self) -> bool:
        """Whether the study that runs is about to stop."""
        return self._stopping

    @property
    def blocking_reason(self) -> str:
        """What keeps a study from being possible, in a sentence for the user; "" where nothing does."""
        return "" if self._context.store.protocol else self._transfers.template_problem

    def look_at(self, folder: str | os.PathLike[str]) -> None:
        """List the scans of the study in a folder, which are read in the background; none where there is no study."""
        self.folder, self.scans = Path(folder), {}
        if not self.running:
            self.text, self.doubts = "", ()
        self._changed()
        looked_at = self.folder
        self._calls.start(lambda: _scans_in(looked_at), lambda scans: self._list(looked_at, scans), self._say)

    def start(self, scans: BatchScans, output: str | os.PathLike[str]) -> None:
        """Find the landmarks of the template, or of the protocol, in all `scans`; a study in `output` is gone on with.

        Raises UsageError with the blocking_reason where there is one, or where a study is running.
        """
        if self.running:
            raise UsageError(_("A study is running; wait for its end, or cancel it."))
        if reason := self.blocking_reason:
            raise UsageError(reason)
        self.look_at(output)
        worker = self._context.jobs.worker
        files = self._files(scans, Path(output).absolute())
        self.fraction, self._planned, self._stopping = 0.0, False, False
        self._job = BackgroundProcess(_MODULE, files, worker.python, worker.environment)
        self._say(_("Looking for the scans."))

    def cancel(self) -> None:
        """Stop the study that runs; what is done stays, and the same study can be gone on with."""
        if self._job is None:
            return
        if self._planned:
            self._stopping = True
            self._job.tell(STOP)
            self._say(_("Stopping."))
        else:
            self._end(_("Canceled."))

    def close(self) -> None:
        """End everything at once; the ledger keeps what is done."""
        if self._job is not None:
            self._job.kill()
            self._job = None

    def open(self, key: str) -> None:
        """Read a scan of the study in view in the background, and review it: its volume is loaded and ticked."""
        if self.folder is None or self.opening:
            return
        self.opening = True
        self._changed()
        self._calls.start(self._review.reader(self.folder, key), self._opened, self._not_opened)

    def poll(self) -> None:
        """Take what the process and the readers have said."""
        self._calls.poll()
        while self._job is not None and (answer := self._job.answer()) is not None:
            self._take(answer)

    # ---- what they say

    def _take(self, answer: dict[str, Any]) -> None:
        event = answer["event"]
        if event == "planned":
            self._planned, self.doubts = True, tuple(answer["doubts"])
        elif event == "progress":
            self._progressed(answer)
        elif event == "done":
            self._end(_("Stopped; Run goes on.") if answer["stopped"] else self._end_text())
        else:
            self._end(unpack(answer["message"]))

    def _progressed(self, answer: dict[str, Any]) -> None:
        if answer["scan"] is not None and self._job is not None:
            scan = ScanSummary.from_json(answer["scan"])
            self.scans = {**self.scans, scan.key: scan}
        numbers = (answer["ended"], answer["total"], answer["failed"], answer["seconds_left"])
        progress = BatchProgress(*numbers)
        self.fraction = progress.ended / max(1, progress.total)
        self._say(progress.text)

    def _end(self, text: str) -> None:
        self.close()
        self._stopping = False
        self._say(text)

    def _end_text(self) -> str:
        done = [scan for scan in self.scans.values() if scan.done]
        text = _(
            "{done} of {total} scans are done: {found} points found, {doubtful} doubtful, {missing} not found."
        )
        return text.format(
            done=len(done),
            total=len(self.scans),
            found=sum(scan.found for scan in done),
            doubtful=sum(scan.doubtful for scan in done),
            missing=sum(scan.missing for scan in done),
        )

    def _list(self, folder: Path, scans: list[ScanSummary]) -> None:
        if folder == self.folder:
            # what the process has said meanwhile is newer
            self.scans = {scan.key: scan for scan in scans} | self.scans
            if scans and not self.running:
                self.text = self._end_text()
            self._changed()

    def _opened(self, loaded: LoadedScan) -> None:
        self.opening = False
        try:
            self._review.show(loaded)
        except UsageError as error:
            self._context.notices.notify_user(str(error))
        self._changed()

    def _not_opened(self, message: str) -> None:
        self.opening = False
        self._context.notices.notify_user(message)
        self._changed()

    def _say(self, text: str) -> None:
        self.text = text
        self._changed()

    def _changed(self) -> None:
        self._context.notices.notify(Change.BATCH)

    def _files(self, scans: BatchScans, output: Path) -> Callable[[Path, Callable[[], bool]], None]:
        """A function for another thread that describes the study in files; the scene is read here."""
        template, markups_node = self._context.jobs.template, self._context.store.template_markups
        settings, protocol = self._context.jobs.worker.settings, self._context.store.protocol
        if protocol:
            return lambda folder, canceled: write_job(folder, scans, output, protocol, settings)
        if template is None or markups_node is None:
            raise UsageError(self.blocking_reason)
        array, ijk_to_lps = volume_arrays(template.node)
        points = read_points(markups_node, template.node)
        own_file = source_path(template.node)
        others = (*scans.left_out, *([] if own_file is None else [own_file]))
        scans = BatchScans(scans.folder, scans.files, others)
        described = {
            "name": template.name,
            "ijk_to_lps": ijk_to_lps.tolist(),
            "points": [[point.label, list(point.position_lps)] for point in points],
        }

        def write(folder: Path, canceled: Callable[[], bool]) -> None:
            np.save(folder / VOXELS_FILE, array, allow_pickle=False)
            write_job(folder, scans, output, described, settings)

        return write


def _scans_in(folder: Path) -> list[ScanSummary]:
    """The scans that have ended of the study in a folder; none where there is no study."""
    return ended_scans(StudyOutcome.read(folder)) if (folder / LEDGER_NAME).is_file() else []
