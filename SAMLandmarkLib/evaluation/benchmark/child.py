"""The process that runs one job: reads it from stdin, writes what it found to the file named first."""

from __future__ import annotations

import json
import sys
import time
from math import isfinite
from pathlib import Path

from ...utils.child_processes import be_the_first_to_go
from .job import BenchmarkJob, peak_bytes


def main() -> None:
    """Do the job that standard input tells."""
    be_the_first_to_go()
    job = BenchmarkJob.parse(sys.stdin.read())
    started = time.perf_counter()
    baseline, landmarks, volume_class = _loaded(job)
    loaded = time.perf_counter()
    template, target = volume_class.read(job.template), volume_class.read(job.target)
    read = time.perf_counter()
    found = baseline.transfer(template, landmarks, target)
    done = time.perf_counter()
    document = {
        "found_lps": [[float(value) if isfinite(value) else None for value in point] for point in found],
        "peak_bytes": peak_bytes(),
        "parts": {"load": loaded - started, "read": read - loaded, "transfer": done - read},
    }
    Path(sys.argv[1]).write_text(json.dumps(document))


def _loaded(job: BenchmarkJob):
    """The baseline and what it needs, with its packages imported, so that this is not part of the transfer."""
    from ...core.landmarks import LandmarkSet
    from ...core.volume import Volume
    from ..baselines.registry import baseline_named

    baseline = baseline_named(job.baseline, job.same_patient)
    baseline.load()
    return baseline, LandmarkSet.from_points(job.labels, job.positions_lps), Volume


if __name__ == "__main__":
    main()
