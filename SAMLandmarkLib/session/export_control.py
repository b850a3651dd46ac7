"""Exports of a session in the background: at most one, how far it is, and how the last one ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..reporting.pictures import Pictures
from ..utils.errors import UsageError
from ..utils.translation import _
from .background_job import BackgroundJob
from .context import SessionContext
from .export import ReviewExport
from .export_job import MODULE, ExportJob
from .status import Change, ExportEnd


class ExportControl:
    """Starts, follows and cancels exports; listeners of the session hear `Change.EXPORT`.

    `end` is how the last export ended, None while one runs and before the first.
    """

    def __init__(self, context: SessionContext) -> None:
        self.end: ExportEnd | None = None
        self._context = context
        self._job = BackgroundJob(MODULE, self._changed, self._ended)

    @property
    def running(self) -> bool:
        """Whether an export is being written."""
        return self._job.running

    @property
    def fraction(self) -> float:
        """How much of the export that runs is written, 0 to 1."""
        return self._job.fraction

    def start(self, folder: str | os.PathLike[str], pictures: Pictures = Pictures.DOUBTFUL) -> None:
        """Write what `TransferSession.export` writes; returns at once.

        Raises UsageError where there is nothing to export, or an export is running.
        """
        self.end = None
        export = ReviewExport.of_session(self._context.store, self._context.jobs)
        if export.is_empty:
            raise UsageError(_("There is nothing to export yet; transfer the landmarks first."))
        self._job.start(ExportJob(export, Path(folder), pictures).write, self._context.jobs.worker)

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write the markups of every scan, tables, the log and a report into a folder, here and now; returns the files.

        Positions are LPS mm in each scan's own frame, that is without parent transforms, as in the scan's own file.
        Raises OutputError where a file can't be written and UsageError where there is nothing to export.
        """
        return ReviewExport.of_session(self._context.store, self._context.jobs).write(folder)

    def cancel(self) -> None:
        """End the export that runs, if any; files that are written already stay."""
        self._job.cancel(_("The export was canceled; the folder may hold a part of it."))

    def close(self) -> None:
        """End the export that runs and tell nobody."""
        self._job.close()

    def poll(self) -> None:
        """Take what the process that writes has said."""
        self._job.poll()

    def _changed(self) -> None:
        self._context.notices.notify(Change.EXPORT)

    def _ended(self, answer: dict[str, Any] | None, problem: str) -> None:
        files = [] if answer is None else answer["files"]
        self.end = ExportEnd(tuple(map(Path, files)), problem)
        self._changed()
