"""Charts as drawings inside a page: they stay sharp on paper, and their text is text."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from .time_points import Measure, TimePoint, all_dated

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

LINES_IN_A_CHART = 6
# Distinguishable with any colour vision (Okabe and Ito) and, by their marks, without any.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b3548c", "#a87800", "#2b8cbe")
_MARKS = ("o", "s", "^", "D", "v", "P")
_FOUND, _DOUBTFUL, _FAINT = "#0072b2", "#e69f00", "#8a8f98"
# A change of a landmark's own uncertainty must not fill the chart.
_LEAST_SPAN_MM = 10.0
# Shorter axes would be divided into hours.
_LEAST_SPAN_DAYS = 14.0
_NAMES_SIDE_BY_SIDE = 5
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10,
    "axes.unicode_minus": True,
}


def line_chart(
    lines: Mapping[str, Sequence[Measure]], points: Sequence[TimePoint], y_label: str, from_zero: bool = False
) -> str:
    """A line for each name through its measures at the points; hollow marks are doubtful, gaps missing.

    The axis is that of time where every point has a date, else the points stand side by side.
    """
    with _drawing(3.3 + 0.22 * len(lines), f"{y_label}: {', '.join(lines)}") as drawing:
        figure, axes = drawing.figure, drawing.axes
        positions = _draw_time_axis(axes, points)
        handles = [
            _draw_line(axes, positions, measures, colour, mark)
            for measures, colour, mark in zip(lines.values(), _COLOURS, _MARKS, strict=False)
        ]
        _limit_lengths(axes, lines, from_zero)
        axes.set_ylabel(y_label)
        _add_legend(figure, handles, list(lines))
    return drawing.svg


def confidence_chart(found: Sequence[float], doubtful: Sequence[float], limits: str) -> str:
    """How many landmarks have which confidence; `found` and `doubtful` are the confidences of those.

    `limits` names the errors that the confidence speaks of, such as "10 mm".
    """
    from matplotlib.ticker import MaxNLocator

    with _drawing(2.7, "Distribution of the confidence") as drawing:
        axes = drawing.axes
        bars: dict[str, Any] = {
            "bins": np.linspace(0, 1, 21),
            "stacked": True,
            "edgecolor": "white",
            "linewidth": 0.6,
        }
        names = [f"doubtful ({len(doubtful)})", f"found ({len(found)})"]
        axes.hist([doubtful, found], color=[_DOUBTFUL, _FOUND], label=names, **bars)
        for bar in axes.containers[0]:
            bar.set_hatch("///")
        x_label = f"confidence: probability of an error of at most {limits}"
        axes.set(xlim=(0, 1), xlabel=x_label, ylabel="landmarks")
        axes.yaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
        axes.legend(loc="upper left", frameon=False)
    return drawing.svg


# ---- lines


def _draw_time_axis(axes: Axes, points: Sequence[TimePoint]) -> np.ndarray:
    """Set up the axis and return where each point is on it."""
    from matplotlib.dates import AutoDateLocator, DateFormatter, date2num

    if not all_dated(points):
        positions = np.arange(len(points), dtype=float)
        slope: dict[str, Any] = (
            {"rotation": 30, "horizontalalignment": "right"} if len(points) > _NAMES_SIDE_BY_SIDE else {}
        )
        axes.set_xticks(positions, [_shortened(point.title, 16) for point in points], **slope)
        axes.set(xlim=(-0.5, len(points) - 0.5), xlabel="scans in the order of the study (dates unknown)")
        return positions
    positions = np.array(date2num([point.day for point in points]), dtype=float)
    span = np.ptp(positions)
    margin = max(0.05 * span, (_LEAST_SPAN_DAYS - span) / 2)
    axes.set_xlim(positions.min() - margin, positions.max() + margin)
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=7))
    axes.xaxis.set_major_formatter(DateFormatter("%Y-%m-%d"))
    axes.set_xlabel("date; each dotted line is a scan")
    for position in positions:
        axes.axvline(position, color=_FAINT, linewidth=0.7, linestyle=":")
    return positions


def _draw_line(
    axes: Axes, positions: np.ndarray, measures: Sequence[Measure], colour: str, mark: str
) -> Line2D:
    lengths = _lengths(measures)
    style: dict[str, Any] = {"color": colour, "marker": mark, "markersize": 6.5, "markeredgewidth": 1.6}
    (line,) = axes.plot(positions, lengths, linewidth=1.8, **style)
    doubtful = np.array([measure.doubtful for measure in measures])
    axes.plot(
        positions[doubtful], lengths[doubtful], linestyle="none", markerfacecolor="white", zorder=3, **style
    )
    return line


def _lengths(measures: Sequence[Measure]) -> np.ndarray:
    return np.array([np.nan if item.millimeters is None else item.millimeters for item in measures])


def _limit_lengths(axes: Axes, lines: Mapping[str, Sequence[Measure]], from_zero: bool) -> None:
    lengths = np.concatenate([_lengths(measures) for measures in lines.values()])
    low, high = np.nanmin(lengths), np.nanmax(lengths)
    low = 0.0 if from_zero else low
    missing = max(0.0, _LEAST_SPAN_MM - (high - low))
    low, high = (0.0, high + missing) if from_zero else (low - missing / 2, high + missing / 2)
    margin = 0.07 * (high - low)
    axes.set_ylim(max(0.0, low - margin), high + margin)


def _add_legend(figure: Figure, handles: Sequence[Line2D], names: Sequence[str]) -> None:
    numbers = [str(number) for number in range(len(names))]
    legend = figure.legend(
        handles, numbers, loc="outside lower left", frameon=False, handlelength=3, fontsize=10
    )
    # Written afterwards, because a legend leaves out names that begin with "_".
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(_shortened(name, 100))


def _shortened(text: str, length: int) -> str:
    """The text, or its beginning and end: names often differ in either."""
    half = length // 2
    return text if len(text) <= length else f"{text[: half - 1]}…{text[-half:]}"


# ---- drawings


class _Drawing:
    """A figure with one pair of axes, and what it looks like once it is finished."""

    svg: str

    def __init__(self, height: float) -> None:
        from matplotlib.figure import Figure

        self.figure: Figure = Figure(figsize=(8.6, height), facecolor="white", layout="constrained")
        self.axes: Axes = self.figure.add_subplot()
        self.axes.grid(axis="y", color="#e6e8ec", linewidth=0.8)
        self.axes.set_axisbelow(True)
        self.axes.spines[["top", "right"]].set_visible(False)


@contextmanager
def _drawing(height: float, name: str) -> Iterator[_Drawing]:
    import matplotlib

    settings: Any = _SETTINGS | {"svg.hashsalt": name}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The browser has the signs that the font for measuring lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        drawing = _Drawing(height)
        yield drawing
        drawing.svg = _svg(drawing.figure, name)


def _svg(figure: Any, name: str) -> str:
    """The drawing without what only a file of its own needs."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    # Its style sheet would be that of the whole page; the page has one for drawings.
    text = re.sub(r"<(metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    text = _with_own_names(text)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(name)}"', 1).strip()


def _with_own_names(svg: str) -> str:
    """The drawing without names that nothing in it refers to, which other drawings of the page have too."""
    used = set(re.findall(r"#([\w-]+)", svg))
    return re.sub(r' id="([^"]+)"', lambda match: match.group() if match[1] in used else "", svg)
