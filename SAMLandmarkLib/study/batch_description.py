"""A study as a folder of files, so that another process can run it; light, since Slicer loads it at its start.

`job.json` names the scans, the folder of the results, the template with its landmarks or the protocol, and the settings;
the voxels of the template lie beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine.settings import WorkerSettings
from ..io.job_scans import JOB_FILE

VOXELS_FILE = "template.npy"
STOP = "stop"
"""The line that lets a study that runs stop."""


@dataclass(frozen=True)
class BatchScans:
    """The scans of a study: all of a `folder` but the files `left_out`, or those that DICOM `files` hold."""

    folder: str = ""
    files: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def write_job(
    folder: Path,
    scans: BatchScans,
    output: Path,
    source: Mapping[str, Any] | str,
    settings: WorkerSettings,
) -> None:
    """Write the description of a study; OSError where that is not possible.

    `source` is the protocol, as `StudyProtocol.named` takes it, or the template with "name", "ijk_to_lps" as lists and
    "points", pairs of label and place in LPS mm; the caller writes the template's voxels `[z, y, x]` into VOXELS_FILE.
    """
    document = {
        "folder": scans.folder,
        "files": list(scans.files),
        "left_out": list(scans.left_out),
        "output": str(output),
        "protocol": source if isinstance(source, str) else None,
        "template": None if isinstance(source, str) else dict(source),
        "settings": settings.to_json(),
    }
    (folder / JOB_FILE).write_text(json.dumps(document), encoding="utf-8")
