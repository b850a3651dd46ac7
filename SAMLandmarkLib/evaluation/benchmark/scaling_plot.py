"""The scaling as a plot: time against voxels and against points, both axes logarithmic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plots import COLOURS, FAINT, new_figure, png_of

_PARTS = {"read": "reading", "resample": "resampling", "embed": "embedding", "match": "20 points"}


def scaling_plot(document: Mapping[str, Any]) -> bytes:
    """PNG: the parts of the cold time over the voxels of a scan, and the time of matching over the number of points."""
    figure, (sizes, points) = new_figure(2)
    voxels = [each["voxels"] / 1e6 for each in document["sizes"]]
    for colour, (part, name) in zip(COLOURS, _PARTS.items(), strict=False):
        seconds = [each["cold"][part] for each in document["sizes"]]
        sizes.plot(voxels, seconds, marker="o", markersize=4, color=colour, label=name)
    whole = [sum(each["cold"][part] for part in _PARTS) for each in document["sizes"]]
    sizes.plot(voxels, whole, color="black", linewidth=1.8, label="together")
    _linear(sizes, voxels, whole)
    sizes.set(
        xscale="log", yscale="log", xlabel="million voxels of each scan", ylabel="seconds for two scans"
    )
    counts = [each["points"] for each in document["points"]]
    seconds = [each["seconds"] for each in document["points"]]
    points.plot(counts, seconds, marker="o", markersize=4, color=COLOURS[0], label="measured")
    _linear(points, counts, seconds)
    points.set(xscale="log", yscale="log", xlabel="points", ylabel="seconds")
    for axes in (sizes, points):
        axes.legend(loc="upper left", frameon=False, fontsize=8)
    return png_of(figure)


def _linear(axes: Any, sizes: list[float], seconds: list[float]) -> None:
    """A line of exponent 1 through the largest."""
    first = seconds[-1] * sizes[0] / sizes[-1]
    axes.plot([sizes[0], sizes[-1]], [first, seconds[-1]], color=FAINT, linestyle=":", label="linear")
