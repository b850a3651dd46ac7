"""Time and memory of the engine on a chest-sized pair of scans: python benchmarks/speed.py [--runs N] [--profile fast]

The bundled pair is repeated and cropped to 300 x 400 x 400 mm at 0.8 x 0.8 x 1.25 mm (500 x 500 x 240 voxels), so
that the figures can be had from a checkout alone. Reading files is excluded. Prints the median of the runs, and the
peak memory of the whole process, the two scans included.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from SAMLandmarkLib import Landmark, LandmarkSet, TransferEngine, Volume
from SAMLandmarkLib.evaluation.provenance import describe_run
from SAMLandmarkLib.evaluation.tiled_volumes import tiled_volume
from SAMLandmarkLib.models.precision import PRECISIONS
from SAMLandmarkLib.utils.bundled import bundled_folder

SPACING_MM = (0.8, 0.8, 1.25)
SIZE_IJK = (500, 500, 240)
POINTS = 20


def random_landmarks(volume: Volume, count: int) -> LandmarkSet:
    index = np.random.default_rng(0).uniform(40, np.array(volume.size_ijk) - 40, (count, 3))
    return LandmarkSet(
        [Landmark(f"p{number}", point) for number, point in enumerate(volume.lps_from_index(index))]
    )


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto", choices=PRECISIONS)
    parser.add_argument("--profile", default="accurate", choices=("accurate", "fast"))
    arguments = parser.parse_args()
    new_engine = partial(
        TransferEngine,
        device=arguments.device,
        profile=arguments.profile,
        precision=arguments.precision,
    )
    loading = seconds_of(new_engine)
    medians, engine = measured(new_engine, arguments.runs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    document = {
        "profile": arguments.profile,
        "precision": engine.model.precision,
        "seconds": {"load the model": round(loading, 3)} | medians,
        "peak_gib": round(peak, 2),
    }
    print(json.dumps(document | describe_run(), indent=1))


def measured(new_engine: Callable[[], TransferEngine], runs: int) -> tuple[dict[str, float], TransferEngine]:
    """Median seconds of each kind of work over the runs, and the engine of the last."""
    samples = bundled_folder("SampleData")
    template, target = (
        tiled_volume(Volume.read(samples / name), SIZE_IJK, SPACING_MM)
        for name in ("template.nii.gz", "followup.nii.gz")
    )
    landmarks = random_landmarks(template, POINTS)
    one = LandmarkSet([landmarks[0]])
    rows = []
    for _ in range(runs):
        engine = new_engine()
        everything = seconds_of(lambda: engine.transfer(template, landmarks, target))
        rows.append(
            {
                "both embeddings and 20 points": everything,
                "20 points again": seconds_of(lambda: engine.transfer(template, landmarks, target)),
                "one more point": statistics.median(
                    seconds_of(lambda: engine.transfer(template, one, target)) for _ in range(20)
                ),
            }
        )
    return {name: round(statistics.median(row[name] for row in rows), 4) for name in rows[0]}, engine


if __name__ == "__main__":
    main()
