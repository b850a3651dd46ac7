"""The process that runs one job: reads it from stdin, writes what it found to the file named first."""

from __future__ import annotations

import json
import sys
import time
from math import isfinite
from pathlib import Path

from ...child_processes import be_the_first_to_go
from .job import Job, peak_bytes


def main() -> None:
    be_the_first_to_go()
    job = Job.parse(sys.stdin.read())
    started = time.perf_counter()
    peer, landmarks, volume_class = _loaded(job)
    loaded = time.perf_counter()
    template, target = volume_class.read(job.template), volume_class.read(job.target)
    read = time.perf_counter()
    found = peer.transfer(template, landmarks, target)
    done = time.perf_counter()
    document = {
        "found_lps": [[float(value) if isfinite(value) else None for value in point] for point in found],
        "peak_bytes": peak_bytes(),
        "parts": {"load": loaded - started, "read": read - loaded, "transfer": done - read},
    }
    Path(sys.argv[1]).write_text(json.dumps(document))


def _loaded(job: Job):
    """The peer and what it needs, with its packages imported, so that this is not part of the transfer."""
    from ...landmarks import LandmarkSet
    from ...volume import Volume
    from ..peers.registry import peer_named

    peer = peer_named(job.peer, job.same_patient)
    peer.load()
    return peer, LandmarkSet.from_points(job.labels, job.positions_lps), Volume


if __name__ == "__main__":
    main()
