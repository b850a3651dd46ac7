"""One slice with the lines in which other slices cut it, and where a network expects them."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.planes import SlicePlane, trace_of
from ..utils.errors import UsageError
from ..utils.files import write_atomically
from ..utils.translation import _

_BACKGROUND, _TEXT = "#14171c", "#f2f4f7"
# apart for colour-blind readers too (Okabe and Ito)
_COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00")
_SHOWN_PERCENTILES = (0.5, 99.5)
_INCHES, _DPI, _LEGEND_INCHES = 6.0, 120, 2.6
_LEAST_HEAT = 0.25


@dataclass(frozen=True, eq=False)
class Guide:
    """Another slice of the exam: its view, where it lies, and the network's heat `[rows, columns]` of 0 to 1, if any.

    `remark` stands beside its name, such as how sure the network is.
    """

    view: str
    planes: Sequence[SlicePlane]
    heat: NDArray[np.float64] | None = None
    remark: str = ""


def write_plane_picture(
    path: str | os.PathLike[str],
    values: NDArray[Any],
    plane: SlicePlane,
    guides: Sequence[Guide],
    title: str,
) -> None:
    """Write a PNG of a slice `[rows, columns]` with a line for each slice that cuts it, in the guides' colours.

    Raises UsageError without matplotlib and OutputError where `path` can't be written.
    """
    figure = _figure()
    image, legend = _axes(figure)
    _show(image, values, plane)
    for number, guide in enumerate(guides):
        colour = _COLOURS[number % len(_COLOURS)]
        _draw(image, guide, plane, colour)
        _name(legend, number, guide, plane, colour)
    image.set_title(title, color=_TEXT, fontsize=9, loc="left")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, facecolor=_BACKGROUND)
    write_atomically(path, buffer.getvalue())


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            _(
                "Pictures need matplotlib, which is not installed; install it with `pip install samlandmark[pictures]`."
            )
        ) from error
    return Figure(figsize=(_INCHES + _LEGEND_INCHES, _INCHES))


def _axes(figure: Any) -> tuple[Any, Any]:
    width = _INCHES / (_INCHES + _LEGEND_INCHES)
    image = figure.add_axes((0.01, 0.02, width - 0.02, 0.92))
    legend = figure.add_axes((width, 0.02, 1 - width - 0.01, 0.92))
    for axes in (image, legend):
        axes.set_axis_off()
    legend.set_xlim(0, 1)
    legend.set_ylim(0, 1)
    return image, legend


def _show(image: Any, values: NDArray[Any], plane: SlicePlane) -> None:
    low, high = np.percentile(values, _SHOWN_PERCENTILES)
    across, down = plane.pixel_spacing_mm
    image.imshow(
        values,
        cmap="gray",
        vmin=low,
        vmax=max(high, low + 1e-6),
        aspect=down / across,
        interpolation="bilinear",
    )
    image.set_xlim(-0.5, plane.columns - 0.5)
    image.set_ylim(plane.rows - 0.5, -0.5)


def _draw(image: Any, guide: Guide, plane: SlicePlane, colour: str) -> None:
    if guide.heat is not None:
        levels = [level for level in (_LEAST_HEAT, 0.5, 0.75) if level < np.nanmax(guide.heat)]
        if levels:
            image.contour(guide.heat, levels=levels, colors=colour, linewidths=0.8, linestyles="dotted")
    for other in guide.planes:
        trace = trace_of(plane, other)
        if trace is not None:
            image.plot(trace[:, 0], trace[:, 1], color=colour, linewidth=1.4)


def _name(legend: Any, number: int, guide: Guide, plane: SlicePlane, colour: str) -> None:
    cutting = sum(trace_of(plane, other) is not None for other in guide.planes)
    cut = _("{count} of {all} slices cut it").format(count=cutting, all=len(guide.planes))
    height = 0.97 - 0.11 * number
    legend.plot([0.02, 0.12], [height, height], color=colour, linewidth=2)
    texts = "\n".join(filter(None, (guide.view, cut, guide.remark)))
    legend.text(0.16, height + 0.015, texts, color=_TEXT, fontsize=8, va="top")
