"""An export as a folder of files, so that another process can write it, and what that process says of it.

`job.json` names the target folder, the scans with the `.npy` files of their voxels, the template's points, the review and
the pictures. The process answers on its standard output, one JSON object a line:

    {"event": "progress", "scan", "step", "fraction"}      scan, step: empty
    {"event": "done", "files"}
    {"event": "failed", "kind", "message"}      message: see `translation.pack`

It ends at once when its standard input ends.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.volume import Volume
from ..io.job_scans import JOB_FILE
from ..review import ReviewState
from ..utils.child_processes import JobProgress, do_job
from ..utils.errors import SAMLandmarkError
from .pictures import Pictures
from .review_files import write_review_files
from .scan_sections import ReportScan


def scan_document(
    key: str, name: str, date: str | None, provenance: Mapping[str, Any], file: str | None, ijk_to_lps: Any
) -> dict[str, Any]:
    """A scan of a job; `file` in the job's folder holds its voxels, None where no pictures are wanted of it."""
    affine = None if file is None else np.asarray(ijk_to_lps).tolist()
    return {
        "key": key,
        "name": name,
        "date": date,
        "provenance": dict(provenance),
        "file": file,
        "ijk_to_lps": affine,
    }


def write_job(
    folder: Path,
    target: Path,
    scans: Sequence[dict[str, Any]],
    points: Sequence[tuple[str, Sequence[float]]],
    state: ReviewState,
    pictures: Pictures,
    has_template: bool = True,
) -> None:
    """Write the description of a job, the template's scan first if there is one; OSError where that is not possible."""
    document = {
        "has_template": has_template,
        "folder": str(target),
        "scans": list(scans),
        "points": [[label, list(place)] for label, place in points],
        "state": state.to_json(),
        "pictures": pictures.value,
    }
    (folder / JOB_FILE).write_text(json.dumps(document), encoding="utf-8")


def run_job(folder: Path, progress: Callable[[float], None]) -> list[Path]:
    """Write the export that a job describes; see `write_review_files`."""
    job = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
    scans = [_scan(folder, scan) for scan in job["scans"]]
    template = scans.pop(0) if job["has_template"] else None
    return write_review_files(
        job["folder"],
        template,
        [(label, tuple(place)) for label, place in job["points"]],
        scans,
        ReviewState.from_json(job["state"]),
        Pictures(job["pictures"]),
        progress,
    )


def _scan(folder: Path, scan: dict[str, Any]) -> ReportScan:
    return ReportScan(scan["key"], scan["name"], scan["date"], _volume(folder, scan), scan["provenance"])


def _volume(folder: Path, scan: dict[str, Any]) -> Volume | None:
    if scan["file"] is None:
        return None
    try:
        array = np.load(folder / scan["file"], mmap_mode="r", allow_pickle=False)
        return Volume(array, np.array(scan["ijk_to_lps"]), name=scan["name"])
    except SAMLandmarkError:
        return None  # a report without pictures of this scan is better than none


def main() -> None:
    """Run the job in the folder that is the last argument."""
    do_job(lambda folder: {"event": "done", "files": [str(file) for file in run_job(folder, JobProgress())]})
