"""Lesions that another process has described in a folder (see `job_description`): followed, or written as files.

The answers are on the standard output, one JSON object a line:

    {"event": "progress", "scan", "step", "fraction"}      scan: the name of its visit
    {"event": "done", "history"}                           history: see `history_document`; where lesions were followed
    {"event": "done", "files", "notes"}                    where files were written
    {"event": "failed", "kind", "message"}                 message: see `translation.pack`

It ends at once when its standard input ends.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ..core.geometry import transform_points
from ..core.lesions import LesionHistory, Mark
from ..core.volume import Volume
from ..engine.settings import WorkerSettings
from ..io.job_scans import JOB_FILE, JobScan
from ..io.lesion_json import history_document, read_history
from ..io.result_files import require_writable
from ..registration.files import write_image
from ..reporting.picture import require_matplotlib
from ..study.plan import StudyScan
from ..utils.child_processes import JobProgress, do_job
from ..utils.errors import SAMLandmarkError
from ..utils.translation import _
from .job_description import LESIONS_FILE
from .planning import PatientScans, doubts_of_dates
from .sdtm import write_sdtm
from .study import write_patient
from .tracker import DatedScan, track_lesions

_SAME_PLACE_MM = 0.5
"""So far the corners of a scan in the scene may lie from those of its DICOM images."""


class TrackJob:
    """The lesions and scans that the files in a folder describe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._job: dict[str, Any] = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
        self._scans = [JobScan.from_json(scan) for scan in self._job["scans"]]
        self._history = read_history(folder / LESIONS_FILE)

    def run(self) -> dict[str, Any]:
        """Do it; the last answer. Raises what tracking and writing raise."""
        if self._job["output"] is None:
            return {"event": "done", "history": history_document(self.track())}
        notes: list[str] = []
        files = self.write(Path(self._job["output"]), notes)
        return {"event": "done", "files": [str(file) for file in files], "notes": notes}

    def track(self) -> LesionHistory:
        """The lesions of the first visit followed through the others, by the tracker of the command line."""
        # late, because files are written without it
        from ..engine.runtime import EngineRuntime

        runtime = EngineRuntime(WorkerSettings(**self._job["settings"]), self._folder / "embeddings")
        teller = _TrackProgress([visit.name for visit in self._history.visits])
        marks = [
            Mark(track.lesion, finding) for track in self._history if (finding := track.at(0)) is not None
        ]
        scans = [
            DatedScan(visit, partial(self._read, number, teller), None if number else marks)
            for number, visit in enumerate(self._history.visits)
        ]
        history = track_lesions(runtime, self._history.patient, scans, teller)
        doubts = doubts_of_dates([self._file_scan(number) for number in range(len(scans))])
        return replace(history, notes=(*doubts, *history.notes))

    def write(self, output: Path, notes: list[str]) -> list[Path]:
        """All files that `samlandmark track` writes about a patient; what could not be written is added to `notes`."""
        require_matplotlib()
        require_writable(output)
        series = [self._dicom_scan(number) for number in range(len(self._scans))]
        for number, scan in enumerate(series):
            if scan is None and self._scans[number].files:
                told = _(
                    "{scan}: it lies elsewhere in the scene than its DICOM images say, so there is no report"
                )
                notes.append(told.format(scan=self._history.visits[number].name))
        scans = tuple(scan or self._written(number) for number, scan in enumerate(series))
        files = write_patient(output, PatientScans(self._history.patient, scans, {}), self._history, notes)
        return [*files, *write_sdtm(output, [self._history])]

    def _read(self, number: int, teller: _TrackProgress) -> Volume:
        teller.begin(number)
        return self._volume(number)

    def _volume(self, number: int) -> Volume:
        return self._scans[number].read(self._folder, self._history.visits[number].name)

    def _file_scan(self, number: int) -> StudyScan:
        visit = self._history.visits[number]
        return StudyScan(self._history.patient, visit.name, self._folder / f"scan-{number}.nrrd", visit.date)

    def _written(self, number: int) -> StudyScan:
        """A scan as a file, from which the pictures of the report are taken."""
        scan = self._file_scan(number)
        write_image(scan.path, self._volume(number))
        return scan

    def _dicom_scan(self, number: int) -> StudyScan | None:
        """The DICOM series of a scan; None where it has none, or lies at another place in the scene."""
        files = self._scans[number].files
        if not files:
            return None
        folder = Path(os.path.commonpath([str(Path(file).parent) for file in files]))
        names = tuple(Path(file).relative_to(folder).as_posix() for file in files)
        scan = replace(self._file_scan(number), path=folder, files=names)
        try:
            series = scan.read()
        except SAMLandmarkError:
            return None
        return scan if _lie_alike(series, self._volume(number)) else None


def _lie_alike(one: Volume, other: Volume) -> bool:
    """Whether two volumes fill the same place, in whichever order their voxels are stored."""
    first, second = _corners_lps(one), _corners_lps(other)
    apart = np.linalg.norm(first[:, None] - second[None], axis=2)
    return bool(apart.min(axis=1).max() <= _SAME_PLACE_MM)


def _corners_lps(volume: Volume) -> np.ndarray:
    last = np.array(volume.size_ijk) - 1
    return transform_points(volume.ijk_to_lps, np.array(list(product((0, 1), repeat=3))) * last)


class _TrackProgress:
    """Tells which scan is at work, and how much of all of them is done."""

    def __init__(self, names: list[str]) -> None:
        self._names, self._number, self._tell = names, 0, JobProgress()

    def begin(self, number: int) -> None:
        """A scan is read."""
        self._number = max(number, self._number)

    def __call__(self, step: str, fraction: float) -> None:
        done = (self._number + fraction) / len(self._names)
        self._tell(done, self._names[self._number], step)


def main() -> None:
    """Do the job in the folder that is the last argument."""
    do_job(lambda folder: TrackJob(folder).run())
