"""Lesions as a job for another process: followed through the scans, or written as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..core.lesions import LesionHistory
from ..engine.settings import WorkerSettings
from ..tracking.job_description import write_job
from .background_process import Prepare
from .job_scans import NodeScan, write_voxels

MODULE = "SAMLandmarkLib.tracking.track_job"


def lesion_job(
    history: LesionHistory,
    scans: Sequence[NodeScan],
    settings: WorkerSettings,
    output: Path | None = None,
) -> Prepare:
    """A function for another thread that describes the job in files; see `tracking.job_description.write_job`."""

    def write(folder: Path, canceled: Callable[[], bool]) -> None:
        write_voxels(folder, scans, canceled)
        write_job(folder, [scan.described for scan in scans], history, settings, output)

    return write
