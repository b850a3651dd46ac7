"""Lesions to be followed, or to be written, as a folder of files for another process; light, since Slicer loads it.

`job.json` names the patient, the settings, the folder of the results where files are to be written, and the scans, whose
voxels lie beside it; `lesions.json` holds the lesions: those of the baseline, or all of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ..core.lesions import LesionHistory
from ..engine.settings import WorkerSettings
from ..io.job_scans import JOB_FILE, JobScan
from ..io.lesion_json import write_history

LESIONS_FILE = "lesions.json"


def write_job(
    folder: Path,
    scans: Sequence[JobScan],
    history: LesionHistory,
    settings: WorkerSettings,
    output: Path | None = None,
) -> None:
    """Write the description of a job; OSError and OutputError where that is not possible.

    Without `output` the lesions of the first visit are followed through the others; with it all files about them are
    written there. The caller writes the voxels.
    """
    document = {
        "patient": history.patient,
        "scans": [asdict(scan) for scan in scans],
        "settings": settings.to_json(),
        "output": None if output is None else str(output),
    }
    (folder / JOB_FILE).write_text(json.dumps(document), encoding="utf-8")
    write_history(folder / LESIONS_FILE, history)
