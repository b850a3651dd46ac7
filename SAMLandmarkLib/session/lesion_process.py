"""Lesions that a process of its own follows or writes: the window stays free, and the work can be canceled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.lesions import LesionHistory
from ..scene.modality import kind_name
from ..scene.mrml import VolumeNode
from ..scene.volumes import volume_arrays
from ..tracking.job_description import JobScan, write_job
from ..utils.errors import UsageError
from ..utils.translation import _, unpack
from ..worker.client import WorkerClient
from .background_process import BackgroundProcess
from .status import step_in_words

_MODULE = "SAMLandmarkLib.tracking.track_job"


class LesionProcess:
    """At most one job at a time, by the Python of the worker.

    From `poll` are called: `on_change()` when it goes on, and once at its end `on_end(answer, problem)`: the last answer
    of `tracking.track_job`, or None and a sentence.
    """

    def __init__(
        self, on_change: Callable[[], None], on_end: Callable[[dict[str, Any] | None, str], None]
    ) -> None:
        self.fraction, self.text = 0.0, ""
        self._on_change, self._on_end = on_change, on_end
        self._job: BackgroundProcess | None = None

    @property
    def running(self) -> bool:
        """Whether a job is being done."""
        return self._job is not None

    def start(
        self,
        history: LesionHistory,
        scans: Sequence[tuple[np.ndarray, JobScan]],
        worker: WorkerClient,
        output: Path | None = None,
    ) -> None:
        """Do a job on scans, arrays with what is known of them; see `write_job`. Raises UsageError where one is done."""
        if self._job is not None:
            raise UsageError(_("Lesions are being worked on; wait for the end, or cancel."))
        settings = worker.settings

        def write(folder: Path, canceled: Callable[[], bool]) -> None:
            for array, scan in scans:
                if not canceled():
                    np.save(folder / scan.voxels, array, allow_pickle=False)
            write_job(folder, [scan for _array, scan in scans], history, settings, output)

        self.fraction = 0.0
        self.text = _("Writing the files.") if output else _("Starting.")
        self._job = BackgroundProcess(_MODULE, write, worker.python, worker.environment)
        self._on_change()

    def cancel(self) -> None:
        """End what runs, if anything."""
        if self._job is not None:
            self.close()
            self._on_end(None, _("Canceled."))

    def close(self) -> None:
        """End what runs and tell nobody."""
        if self._job is not None:
            self._job.kill()
            self._job = None

    def poll(self) -> None:
        """Take what the process has said."""
        while self._job is not None and (answer := self._job.answer()) is not None:
            self._take(answer)

    def _take(self, answer: dict[str, Any]) -> None:
        if answer["event"] == "progress":
            self.fraction = answer["fraction"]
            self.text = f"{answer['scan']}: {step_in_words(answer['step'])}"
            self._on_change()
            return
        self._job = None
        if answer["event"] == "done":
            self._on_end(answer, "")
        else:
            self._on_end(None, unpack(answer["message"]))


def job_scan(
    volume_node: VolumeNode, number: int, upright_from_own: np.ndarray, files: Sequence[str] = ()
) -> tuple[np.ndarray, JobScan]:
    """The voxels of a volume and what a job has to know of them. Raises VolumeError where it has none."""
    array, ijk_to_lps = volume_arrays(volume_node)
    placed = (upright_from_own @ ijk_to_lps).tolist()
    return array, JobScan(f"scan-{number}.npy", placed, kind_name(volume_node), tuple(files))
