"""Plots of an evaluation: how errors are distributed, and what the confidence is worth."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .records import confidences_of, errors_of
from .runs import SetRun
from .summary import scored_records

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Distinguishable with any colour vision (Okabe and Ito)."""
FAINT = "#8a8f98"
_LARGEST_SHOWN_MM = 30.0


def errors_plot(runs: Sequence[SetRun]) -> bytes:
    """PNG: for each set, the share of landmarks within a distance of the truth."""
    figure, (axes,) = new_figure(1)
    sets = _errors_by_set(runs)
    for colour, (name, errors) in zip(COLOURS, sets.items(), strict=False):
        ordered = np.sort(errors)
        share = np.arange(1, len(ordered) + 1) / len(ordered)
        axes.step(
            [0, *ordered, 1e3], [0, *share * 100, 100 * share[-1]], where="post", color=colour, label=name
        )
    for limit in (5, 10):
        axes.axvline(limit, color=FAINT, linewidth=0.8, linestyle=":")
    axes.set(
        xlim=(0, _LARGEST_SHOWN_MM), ylim=(0, 101), xlabel="error (mm)", ylabel="landmarks within it (%)"
    )
    if sets:
        axes.legend(loc="lower right", frameon=False)
    return png_of(figure)


def confidence_plot(runs: Sequence[SetRun], quality: Mapping[str, Any]) -> bytes:
    """PNG: reliability diagram and risk-coverage curves; `quality` is that of all sets together."""
    figure, (reliability, risk) = new_figure(2)
    _draw_reliability(reliability, quality)
    _draw_risk(risk, runs)
    return png_of(figure)


def _draw_reliability(axes: Axes, quality: Mapping[str, Any]) -> None:
    rows = [row for row in quality["reliability"] if row["n"]]
    claimed = [row["mean_confidence"] for row in rows]
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle="--", label="honest")
    axes.plot(claimed, [row["share_within"] for row in rows], color=COLOURS[0], linewidth=1.2)
    sizes = [12 + 240 * row["n"] / quality["n"] for row in rows]
    axes.scatter(claimed, [row["share_within"] for row in rows], s=sizes, color=COLOURS[0], label="measured")
    for row in rows:
        place = (row["mean_confidence"], row["share_within"])
        axes.annotate(
            f"{row['n']}", place, xytext=(7, -9), textcoords="offset points", color=FAINT, fontsize=8
        )
    axes.set(xlim=(0, 1), ylim=(-0.03, 1.03), xlabel="confidence", ylabel="share within 10 mm")
    figures = [f"calibration error {quality['expected_calibration_error']:.3f}", f"n = {quality['n']}"]
    if math.isfinite(quality["auroc"]):
        figures.insert(1, f"AUROC {quality['auroc']:.3f}")
    axes.set_title(", ".join(figures), fontsize=10)
    axes.legend(loc="upper left", frameon=False)


def _draw_risk(axes: Axes, runs: Sequence[SetRun]) -> None:
    named = {run.name: scored_records(run.records) for run in runs if not run.semi_synthetic}
    for colour, (name, records) in zip(COLOURS, named.items(), strict=False):
        wrong = errors_of(records)[np.argsort(-confidences_of(records), kind="stable")] > 10.0
        kept = np.arange(1, len(wrong) + 1)
        axes.plot(100 * kept / len(wrong), 100 * np.cumsum(wrong) / kept, color=colour, label=name)
    axes.set(
        xlim=(0, 100),
        ylim=(-1, max(10.0, axes.get_ylim()[1])),
        xlabel="landmarks kept, the surest first (%)",
        ylabel="of them more than 10 mm off (%)",
    )
    axes.legend(loc="upper left", frameon=False)


def _errors_by_set(runs: Sequence[SetRun]) -> dict[str, np.ndarray]:
    scored = {run.name: scored_records(run.records) for run in runs}
    return {name: errors_of(records) for name, records in scored.items() if records}


def new_figure(panels: int, columns: int | None = None) -> tuple[Any, list[Axes]]:
    """A figure with so many panels, in one row or in rows of `columns`, in the style of all plots."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = columns or panels
    rows = -(-panels // columns)
    figure = Figure(figsize=(5.2 * columns, 4.2 * rows), dpi=120, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(rows, columns, number + 1) for number in range(panels)]
    for each in axes:
        each.grid(color="#e6e8ec", linewidth=0.6)
        each.set_axisbelow(True)
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes


def png_of(figure: Any) -> bytes:
    """The figure as PNG."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()
