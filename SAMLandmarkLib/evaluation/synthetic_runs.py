"""Running semi-synthetic pairs through the engine, whole and with a cropped field of view."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.landmarks import LandmarkSet
from ..core.volume import Volume
from ..io.volume_paths import volume_name
from ..utils.errors import SAMLandmarkError
from .edge_points import edge_points
from .records import KnownAnswer, View
from .runs import Progress, SetRun
from .synthetic import SyntheticTarget, cropped_target, synthetic_target

if TYPE_CHECKING:
    from ..engine.runtime import EngineRuntime
    from ..engine.scans import EmbeddedScan

# This near the border of a cropped scan, an answer just inside and "not here" are both right.
BORDER_MM = 5.0
SYNTHETIC_NAME = "synthetic"


def run_synthetic(
    runtime: EngineRuntime, paths: Sequence[Path], points: int, seed: int, progress: Progress | None = None
) -> tuple[SetRun, SetRun]:
    """Deform each volume and find its points again, in the whole target and in half of it.

    A volume that can't be used is left out and named in the first run's `skipped`. The random numbers depend
    on `seed` and on the volume's file and folder name only.
    """
    whole, cropped = (
        SetRun(name, semi_synthetic=True) for name in (SYNTHETIC_NAME, f"{SYNTHETIC_NAME}-cropped")
    )
    for index, path in enumerate(paths):
        name = f"{path.parent.name}/{volume_name(path)}"
        if progress:
            progress(name, index / len(paths))
        try:
            _run_volume(runtime, runtime.engine.read(path), name, points, seed, whole, cropped)
        except SAMLandmarkError as error:
            whole.skipped.append(str(error))
    return whole, cropped


def _run_volume(
    runtime: EngineRuntime,
    template: Volume,
    name: str,
    points: int,
    seed: int,
    whole: SetRun,
    cropped: SetRun,
) -> None:
    random = np.random.default_rng((seed, zlib.crc32(name.encode())))
    landmarks = edge_points(template, points, random)
    target = synthetic_target(template, landmarks, random)
    embedding = _embed(runtime, template, whole)
    for run, part in ((whole, target), (cropped, cropped_target(target, random))):
        run.transfer(
            runtime,
            embedding,
            landmarks,
            _embed(runtime, part.volume, run),
            _known_answers(landmarks, part),
            (name, part.volume.name),
        )


def _known_answers(landmarks: LandmarkSet, target: SyntheticTarget) -> list[KnownAnswer]:
    places = zip(landmarks.labels, target.positions_lps, target.distances_to_border_mm)
    return [KnownAnswer(label, position, view=_view(distance)) for label, position, distance in places]


def _embed(runtime: EngineRuntime, volume: Volume, run: SetRun) -> EmbeddedScan:
    started = time.perf_counter()
    scan = runtime.embed_volume(volume)
    run.embedding_seconds += time.perf_counter() - started
    return scan


def _view(distance_to_border_mm: float) -> View:
    if distance_to_border_mm > BORDER_MM:
        return View.VISIBLE
    return View.VANISHED if distance_to_border_mm < -BORDER_MM else View.BORDER
