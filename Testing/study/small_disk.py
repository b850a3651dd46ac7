"""A study on a disk that is full, then has room, then takes nothing more: test_disks starts it where it may mount one.

    python small_disk.py MANIFEST DISK

Prints what each run ended with, "" where it was done, and the table that the second one wrote, as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from SAMLandmarkLib.engine.settings import WorkerSettings
from SAMLandmarkLib.study.executors.in_process import InProcessExecutor
from SAMLandmarkLib.study.ledger import State
from SAMLandmarkLib.study.manifest import read_manifest
from SAMLandmarkLib.study.pending import StudyRequest
from SAMLandmarkLib.study.runner import StudyRun
from SAMLandmarkLib.utils.errors import SAMLandmarkError


def main(manifest: Path, disk: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "none", str(disk), "-o"]
    said = {}
    for name, options in {
        "full": "size=64k",
        "tight": "remount,size=320k",
        "roomy": "remount,size=256m",
        "read-only": "remount,ro",
    }.items():
        subprocess.run([*mount, options], check=True)
        said[name] = ended(manifest, disk)
    table = (disk / "out" / "study.csv").read_text()
    print(json.dumps({"said": said, "table": table}))


def ended(manifest: Path, disk: Path) -> str:
    """What a run ends with, or says of the scans that it could not do."""
    settings = WorkerSettings(device="cpu", threads=1, cache_folder=disk / "cache")
    request = StudyRequest(read_manifest(manifest).plan, disk / "out", settings, resume=True)
    try:
        outcome = StudyRun(request, lambda: InProcessExecutor(settings)).carry_out()
    except SAMLandmarkError as error:
        return str(error)
    scans = [scan for patient in outcome.patients for scan in patient.scans]
    return "; ".join(scan.reason for scan in scans if scan.state is not State.DONE)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
