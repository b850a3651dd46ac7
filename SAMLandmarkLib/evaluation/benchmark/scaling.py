"""How SAMLandmark's time and memory grow with the size of the scans and the number of points.

Every size is measured in a process of its own. The scans are the bundled pair, repeated until it fills the size.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ...core.volume import Volume
from ...io.result_files import to_json
from ...utils.bundled import bundled_folder
from ...utils.errors import SAMLandmarkError
from ...utils.files import create_folder, write_atomically
from ..provenance import describe_run
from ..tiled_volumes import tiled_volume, write_uncompressed
from .document import fill_sections
from .environment import all_cores
from .scaling_text import scaling_text

SIZES_IJK = (
    (64, 64, 64),
    (128, 128, 128),
    (256, 256, 128),
    (256, 256, 256),
    (512, 512, 200),
    (512, 512, 400),
    (512, 512, 600),
)
SPACING_MM = (0.8, 0.8, 1.0)
POINTS = (1, 10, 100, 1000, 10000)
POINTS_SIZE = (256, 256, 256)
"""The size of the scans in which the number of points is varied."""
FITTED = 3
"""Growth is fitted to so many of the largest: below them, fixed costs hide it."""
PARTS = ("read", "resample", "embed", "match")
REPORT_NAME, TEXT_NAME, PLOT_NAME = "scaling.json", "scaling.md", "benchmark-scaling.png"
SECTION = "benchmark-scaling"
Measured = dict[str, Any]


def measure_scaling(
    max_memory: int | None,
    report: Callable[[str], object],
    sizes: Sequence[tuple[int, int, int]] = SIZES_IJK,
    points: Sequence[int] = POINTS,
    points_size: tuple[int, int, int] = POINTS_SIZE,
) -> Measured:
    """Measure every size, every number of points, and with `max_memory` (bytes) the largest size once more.

    Raises SAMLandmarkError where a measurement ends with an error.
    """
    of_size = []
    for size in sizes:
        report(f"size {_name(size)}")
        of_size.append(_measured(size, {"points": []}))
    report(f"numbers of points in {_name(points_size)}")
    of_points = _measured(points_size, {"points": list(points)})["points"]
    limited = None
    if max_memory is not None:
        report(f"size {_name(sizes[-1])} with at most {max_memory / 2**30:g} GiB for the network")
        limited = _measured(sizes[-1], {"points": [], "max_memory": max_memory})
    return {
        "format": "samlandmark-scaling",
        "format_version": 1,
        **describe_run(),
        "spacing_mm": list(SPACING_MM),
        "sizes": of_size,
        "points": of_points,
        "points_size_ijk": list(points_size),
        "limited": limited,
        "growth": growth(of_size, of_points),
    }


def growth(of_size: Sequence[Measured], of_points: Sequence[Measured]) -> dict[str, float]:
    """Exponents of voxels (of each part of the time, of all, of the memory) and of points: 1 is linear."""
    voxels = [each["voxels"] for each in of_size]
    seconds = {part: [each["cold"][part] for each in of_size] for part in PARTS}
    seconds["all parts"] = [sum(each["cold"][part] for part in PARTS) for each in of_size]
    exponents = {part: fitted_exponent(voxels, values) for part, values in seconds.items()}
    exponents["peak memory"] = fitted_exponent(voxels, [each["peak_bytes"] for each in of_size])
    counts, times = zip(*((each["points"], each["seconds"]) for each in of_points), strict=True)
    return exponents | {"points": fitted_exponent(counts, times)}


def fitted_exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Slope of log(values) over log(sizes) of the last FITTED, NaN where there are fewer than two or no values.

    >>> round(fitted_exponent([1, 10, 100], [3, 30, 300]), 6)
    1.0
    """
    x, y = np.array(sizes, dtype=float)[-FITTED:], np.array([value or np.nan for value in values][-FITTED:])
    if len(x) < 2 or not np.isfinite(y).all():
        return np.nan
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def write_scaling(folder: Path, document: Measured, page: Path | None = None) -> list[Path]:
    """Write `scaling.json`, `scaling.md` and a plot, and fill the marked section of `page`; the paths."""
    folder = create_folder(folder)
    plots = _plots(document)
    text = scaling_text(document)
    text += "".join(f"\n\n![Time against volume size and number of points]({name})" for name in plots)
    contents: dict[Path, bytes | str] = {
        folder / REPORT_NAME: json.dumps(to_json(document), indent=2, allow_nan=False) + "\n",
        folder / TEXT_NAME: f"# Scaling\n\n{text}\n",
        **{folder / name: png for name, png in plots.items()},
    }
    if page is not None:
        contents[page] = fill_sections(page, {SECTION: text})
        contents |= {page.parent / name: png for name, png in plots.items()}
    for path, content in contents.items():
        write_atomically(path, content)
    return list(contents)


def _plots(document: Measured) -> dict[str, bytes]:
    if find_spec("matplotlib") is None:
        return {}
    from .scaling_plot import scaling_plot

    return {PLOT_NAME: scaling_plot(document)}


def _measured(size: tuple[int, int, int], settings: dict[str, Any]) -> Measured:
    with tempfile.TemporaryDirectory(prefix="samlandmark-") as folder:
        for name in ("template", "followup"):
            small = Volume.read(bundled_folder("SampleData") / f"{name}.nii.gz")
            write_uncompressed(Path(folder) / f"{name}.nii", tiled_volume(small, size, SPACING_MM))
        task = {"folder": folder, "started": time.time(), **settings}
        done = subprocess.run(
            (sys.executable, "-m", f"{__package__}.scaling_child"),
            input=json.dumps(task),
            capture_output=True,
            text=True,
            env=all_cores(),
            check=False,
        )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SAMLandmarkError(f"Measuring {_name(size)} ended with {done.returncode}: {last}")
    return {"size_ijk": list(size), "voxels": int(np.prod(size)), **json.loads(done.stdout)}


def _name(size: Sequence[int]) -> str:
    return " x ".join(map(str, size))
