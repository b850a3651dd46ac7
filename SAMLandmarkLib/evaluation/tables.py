"""Evaluation figures as Markdown tables that are also readable as they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

ERROR_COLUMNS = ("n", "mean mm", "median mm", "p90 mm", "max mm", "≤ 5 mm %", "≤ 10 mm %")
Figures = dict[str, Any]


def summary_text(summary: Figures) -> str:
    """All tables of a summary (see `summarise`), with headings and a line on how to read them."""
    sets = summary["sets"]
    named = dict(sets) | ({"all sets": summary["all_sets"]} if "all_sets" in summary else {})
    parts = [
        _section("Errors (in brackets: 95 % bootstrap interval)", _error_table("set", _set_rows(named))),
        _section("Statuses", _status_table(named)),
        _section("Sides and confidence", _confidence_table(named)),
        *(
            _reliability(name, figures["confidence"])
            for name, figures in named.items()
            if name == "all sets" or len(sets) == 1
        ),
    ]
    parts += [
        _section(f"{name}, per landmark", _landmark_table(figures["landmarks"]))
        for name, figures in sets.items()
        if "landmarks" in figures
    ]
    if "field_of_view" in summary:
        parts.append(_section("Field of view", _field_of_view_table(summary["field_of_view"])))
    return "\n\n".join([*parts, _notes(sets)]) + "\n"


def _section(title: str, table: str) -> str:
    return f"## {title}\n\n{table}"


def _set_rows(named: dict[str, Figures]) -> Iterable[tuple[str, Figures]]:
    for name, figures in named.items():
        yield name, figures
        if "with_quality_3" in figures:
            yield f"{name}, with quality 3", figures["with_quality_3"]


def _landmark_table(landmarks: dict[str, Figures]) -> str:
    if any(figures["n"] > 1 for figures in landmarks.values()):
        return _error_table("landmark", landmarks.items())
    rows = [[label, millimetres(figures["mean_mm"])] for label, figures in landmarks.items()]
    return markdown_table(("landmark", "error mm"), rows)


def _error_table(first_column: str, rows: Iterable[tuple[str, Figures]]) -> str:
    cells = [
        [
            name,
            str(figures["n"]),
            *(with_interval(figures, key) for key in ("mean_mm", "median_mm", "p90_mm", "max_mm")),
            *(with_interval(figures, key, percent=True) for key in ("within_5_mm", "within_10_mm")),
        ]
        for name, figures in rows
    ]
    return markdown_table((first_column, *ERROR_COLUMNS), cells)


def with_interval(figures: Figures, key: str, percent: bool = False) -> str:
    """A figure with its 95 % interval in brackets where there is one."""
    show = percent_of if percent else millimetres
    low, high = figures.get("interval_95", {}).get(key, (math.nan, math.nan))
    return show(figures[key]) if math.isnan(low) else f"{show(figures[key])} ({show(low)}–{show(high)})"


def _status_table(named: dict[str, Figures]) -> str:
    columns = ("set", "status", "share %", *ERROR_COLUMNS)
    return markdown_table(
        columns,
        [
            [
                name,
                status,
                percent_of(figures["share"]),
                str(figures["n"]),
                *(millimetres(figures[key]) for key in ("mean_mm", "median_mm", "p90_mm", "max_mm")),
                *(percent_of(figures[key]) for key in ("within_5_mm", "within_10_mm")),
            ]
            for name, of_set in named.items()
            for status, figures in of_set["status"].items()
        ],
    )


def _confidence_table(named: dict[str, Figures]) -> str:
    columns = (
        "set",
        "left/right swaps",
        "calibration error",
        "AUROC of error > 10 mm",
        "wrong % among the surest 50 %",
        "… 80 %",
        "… 100 %",
        "without position",
    )
    return markdown_table(
        columns,
        [
            [
                name,
                f"{figures['sides']['swapped']} of {figures['sides']['n']}",
                number_text(figures["confidence"]["expected_calibration_error"], 3),
                number_text(figures["confidence"]["auroc"], 3),
                *(_risk_at(figures["confidence"], step) for step in (5, 8, 10)),
                str(figures["n_without_position"]),
            ]
            for name, figures in named.items()
        ],
    )


def _risk_at(confidence: Figures, step: int) -> str:
    curve = confidence["risk_coverage"]
    return percent_of(curve[step - 1]["share_above"]) if curve else "–"


def _reliability(name: str, confidence: Figures) -> str:
    rows = [
        [
            f"{row['low']:.1f}–{row['high']:.1f}",
            str(row["n"]),
            number_text(row["mean_confidence"], 3),
            number_text(row["share_within"], 3),
        ]
        for row in confidence["reliability"]
    ]
    table = markdown_table(("confidence", "n", "mean confidence", "share ≤ 10 mm"), rows)
    return _section(f"{name}, reliability of the confidence", table)


def _field_of_view_table(figures: Figures) -> str:
    columns = (
        "vanished points",
        "MISSING %",
        "FOUND %",
        "visible points",
        "lost (MISSING) %",
        "in view before and after cropping",
        "mean mm before",
        "mean mm after",
    )
    return markdown_table(
        columns,
        [
            [
                str(figures["vanished"]),
                percent_of(figures["vanished_missing"]),
                percent_of(figures["vanished_found"]),
                str(figures["visible"]),
                percent_of(figures["visible_missing"]),
                str(figures["in_view_in_both"]),
                millimetres(figures["mean_mm_whole"]),
                millimetres(figures["mean_mm_cropped"]),
            ]
        ],
    )


def _notes(sets: dict[str, Figures]) -> str:
    notes = [
        "A landmark reported as MISSING is scored at its best candidate. One without any position counts as "
        "an error above 10 mm and is left out of the millimetres.",
        *(
            f"{name}: pairs {figures['pairs']}, bootstrap over {figures['resampled']}, embedding "
            f"{figures['embedding_seconds']:.1f} s, matching {figures['matching_seconds']:.1f} s."
            for name, figures in sets.items()
        ),
        *(f"Left out: {message}" for figures in sets.values() for message in figures["skipped"]),
    ]
    return "\n".join(f"- {note}" for note in notes)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table padded to even columns; the first column to the left, the others to the right.

    >>> print(markdown_table(("set", "n"), [("chest", "114")]))
    | set   |   n |
    |:------|----:|
    | chest | 114 |
    """
    widths = [max(len(row[column]) for row in (columns, *rows)) for column in range(len(columns))]
    rule = "|".join((":" + "-" * (widths[0] + 1), *("-" * (width + 1) + ":" for width in widths[1:])))
    lines = [_line(columns, widths), f"|{rule}|", *(_line(row, widths) for row in rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:]))]
    return f"| {' | '.join(padded)} |"


def millimetres(value: float) -> str:
    """Millimetres with two decimals below 10, with one above."""
    return number_text(value, 2 if abs(value) < 10 else 1)


def percent_of(share: float) -> str:
    """A share of 0 to 1 as whole percent."""
    return number_text(100 * share, 0)


def number_text(value: float, digits: int) -> str:
    """A number with so many decimals, a dash where it is undefined."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"
