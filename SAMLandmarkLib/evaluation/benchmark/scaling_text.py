"""The scaling as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..tables import markdown_table, number_text
from .document import provenance_text

_COLD = ("start", "load", "read", "resample", "embed", "match")


def scaling_text(document: Mapping[str, Any]) -> str:
    """Tables of the sizes, of the numbers of points and of the fitted growth, and on what they were measured."""
    spacing = " x ".join(f"{value:g}" for value in document["spacing_mm"])
    points_size = " x ".join(map(str, document["points_size_ijk"]))
    parts = [
        provenance_text(document),
        f"### Volume size (two scans, voxels of {spacing} mm, files not compressed)",
        _cold_table(_with_limited(document)),
        "Cold, in seconds: process and imports, model, reading both files, resampling both, embedding both, 20 points.",
        _warm_table(_with_limited(document)),
        f"### Number of points (scans of {points_size}, embedded)",
        _points_table(document["points"]),
        "### Growth",
        _growth_table(document["growth"]),
        "Fitted exponents over the three largest: 1 means that twice as much takes twice as long.",
    ]
    return "\n\n".join(parts)


def _with_limited(document: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    named = [(_name(each), each) for each in document["sizes"]]
    if document["limited"]:
        named.append((f"{_name(document['limited'])}, --max-memory", document["limited"]))
    return named


def _cold_table(named: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    rows = []
    for name, each in named:
        cold = each["cold"]
        rows.append(
            [name, *(number_text(cold[part], 2) for part in _COLD), number_text(sum(cold.values()), 2)]
        )
    return markdown_table(("size", *_COLD, "all"), rows)


def _warm_table(named: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    rows = []
    for name, each in named:
        warm = each["warm"]
        peak = each["peak_bytes"]
        rows.append(
            [
                name,
                number_text(1000 * warm["one_more_point"], 1),
                number_text(warm["one_more_target"], 2),
                number_text(warm["drag_per_second"], 0),
                "–" if peak is None else number_text(peak / 2**20, 0),
            ]
        )
    columns = ("size", "one more point ms", "one more target s", "drag updates per s", "peak MiB")
    return markdown_table(columns, rows)


def _points_table(of_points: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            str(each["points"]),
            number_text(each["seconds"], 3),
            number_text(1000 * each["seconds"] / each["points"], 2),
        ]
        for each in of_points
    ]
    return markdown_table(("points", "seconds", "ms per point"), rows)


def _growth_table(growth: Mapping[str, float]) -> str:
    return markdown_table(("", "exponent"), [[name, number_text(value, 2)] for name, value in growth.items()])


def _name(measured: Mapping[str, Any]) -> str:
    return " x ".join(map(str, measured["size_ijk"]))
