"""A study that another process has described in a folder (see `batch_description`), and what is said of it.

The answers are on the standard output, one JSON object a line:

    {"event": "planned", "scans", "doubts"}
    {"event": "progress", "ended", "total", "failed", "seconds_left", "scan"}     scan: of `ScanSummary`, or null
    {"event": "done", "stopped"}
    {"event": "failed", "kind", "message"}      message: see `translation.pack`

The study stops, and keeps what is done, when the line "stop" is read, and at once when the standard input ends.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.volume import Volume
from ..engine.settings import WorkerSettings
from ..io.job_scans import JOB_FILE
from ..io.landmark_files import write_markups
from ..io.result_files import require_writable
from ..io.target_names import MARKUPS_SUFFIX, file_name
from ..registration.files import write_image
from ..utils.child_processes import do_job, say
from ..utils.files import create_folder
from .batch_description import STOP, VOXELS_FILE
from .executors.opening import default_threads, open_executor
from .outcome import ScanOutcome
from .output_folder import has_study
from .pending import StudyRequest
from .plan import StudyPlan
from .planning import (
    dicom_files_plan,
    protocol_files_plan,
    protocol_plan,
    study_plan,
    with_earlier_names,
)
from .runner import StudyRun
from .scan_summary import ScanSummary
from .study_progress import StudyProgress

TEMPLATE_FOLDER = "_template"
"""Where the template lies in the folder of the results, since it came from a scene and may have no file of its own."""


class BatchJob:
    """The study that the files in a folder describe; `stop` is set by whoever wants it to end early."""

    def __init__(self, folder: Path, stop: threading.Event) -> None:
        self._folder, self._stop = folder, stop
        self._job: dict[str, Any] = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
        self._output = Path(self._job["output"])

    def run(self) -> None:
        """Plan, say the plan, run and say the progress. Raises what planning and running raise."""
        require_writable(self._output)
        doubts: list[str] = []
        settings = WorkerSettings(**self._job["settings"])
        plan = self._plan(settings, doubts)
        say({"event": "planned", "scans": len(plan), "doubts": doubts})
        request = StudyRequest(plan, self._output, settings, resume=has_study(self._output))
        request = request.with_threads(default_threads(workers=1))
        scans = {scan.key: scan for _patient, scan in plan}

        def tell(progress: StudyProgress) -> None:
            last = progress.last
            summary = None
            if last is not None:
                outcome = ScanOutcome.read(self._output, scans[last.key], last.state, last.reason)
                summary = ScanSummary.of(outcome).to_json()
            say(_progress_event(progress, summary))

        StudyRun(request, lambda: open_executor(request, 1)).carry_out(tell, self._stop.is_set)

    def _plan(self, settings: WorkerSettings, doubts: list[str]) -> StudyPlan:
        if self._job["files"]:
            return with_earlier_names(self._plan_of_files(settings, doubts), self._output)
        scans, left_out = Path(self._job["folder"]), [Path(path) for path in self._job["left_out"]]
        if protocol := self._job["protocol"]:
            return protocol_plan(scans, self._output, protocol, settings, doubts.append, left_out)
        template, landmarks = self._write_template()
        return study_plan(scans, self._output, template, landmarks, None, doubts.append, left_out)

    def _plan_of_files(self, settings: WorkerSettings, doubts: list[str]) -> StudyPlan:
        files = [Path(file) for file in self._job["files"]]
        if protocol := self._job["protocol"]:
            return protocol_files_plan(files, protocol, settings, doubts.append)
        template, landmarks = self._write_template()
        return dicom_files_plan(files, template, landmarks, doubts.append)

    def _write_template(self) -> tuple[Path, Path]:
        """Volume and landmarks of the template in the folder of the results; the same voxels in the same file."""
        values = self._job["template"]
        array, ijk_to_lps = np.load(self._folder / VOXELS_FILE, allow_pickle=False), values["ijk_to_lps"]
        volume = Volume(array, np.array(ijk_to_lps), name=values["name"])
        place = create_folder(self._output / TEMPLATE_FOLDER)
        stem = f"{volume.name} {_digest(array, ijk_to_lps)}"
        image, landmarks = place / file_name(stem, ".nrrd"), place / file_name(stem, MARKUPS_SUFFIX)
        if not image.exists():
            write_image(image, volume)
        labels = [label for label, _place in values["points"]]
        write_markups(landmarks, labels, np.array([place for _label, place in values["points"]]))
        return image, landmarks


def _digest(array: np.ndarray, ijk_to_lps: Sequence[Sequence[float]]) -> str:
    """A short name for voxels and their place, the same for the same ones."""
    digest = hashlib.sha256(json.dumps([ijk_to_lps, array.shape, array.dtype.str]).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:12]


def _progress_event(progress: StudyProgress, summary: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "event": "progress",
        "ended": progress.ended,
        "total": progress.total,
        "failed": progress.failed,
        "seconds_left": progress.seconds_left,
        "scan": summary,
    }


def main() -> None:
    """Run the study in the folder that is the last argument."""
    stop = threading.Event()

    def job(folder: Path) -> dict[str, Any]:
        BatchJob(folder, stop).run()
        return {"event": "done", "stopped": stop.is_set()}

    do_job(job, lambda line: stop.set() if line == STOP else None)
