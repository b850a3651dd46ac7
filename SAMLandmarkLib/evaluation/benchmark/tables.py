"""The figures of a benchmark as Markdown tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..baselines.registry import OWN, TITLES
from ..tables import ERROR_COLUMNS, markdown_table, millimetres, number_text, with_interval
from .figures import Figures

_FASTEST_SHOWN = 10.0


def accuracy_text(figures: Mapping[str, Figures]) -> str:
    """Errors of every baseline in every set."""
    return _per_set(figures, _accuracy_table)


def differences_text(figures: Mapping[str, Figures]) -> str:
    """How much larger the baselines' errors are than SAMLandmark's at the same landmarks."""
    with_own = {name: each for name, each in figures.items() if OWN in each["peers"]}
    return _per_set(with_own, _difference_table)


def cost_text(figures: Mapping[str, Figures]) -> str:
    """Time and memory of every baseline in every set."""
    return _per_set(figures, _cost_table)


def failures_text(figures: Mapping[str, Figures], missing: Mapping[str, str]) -> str:
    """Which baselines could not run, and which pairs failed."""
    lines = [f"- {TITLES[name]}: {reason}" for name, reason in missing.items()]
    lines += [f"- {name}: {text}" for name, each in figures.items() for text in each["failures"]]
    return "\n".join(lines) if lines else "No baseline is missing, and no pair failed."


def _per_set(figures: Mapping[str, Figures], table_of: Any) -> str:
    parts = [f"### {name}\n\n{table_of(each)}" for name, each in figures.items()]
    return "\n\n".join(parts) if parts else "Nothing was measured."


def _accuracy_table(figures: Figures) -> str:
    rows = []
    for baseline, each in figures["peers"].items():
        rows.append(
            [
                TITLES[baseline],
                str(each["pairs"]),
                str(each["n"]),
                *(with_interval(each, key) for key in ("mean_mm", "median_mm", "p90_mm", "max_mm")),
                *(with_interval(each, key, percent=True) for key in ("within_5_mm", "within_10_mm")),
                str(each["n_without_position"]),
            ]
        )
    columns = ("baseline", "pairs", *ERROR_COLUMNS, "without position")
    drawn = next(iter(figures["peers"].values()))["resampled"]
    return f"{markdown_table(columns, rows)}\n\nIntervals over {drawn}."


def _difference_table(figures: Figures) -> str:
    rows = []
    for baseline, each in figures["peers"].items():
        difference = each.get("difference")
        if difference:
            low, high = difference["interval_95"]
            rows.append(
                [
                    TITLES[baseline],
                    str(difference["n"]),
                    _signed(difference["mean_mm"]),
                    f"{_signed(low)} to {_signed(high)}",
                    _probability(difference["p"]),
                    difference["tested"],
                ]
            )
    columns = ("baseline", "n", "mean difference mm", "95 % interval", "p", "tested on")
    return markdown_table(columns, rows)


def _cost_table(figures: Figures) -> str:
    rows = []
    for baseline, each in figures["peers"].items():
        cost, ratio = each["cost"], each["ratio"]
        rows.append(
            [
                TITLES[baseline],
                *(_seconds(cost[name]) for name in ("seconds", "load_seconds", "transfer_seconds")),
                _times(ratio["seconds"]),
                _times(ratio["transfer_seconds"]),
                number_text(cost["peak_mib"], 0),
                _times(ratio["peak_mib"]),
                f"{cost['failed']} of {cost['pairs']}",
            ]
        )
    columns = (
        "baseline",
        "whole process s",
        "loading s",
        "transfer s",
        "process ×",
        "transfer ×",
        "peak MiB",
        "peak ×",
        "failed pairs",
    )
    return markdown_table(columns, rows)


def _seconds(value: float) -> str:
    return number_text(value, 1 if abs(value) >= _FASTEST_SHOWN else 2)


def _times(value: float) -> str:
    return number_text(value, 1 if abs(value) < _FASTEST_SHOWN else 0)


def _signed(value: float) -> str:
    return f"{value:+.2f}" if math.isfinite(value) else "–"


def _probability(value: float) -> str:
    if not math.isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def summary_text(figures: Mapping[str, Figures]) -> str:
    """One line a set and baseline for the terminal: median error and seconds."""
    return "\n".join(
        f"{name}: {TITLES[baseline]}: median {millimetres(each['median_mm'])} mm, {_seconds(each['cost']['seconds'])} s"
        for name, of_set in figures.items()
        for baseline, each in of_set["peers"].items()
    )
