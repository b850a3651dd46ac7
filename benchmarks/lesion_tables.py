"""The tables of benchmarks/lesions.py, from what was measured of each pair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from SAMLandmarkLib.evaluation.lesion_metrics import PairingScore, hits, pairing_score

CONTRAST, MOST_GROWTH = 1.5, 2.0
"""Below such a contrast, and beyond such a growth of the diameter, a lesion is rightly not measured."""
RIGHT_MM, RIGHT_PART = 3.0, 0.2
"""A measured diameter that is farther off should have been refused."""


def tables(records: Sequence[dict[str, Any]]) -> str:
    """All tables as Markdown."""
    scans = [record for record in records if "scan" in record]
    real = [record for record in records if "real" in record]
    methods = list(scans[0]["methods"]) if scans else list(real[0]["errors"])
    parts = []
    if scans:
        parts += [_places(scans, methods), _lists(scans, methods), _diameters(scans)]
    if real:
        parts.append(_real(real, methods))
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _places(scans: Sequence[dict[str, Any]], methods: Sequence[str]) -> str:
    rows = []
    for name in methods:
        found = [place for scan in scans for place in scan["methods"][name]["places"] if place["kept"]]
        columns = [
            np.array([place[key] for place in found], float) for key in ("found", "true", "long_mm", "box_mm")
        ]
        errors = np.linalg.norm(columns[0] - columns[1], axis=1)
        scores = hits(*columns)
        cpm = [f"{_percent(score.at_10)} / {_percent(score.at_radius)}" for score in scores.values()]
        seconds = np.median([scan["methods"][name]["seconds"] for scan in scans])
        mean = f"{np.nanmean(errors):.2f} / {np.nanmedian(errors):.2f} / {np.nanmax(errors):.1f}"
        rows.append([name, len(found), mean, _percent(scores["UAE"].at_radius), *cpm, f"{seconds:.0f}"])
    head = [
        "method",
        "lesions",
        "mean / median / largest mm",
        "in box",
        "DLT @10 / @R",
        "TLT @10 / @R",
        "UAE @10 / @R",
    ]
    return _table([*head, "s a pair"], rows)


def _score(scan: dict[str, Any], name: str) -> PairingScore:
    lists = scan["methods"][name]["lists"]
    said, true = ({int(a): b for a, b in lists[key].items()} for key in ("said", "true"))
    return pairing_score(said, true, lists["new_said"], lists["new"], lists["gone"])


def _lists(scans: Sequence[dict[str, Any]], methods: Sequence[str]) -> str:
    rows = []
    for name in methods:
        score = sum((_score(scan, name) for scan in scans), PairingScore())
        joined = []
        for kind in ("merged", "split"):
            lists = [scan["methods"][name]["lists"] for scan in scans]
            told = sum(len(set(one[kind]) & set(one[f"{kind}_said"])) for one in lists)
            wrong = sum(len(set(one[f"{kind}_said"]) - set(one[kind])) for one in lists)
            joined.append(f"{told} of {sum(len(one[kind]) for one in lists)}, {wrong} false")
        new = f"{score.new_found} of {score.new}, {score.new_false_per_scan:.2f}"
        gone = f"{score.gone_found} of {score.gone}"
        rows.append([name, f"{score.f1:.3f}", score.wrong, score.missed, score.switched, new, gone, *joined])
    head = ["method", "F1", "wrong", "missed", "switched", "new, false a scan", "gone", "merged", "split"]
    return _table(head, rows)


def _diameters(scans: Sequence[dict[str, Any]]) -> str:
    own = next(iter(scans[0]["methods"]))
    found = [item for scan in scans for item in scan["methods"][own].get("diameters", ())]
    groups = {
        "all": found,
        "soft tissue": [item for item in found if not item["in_lung"]],
        "lung": [item for item in found if item["in_lung"]],
    }
    head = [
        "lesions",
        "number",
        "measured",
        "long mm (median)",
        "long %",
        "short mm",
        "within 1.5 mm or 10 %",
    ]
    return _table(
        [*head, "carried only, long mm", "refusal right"], [_row(*item) for item in groups.items() if item[1]]
    )


def _row(name: str, items: Sequence[dict[str, Any]]) -> list[object]:
    measured = [item for item in items if item["said_long_mm"] is not None]
    error = np.array([abs(item["said_long_mm"] - item["long_mm"]) for item in measured])
    part = error / np.array([item["long_mm"] for item in measured])
    short = np.array([abs(item["said_short_mm"] - item["short_mm"]) for item in measured])
    carried = [abs(item["carried_long_mm"] - item["long_mm"]) for item in items if item["carried_long_mm"]]
    right = np.mean([_refusal_is_right(item) for item in items])
    within = _percent(float(np.mean((error <= 1.5) | (part <= 0.1))))
    numbers = [f"{np.median(error):.2f}", f"{100 * np.median(part):.1f}", f"{np.median(short):.2f}", within]
    return [name, len(items), len(measured), *numbers, f"{np.median(carried):.2f}", _percent(float(right))]


def _refusal_is_right(item: dict[str, Any]) -> bool:
    """A lesion that can be told from its surroundings is measured well, one that can't is refused."""
    hard = (not item["in_lung"] and item["contrast"] < CONTRAST) or item["growth"] > MOST_GROWTH
    hard = hard or item["border_mm"] < item["long_mm"] / 2
    if item["said_long_mm"] is None:
        return bool(hard)
    error = abs(item["said_long_mm"] - item["long_mm"])
    return bool(error <= max(RIGHT_MM, RIGHT_PART * item["long_mm"]))


def _real(real: Sequence[dict[str, Any]], methods: Sequence[str]) -> str:
    rows = []
    for record in real:
        for name in methods:
            errors = np.array(record["errors"][name])
            within = _percent(float(np.mean(errors <= 5.0)))
            mean = f"{np.nanmean(errors):.2f} / {np.nanmedian(errors):.2f} / {np.nanmax(errors):.1f}"
            rows.append([record["real"], name, len(errors), mean, within])
    return _table(["real pair", "method", "points", "mean / median / largest mm", "within 5 mm"], rows)
