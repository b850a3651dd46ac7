"""A registration that another process has described in a folder; light at file scope, since Slicer loads it.

`job.json` names the two scans, whose voxels lie beside it, the profile, the settings and the folder of the results. The
answers are on the standard output, one JSON object a line:

    {"event": "progress", "scan", "step", "fraction"}
    {"event": "done", "facts"}                          facts: see `registration_facts`
    {"event": "failed", "kind", "message"}              message: see `translation.pack`

The results are the transform and `VOXELS_NAME`, the target's voxels on the template's. The process ends at once when its
standard input ends.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.transforms import PointTransform, resample_through
from ..engine.settings import WorkerSettings
from ..io.job_scans import JOB_FILE, JobScan
from ..utils.child_processes import JobProgress, do_job
from .files import TRANSFORM_NAME

if TYPE_CHECKING:
    from ..engine.runtime import EngineRuntime
    from ..engine.scans import EmbeddedScan
    from .registration import Registration

VOXELS_NAME = "registered.npy"
_EMBEDDED, _REGISTERED = 0.3, 0.95
"""How much of the work is done when both scans are embedded, and when they are registered."""


def write_job(
    folder: Path,
    scans: Sequence[JobScan],
    names: Sequence[str],
    frames: Sequence[np.ndarray],
    profile: str,
    settings: WorkerSettings,
    output: Path,
) -> None:
    """Write the description of a job: template and target, in this order; OSError where that is not possible.

    `frames` are 4x4 maps, LPS mm, from the own frame of each scan to that in which it is given here; the transform that
    is written is between the own frames. The caller writes the voxels.
    """
    document = {
        "scans": [asdict(scan) for scan in scans],
        "names": list(names),
        "frames": [frame.tolist() for frame in frames],
        "profile": profile,
        "settings": settings.to_json(),
        "output": str(output),
    }
    (folder / JOB_FILE).write_text(json.dumps(document), encoding="utf-8")


def run_job(folder: Path) -> dict[str, Any]:
    """Register as a job says; the last answer. Raises what reading, embedding and registering raise."""
    # late, because it loads torch
    from ..engine.runtime import EngineRuntime

    job = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
    names, tell = job["names"], JobProgress()
    volumes = [
        JobScan.from_json(scan).read(folder, name) for scan, name in zip(job["scans"], names, strict=True)
    ]
    runtime = EngineRuntime(WorkerSettings(**job["settings"]), folder / "embeddings")
    scans = [_embedded(runtime, volume, number, tell) for number, volume in enumerate(volumes)]
    registration = runtime.register(
        scans[0], scans[1], job["profile"], _Part(tell, _EMBEDDED, _REGISTERED, names[1])
    )
    tell(_REGISTERED, names[1], "registered volume")
    output = Path(job["output"])
    between_own_frames(registration.transform, *map(np.array, job["frames"])).write(output / TRANSFORM_NAME)
    voxels = resample_through(volumes[1], registration.transform, registration.template_region)
    np.save(output / VOXELS_NAME, voxels, allow_pickle=False)
    return {"event": "done", "facts": registration_facts(registration)}


def between_own_frames(
    transform: PointTransform, template_frame: np.ndarray, target_frame: np.ndarray
) -> PointTransform:
    """A transform between two scans, given in other frames, as one between their own; see `write_job`."""
    before = () if np.array_equal(template_frame, np.eye(4)) else (template_frame,)
    after = () if np.array_equal(target_frame, np.eye(4)) else (np.linalg.inv(target_frame),)
    return PointTransform((*before, *transform.steps, *after))


def registration_facts(registration: Registration) -> dict[str, Any]:
    """What a reader should know of a registration, in types of JSON: its profile and its `quality`."""
    return {"profile": registration.settings["profile"], **registration.quality}


def _embedded(runtime: EngineRuntime, volume: Any, number: int, tell: JobProgress) -> EmbeddedScan:
    share = _EMBEDDED / 2
    scan = runtime.embed_volume(volume, _Part(tell, number * share, (number + 1) * share, volume.name))
    runtime.keep(scan)
    return scan


class _Part:
    """Progress of a part of the work, which lies between two fractions of the whole."""

    def __init__(self, tell: JobProgress, begin: float, end: float, scan: str) -> None:
        self._tell, self._begin, self._end, self._scan = tell, begin, end, scan

    def __call__(self, step: str, fraction: float) -> None:
        self._tell(self._begin + (self._end - self._begin) * fraction, self._scan, step)


def main() -> None:
    """Do the job in the folder that is the last argument."""
    do_job(run_job)
