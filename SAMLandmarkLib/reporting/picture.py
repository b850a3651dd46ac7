"""One picture a follow-up: for every landmark the template crop beside the follow-up crop."""

from __future__ import annotations

import io
import math
import os
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.crops import axial_crop
from ..utils.errors import UsageError
from ..utils.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..core.grey_windows import GreyWindow
    from ..core.landmarks import LandmarkSet
    from ..core.volume import Volume
    from ..engine.transfer import TransferredLandmark, TransferResult

CROP_MM = 80.0

# Lengths in pixels of the picture.
_CROP, _GAP, _MARGIN, _CELL_HEADER, _PAGE_HEADER = 256, 4, 24, 46, 104
_CELL_WIDTH, _CELL_HEIGHT = 2 * _CROP + _GAP + _MARGIN, _CROP + _CELL_HEADER + _MARGIN
_DPI = 100

_BACKGROUND, _OUTSIDE = "#14171c", "#232a35"
_TEXT, _FAINT = "#f2f4f7", "#9aa5b4"
_CROSSHAIR, _TRUTH = "#35d6e6", "#ff6ad5"
_STATUS_COLOURS = {"FOUND": "#6fdc8c", "DOUBTFUL": "#ffb84d", "MISSING": "#ff7b72"}


def write_comparison_picture(
    path: str | os.PathLike[str],
    template: Volume,
    landmarks: LandmarkSet,
    target: Volume,
    result: TransferResult,
    truth: LandmarkSet | None = None,
) -> None:
    """Write a PNG with two axial crops, 80 mm wide, for each landmark: in the template and in the target.

    The patient's right is on the left. Where `truth` (landmarks of the target) has the label, the error is
    written and the true place marked. Raises UsageError without matplotlib and OutputError where `path` can't
    be written.
    """
    places, true_places = _positions_by_label(landmarks), _positions_by_label(truth)
    comparisons = [
        PicturePair(item, template, target, places.get(item.label), true_places.get(item.label))
        for item in result
    ]
    write_comparisons(path, comparisons, f"{result.template} → {result.target}")


def write_comparisons(path: str | os.PathLike[str], comparisons: Sequence[PicturePair], title: str) -> None:
    """Write such a PNG of landmarks of any scans; errors as `write_comparison_picture`."""
    require_matplotlib()
    write_atomically(path, _draw_page(list(comparisons), title))


def require_matplotlib() -> None:
    """UsageError that tells how to install matplotlib, where it is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "Pictures need matplotlib; install it with: pip install 'samlandmark[pictures]'"
        ) from error


def _positions_by_label(landmarks: LandmarkSet | None) -> dict[str, np.ndarray]:
    return {mark.label: mark.position_lps for mark in landmarks or () if mark.position_lps is not None}


@dataclass(frozen=True)
class PicturePair:
    """One landmark and the scans to show it in; positions are LPS mm, None where unknown."""

    item: TransferredLandmark
    template: Volume
    target: Volume
    template_lps: np.ndarray | None
    truth_lps: np.ndarray | None

    @cached_property
    def template_crop(self) -> np.ndarray | None:
        return _crop(self.template, self.template_lps)

    @cached_property
    def target_crop(self) -> np.ndarray | None:
        return _crop(self.target, self.item.position_lps)

    @cached_property
    def window(self) -> GreyWindow:
        """Chosen by the template's crop alone, so that both crops are shown alike."""
        shown = np.zeros((1, 1)) if self.template_crop is None else self.template_crop
        return self.template.modality.window_for(shown)

    @cached_property
    def error_mm(self) -> np.ndarray | None:
        """From the truth to the landmark, `(3,)` LPS mm."""
        if self.truth_lps is None or self.item.position_lps is None:
            return None
        error: np.ndarray = self.item.position_lps - self.truth_lps
        return error


def _crop(volume: Volume, centre_lps: np.ndarray | None) -> np.ndarray | None:
    if centre_lps is None or not volume.contains_lps(centre_lps):
        return None
    return axial_crop(volume, centre_lps, CROP_MM, _CROP)


def _draw_page(cells: list[PicturePair], title: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns, rows = _columns_and_rows(len(cells))
    width, height = columns * _CELL_WIDTH + _MARGIN, rows * _CELL_HEIGHT + _PAGE_HEADER
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=_BACKGROUND)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False)
    _draw_page_header(axes, cells, title)
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        _draw_cell(axes, cell, _MARGIN + column * _CELL_WIDTH, _PAGE_HEADER + row * _CELL_HEIGHT)
    png = io.BytesIO()
    with warnings.catch_warnings():
        # Signs that the font lacks are drawn as boxes, which tells enough.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        FigureCanvasAgg(figure).print_png(png)
    return png.getvalue()


def _columns_and_rows(cells: int) -> tuple[int, int]:
    """A grid that is about 4:3 as a whole, and wide enough for the page's header."""
    columns = max(2, round(math.sqrt(cells * _CELL_HEIGHT / _CELL_WIDTH * 4 / 3)))
    return columns, math.ceil(cells / columns)


def _draw_page_header(axes: Axes, cells: list[PicturePair], title: str) -> None:
    errors = [np.linalg.norm(cell.error_mm) for cell in cells if cell.error_mm is not None]
    counts = [sum(cell.item.status.value == status for cell in cells) for status in _STATUS_COLOURS]
    summary = "   ".join(
        f"{count} {status.lower()}" for count, status in zip(counts, _STATUS_COLOURS, strict=True)
    )
    if errors:
        summary += f"   median error {np.median(errors):.1f} mm (n = {len(errors)})"
    _write(axes, _MARGIN, 28, title, 20, weight="bold")
    _write(axes, _MARGIN, 54, summary, 15)
    size = f"{CROP_MM:.0f} × {CROP_MM:.0f} mm"
    legend = f"left: template, right: follow-up; axial, {size}, patient's right on the left"
    _write(axes, _MARGIN, 78, legend, 13, _FAINT)
    if errors:
        _draw_truth(axes, _MARGIN + 570, 78, True)
        _write(axes, _MARGIN + 582, 78, "true place (dashed: in another slice)", 13, _FAINT)


def _draw_cell(axes: Axes, cell: PicturePair, left: float, top: float) -> None:
    colour = _STATUS_COLOURS[cell.item.status.value]
    right = left + 2 * _CROP + _GAP
    _write(axes, left, top + 12, _shortened(cell.item.label, 40), 15, weight="bold")
    _write(axes, right, top + 12, _verdict(cell.item), 15, colour, ha="right", weight="bold")
    if cell.item.position_lps is not None:
        _write(axes, left, top + 33, _shortened(cell.item.reason, 58), 13, colour)
    _write(axes, right, top + 33, _error_text(cell), 13, _TRUTH, ha="right")
    top += _CELL_HEADER
    _draw_crop(axes, cell.template_crop, cell.window, left, top, "not in the template")
    _draw_crop(axes, cell.target_crop, cell.window, left + _CROP + _GAP, top, cell.item.reason or "not found")
    _draw_truth_in_crop(axes, cell, left + _CROP + _GAP, top)


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _verdict(item: TransferredLandmark) -> str:
    return item.status.value if item.position_lps is None else f"{item.status.value}  {item.confidence:.2f}"


def _error_text(cell: PicturePair) -> str:
    if cell.error_mm is None:
        return ""
    text = f"error {np.linalg.norm(cell.error_mm):.1f} mm"
    height = cell.error_mm[2]
    # A reason stands in the same line and needs the room.
    if abs(height) < 1 or cell.item.reason:
        return text
    return f"{text}, {abs(height):.1f} mm too {'high' if height > 0 else 'low'}"


def _draw_crop(
    axes: Axes, crop: np.ndarray | None, window: GreyWindow, left: float, top: float, otherwise: str
) -> None:
    """The crop with crosshair, letters and window name; the text `otherwise` where there is no crop."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, top), _CROP, _CROP, facecolor=_OUTSIDE, linewidth=0, zorder=-1))
    middle_x, middle_y = left + _CROP / 2, top + _CROP / 2
    if crop is None:
        _write(axes, middle_x, middle_y, textwrap.fill(otherwise, 28), 15, _FAINT, ha="center")
        return
    extent = (left, left + _CROP, top + _CROP, top)
    limits: dict[str, Any] = {"vmin": window.black, "vmax": window.white}
    axes.imshow(crop, cmap="gray", extent=extent, interpolation="bilinear", aspect="auto", **limits)
    _draw_crosshair(axes, middle_x, middle_y)
    edge = _CROP / 2 - 9
    for letter, x, y in (("R", -edge, 0), ("L", edge, 0), ("A", 0, -edge), ("P", 0, edge)):
        _write(axes, middle_x + x, middle_y + y, letter, 12, ha="center", **_outlined(2))
    _write(axes, left + 6, top + _CROP - 9, window.name, 11, **_outlined(2))


def _draw_crosshair(axes: Axes, x: float, y: float) -> None:
    """Four short lines that leave the point itself and the picture's rim free."""
    for step_x, step_y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        ends = np.array([12.0, 44.0])
        axes.plot(x + step_x * ends, y + step_y * ends, color=_CROSSHAIR, linewidth=0.9, **_outlined(2))


def _draw_truth_in_crop(axes: Axes, cell: PicturePair, left: float, top: float) -> None:
    if cell.error_mm is None:
        return
    shift = -cell.error_mm[:2] / CROP_MM * _CROP
    if np.all(np.abs(shift) < _CROP / 2):
        _draw_truth(
            axes, left + _CROP / 2 + shift[0], top + _CROP / 2 + shift[1], abs(cell.error_mm[2]) < 2.5
        )


def _draw_truth(axes: Axes, x: float, y: float, same_slice: bool) -> None:
    from matplotlib.patches import Circle

    style = "solid" if same_slice else (0, (2, 1.5))
    ring = Circle((x, y), 6, fill=False, edgecolor=_TRUTH, linewidth=1.1, linestyle=style, **_outlined(2.2))
    axes.add_patch(ring)


def _outlined(width: float) -> dict[str, Any]:
    """A dark rim that keeps lines and letters visible on bright tissue."""
    from matplotlib.patheffects import withStroke

    return {"path_effects": [withStroke(linewidth=width, foreground="#000000b0")]}


def _write(
    axes: Axes, x: float, y: float, text: str, pixels: float, colour: str = _TEXT, **style: Any
) -> None:
    """Text, vertically centred at `y`; never read as a formula, whatever signs a label holds."""
    size = pixels * 72 / _DPI
    axes.text(x, y, text, fontsize=size, color=colour, va="center", parse_math=False, **style)
