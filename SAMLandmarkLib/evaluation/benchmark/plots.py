"""Plots of a benchmark: the errors of every baseline in every set, and accuracy against time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..baselines.registry import BASELINE_NAMES, OWN, TITLES
from ..plots import FAINT, new_figure, png_of
from .figures import Figures
from .rows import LandmarkRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LARGEST_SHOWN_MM = {True: 15.0, False: 50.0}
"""Largest error shown, where the median of the best baselines is small, and where it is not."""
_SMALL_MM = 3.0
_COLUMNS = 3
_STYLES = dict(
    zip(
        BASELINE_NAMES,
        (
            ("#0072b2", "-", "o"),
            ("#0072b2", "--", "s"),
            ("#8a8f98", ":", "v"),
            ("#e69f00", ":", "^"),
            ("#e69f00", "-", "D"),
            ("#cc79a7", "-", "P"),
            ("#56b4e9", "-", "X"),
            ("#d55e00", "-", "h"),
            ("#009e73", "-", "*"),
        ),
        strict=True,
    )
)
"""Colour (Okabe and Ito), line and marker of each baseline: told apart with any colour vision, and in grey."""


def errors_plot(rows: Sequence[LandmarkRow]) -> bytes:
    """PNG: for each set a panel, for each baseline the share of landmarks within a distance of the truth."""
    sets = sorted({row.set for row in rows})
    figure, panels = _panels(len(sets))
    for axes, name in zip(panels, sets, strict=False):
        errors = {
            baseline: np.sort(
                [row.error_or_infinity for row in rows if row.set == name and row.baseline == baseline]
            )
            for baseline in BASELINE_NAMES
        }
        errors = {baseline: values for baseline, values in errors.items() if len(values)}
        for baseline, values in errors.items():
            _draw_shares(axes, baseline, values)
        small = min(np.median(values) for values in errors.values()) < _SMALL_MM
        axes.set(
            title=name,
            xlim=(0, _LARGEST_SHOWN_MM[small]),
            ylim=(0, 101),
            xlabel="error (mm)",
            ylabel="landmarks within it (%)",
        )
    _legend(panels)
    return png_of(figure)


def _panels(sets: int) -> tuple[Any, list[Axes]]:
    """A panel for each set, and one for the legend."""
    return new_figure(sets + 1, min(sets + 1, _COLUMNS))


def _legend(panels: Sequence[Axes]) -> None:
    """One legend for all panels, in the last one."""
    *drawn, empty = panels
    entries = {}
    for axes in drawn:
        handles, names = axes.get_legend_handles_labels()
        entries |= dict(zip(names, handles, strict=True))
    order = [title for title in TITLES.values() if title in entries]
    empty.axis("off")
    empty.legend([entries[title] for title in order], order, loc="center", frameon=False, fontsize=11)


def _draw_shares(axes: Axes, baseline: str, ascending: np.ndarray) -> None:
    colour, line, _ = _STYLES[baseline]
    share = 100 * np.arange(1, len(ascending) + 1) / len(ascending)
    placed = np.isfinite(ascending)
    axes.step(
        [0, *ascending[placed], 1e4],
        [0, *share[placed], share[placed][-1] if placed.any() else 0],
        where="post",
        color=colour,
        linestyle=line,
        linewidth=2.2 if baseline == OWN else 1.3,
        label=TITLES[baseline],
    )


def cost_plot(figures: Mapping[str, Figures]) -> bytes:
    """PNG: for each set a panel with the median error and the seconds of each baseline; both axes logarithmic."""
    figure, panels = _panels(len(figures))
    for axes, (name, each) in zip(panels, figures.items(), strict=False):
        for baseline, of_baseline in each["peers"].items():
            colour, _, marker = _STYLES[baseline]
            axes.scatter(
                of_baseline["cost"]["seconds"],
                of_baseline["median_mm"],
                s=110 if baseline == OWN else 60,
                color=colour,
                marker=marker,
                label=TITLES[baseline],
                edgecolors="white",
                linewidths=0.6,
                zorder=3,
            )
        axes.set(
            title=name,
            xscale="log",
            yscale="log",
            xlabel="seconds per pair, cold",
            ylabel="median error (mm)",
        )
        _plain_ticks(axes)
    _legend(panels)
    return png_of(figure)


def _plain_ticks(axes: Axes) -> None:
    """Numbers such as 2 and 50 along both axes, not powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0, 7.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="minor", length=0)
    axes.grid(which="both", color=FAINT, alpha=0.15)
