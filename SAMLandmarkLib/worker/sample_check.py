"""Whether the engine finds the landmarks of the bundled sample where they are known to be."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.landmarks import LandmarkSet
from ..core.volume import Volume
from ..utils.bundled import bundled_folder

if TYPE_CHECKING:
    from ..engine.runtime import EngineRuntime

TOLERANCE_MM = 6.0
"""Well above the median error on the sample that is measured (docs/accuracy.md), well below a wrong organ."""


def check_on_sample(runtime: EngineRuntime) -> dict[str, Any]:
    """Transfer the landmarks of the sample pair: how many there are, the median error in mm, whether that is right.

    Raises SAMLandmarkError where the sample is missing.
    """
    started = time.perf_counter()
    folder = bundled_folder("SampleData")
    template, target = (
        runtime.embed_volume(Volume.read(folder / f"{name}.nii.gz")) for name in ("template", "followup")
    )
    landmarks, known = (
        LandmarkSet.read(folder / f"{name}.csv", csv_frame="LPS") for name in ("template", "followup")
    )
    true_lps = dict(zip(known.labels, known.positions_lps, strict=True))
    result = runtime.transfer(template, landmarks, target)
    errors_mm = [
        np.inf
        if item.position_lps is None
        else float(np.linalg.norm(item.position_lps - true_lps[item.label]))
        for item in result
        if item.label in true_lps
    ]
    median_mm = float(np.median(errors_mm))
    return {
        "points": len(errors_mm),
        "median_mm": median_mm if np.isfinite(median_mm) else None,
        "right": median_mm <= TOLERANCE_MM,
        "seconds": time.perf_counter() - started,
    }
