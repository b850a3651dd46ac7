"""The process that measures one size of scans: reads what to do from stdin, writes what it measured to stdout."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .job import peak_bytes

if TYPE_CHECKING:
    from ...core.landmarks import LandmarkSet
    from ...core.volume import Volume
    from ...engine.runtime import EngineRuntime
    from ...engine.scans import EmbeddedScan

COLD_POINTS = 20
WARM_RUNS = 10
DRAG_STEPS = 40
DRAG_STEP_MM = 1.0
MARGIN = 0.15
"""Part of the scan at each side that gets no points."""


def main() -> None:
    """Do the task that standard input tells."""
    task = json.loads(sys.stdin.read())
    from ...core.volume import Volume
    from ...engine.runtime import EngineRuntime
    from ...engine.settings import WorkerSettings

    # wall-clock, since the parent's monotonic clock is not this one's
    cold = {"start": time.time() - task["started"]}
    folder = Path(task["folder"])
    # what is measured is computed, so nothing is kept
    settings = WorkerSettings(max_memory=task.get("max_memory"), cache_limit_bytes=0)
    runtime = _timed(cold, "load", lambda: EngineRuntime(settings, folder))
    paths = [folder / f"{name}.nii" for name in ("template", "followup")]
    prepared, landmarks = [], None
    for path in paths:
        # the voxels that were read are let go once they are resampled, as `samlandmark transfer` does
        volume = _timed(cold, "read", partial(Volume.read, path))
        landmarks = landmarks or _random_landmarks(volume, COLD_POINTS)
        prepared.append(_timed(cold, "resample", partial(runtime.prepare, volume)))
        del volume
    scans = _timed(cold, "embed", lambda: [runtime.embed(scan) for scan in prepared])
    _timed(cold, "match", lambda: runtime.transfer(scans[0], landmarks, scans[1]))
    peak = peak_bytes()
    template, target = map(Volume.read, paths)
    document = {
        "cold": cold,
        "warm": _warm(runtime, scans, template, target, landmarks),
        "points": [_points(runtime, scans, template, count) for count in task["points"]],
        "peak_bytes": peak,
    }
    sys.stdout.write(json.dumps(document))


def _timed(seconds: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    result = work()
    seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started
    return result


def _warm(
    runtime: EngineRuntime,
    scans: list[EmbeddedScan],
    template: Volume,
    target: Volume,
    landmarks: LandmarkSet,
) -> dict[str, float]:
    """Seconds for one more point and for one more target with 20 points, and updates a second of a dragged point."""
    seconds: dict[str, float] = {}
    one = _random_landmarks(template, WARM_RUNS)
    times = []
    for item in one:
        started = time.perf_counter()
        runtime.transfer(scans[0], _at(item.position_lps), scans[1])
        times.append(time.perf_counter() - started)
    _timed(seconds, "target", lambda: runtime.transfer(scans[0], landmarks, runtime.embed_volume(target)))
    start = one[0].position_lps
    path = [start + [DRAG_STEP_MM * step, 0.0, 0.0] for step in range(DRAG_STEPS)]
    _timed(seconds, "drag", lambda: [runtime.transfer(scans[0], _at(point), scans[1]) for point in path])
    return {
        "one_more_point": statistics.median(times),
        "one_more_target": seconds["target"],
        "drag_per_second": DRAG_STEPS / seconds["drag"],
    }


def _points(
    runtime: EngineRuntime, scans: list[EmbeddedScan], template: Volume, count: int
) -> dict[str, float]:
    seconds: dict[str, float] = {}
    landmarks = _random_landmarks(template, count)
    _timed(seconds, "match", lambda: runtime.transfer(scans[0], landmarks, scans[1]))
    return {"points": count, "seconds": seconds["match"]}


def _random_landmarks(volume: Volume, count: int) -> LandmarkSet:
    size = np.array(volume.size_ijk)
    index = np.random.default_rng(0).uniform(MARGIN * size, (1 - MARGIN) * size, (count, 3))
    return _set_of_points(volume.lps_from_index(index))


def _set_of_points(points_lps: np.ndarray) -> LandmarkSet:
    from ...core.landmarks import LandmarkSet

    return LandmarkSet.from_points([f"p{number}" for number in range(len(points_lps))], points_lps)


def _at(point_lps: np.ndarray) -> LandmarkSet:
    return _set_of_points(point_lps[None])


if __name__ == "__main__":
    main()
