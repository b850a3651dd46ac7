"""An export by a process of its own: the window stays free, and the export can be cancelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..reporting.export_job import scan_document, write_job
from ..reporting.pictures import Pictures
from ..utils.errors import UsageError
from ..utils.translation import _, unpack
from .background_process import BackgroundProcess
from .export import ExportScan, ReviewExport

_MODULE = "SAMLandmarkLib.reporting.export_job"


class BackgroundExport:
    """At most one export at a time, by the Python of the worker.

    From `poll` are called: `on_change()` when it goes on, and once at its end `on_end(files, problem)` with a sentence
    that is empty where all went well.
    """

    def __init__(self, on_change: Callable[[], None], on_end: Callable[[Sequence[Path], str], None]) -> None:
        self.fraction = 0.0
        self._on_change, self._on_end = on_change, on_end
        self._job: BackgroundProcess | None = None

    @property
    def running(self) -> bool:
        """Whether an export is being written."""
        return self._job is not None

    def start(
        self,
        export: ReviewExport,
        folder: Path,
        pictures: Pictures,
        python: Sequence[str],
        environment: Mapping[str, str] | None,
    ) -> None:
        """Write an export into `folder`. Raises UsageError where there is nothing to write, or one is running."""
        if self._job is not None:
            raise UsageError(_("An export is being written; wait for its end, or cancel it."))
        if export.is_empty:
            raise UsageError(_("There is nothing to export yet; transfer the landmarks first."))
        self.fraction = 0.0
        files = _JobFiles(export, folder, pictures)
        self._job = BackgroundProcess(_MODULE, files.write, python, environment)
        self._on_change()

    def cancel(self) -> None:
        """End it; files that are written already stay."""
        if self._job is not None:
            self._job.kill()
            self._job = None
            self._on_end((), _("The export was canceled; the folder may hold a part of it."))

    def poll(self) -> None:
        """Take what the process has said."""
        while self._job is not None and (answer := self._job.answer()) is not None:
            self._take(answer)

    def _take(self, answer: dict[str, Any]) -> None:
        if answer["event"] == "progress":
            self.fraction = answer["fraction"]
            self._on_change()
            return
        self._job = None
        if answer["event"] == "done":
            self._on_end([Path(file) for file in answer["files"]], "")
        else:
            self._on_end((), unpack(answer["message"]))


class _JobFiles:
    """What describes an export to the process that writes it; `write` is for another thread than the scene's."""

    def __init__(self, export: ReviewExport, target: Path, pictures: Pictures) -> None:
        self._export, self._target, self._pictures = export, target, pictures
        # the scene belongs to this thread, so what comes from it is taken here; only the voxels are written later
        scans = [scan for scan in (export.template, *export.follow_ups) if scan is not None]
        self._scans = [(scan, self._voxels_of(scan)) for scan in scans]

    def _voxels_of(self, scan: ExportScan) -> tuple[np.ndarray, np.ndarray] | None:
        return None if self._pictures is Pictures.NONE else scan.voxels

    def write(self, folder: Path, canceled: Callable[[], bool]) -> None:
        """Write the voxels of the scans and the description of the job."""
        documents = []
        for number, (scan, voxels) in enumerate(self._scans):
            file = None if voxels is None else f"scan-{number}.npy"
            if voxels is not None and not canceled():
                np.save(folder / f"scan-{number}.npy", voxels[0], allow_pickle=False)
            affine = None if voxels is None else voxels[1]
            documents.append(scan_document(scan.key, scan.name, scan.date, scan.provenance, file, affine))
        export = self._export
        has_template = export.template is not None
        write_job(folder, self._target, documents, export.points, export.state, self._pictures, has_template)
