"""From raw rows to figures: errors with intervals, differences to SAMLandmark, time and memory.

Intervals are bootstrapped over whole pairs, all landmarks of a pair together, since they succeed and fail together;
over landmarks where a set has one pair only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..baselines.registry import BASELINE_NAMES, OWN
from ..metrics import bootstrap_intervals, error_statistics, landmark_weights, resampled_statistics
from .rows import LandmarkRow, PairRow, RawRows

FEWEST_PAIRS = 3
"""With fewer, a set's intervals are over landmarks, because draws of pairs would nearly all be the same."""
LEVEL = 0.95
Figures = dict[str, Any]


def comparison_figures(rows: RawRows, resamples: int, seed: int = 0) -> Figures:
    """Figures of each set by its name, and in it of each baseline: see `baseline_figures` and `difference_figures`."""
    sets = sorted({row.set for row in rows.pairs})
    return {name: _set_figures(name, rows, resamples, seed) for name in sets}


def _set_figures(name: str, rows: RawRows, resamples: int, seed: int) -> Figures:
    pairs = [row for row in rows.pairs if row.set == name]
    landmarks = [row for row in rows.landmarks if row.set == name]
    baselines = [baseline for baseline in BASELINE_NAMES if any(row.baseline == baseline for row in pairs)]
    own_cost = cost_figures([row for row in pairs if row.baseline == OWN])
    figures = {}
    for baseline in baselines:
        of_baseline = [row for row in landmarks if row.baseline == baseline]
        figures[baseline] = error_figures(of_baseline, resamples, seed)
        figures[baseline]["cost"] = cost_figures([row for row in pairs if row.baseline == baseline])
        figures[baseline]["ratio"] = _ratios(figures[baseline]["cost"], own_cost)
        if baseline != OWN:
            own = [row for row in landmarks if row.baseline == OWN]
            figures[baseline]["difference"] = difference_figures(of_baseline, own, resamples, seed)
    return {
        "peers": figures,
        "pairs": len({row.pair for row in pairs}),
        "failures": [_failure(row) for row in pairs if row.failure],
    }


def error_figures(rows: Sequence[LandmarkRow], resamples: int, seed: int) -> Figures:
    """Error statistics of one baseline in one set, with 95 % intervals, and over what they were drawn."""
    errors = np.array([row.error_or_infinity for row in rows])
    weights, drawn = bootstrap_weights(rows, resamples, seed)
    intervals = {key: list(bounds) for key, bounds in bootstrap_intervals(errors, weights).items()}
    pairs = len({row.pair for row in rows})
    return error_statistics(errors) | {"interval_95": intervals, "resampled": drawn, "pairs": pairs}


def bootstrap_weights(rows: Sequence[LandmarkRow], resamples: int, seed: int) -> tuple[np.ndarray, str]:
    """How often each row occurs in each resample, `(resamples, n)`, and in words what was drawn."""
    random = np.random.default_rng(seed)
    pairs = sorted({row.pair for row in rows})
    if len(pairs) < FEWEST_PAIRS:
        return landmark_weights(len(rows), resamples, random), "landmarks"
    drawn = landmark_weights(len(pairs), resamples, random)
    return drawn[:, [pairs.index(row.pair) for row in rows]], "pairs"


def difference_figures(
    rows: Sequence[LandmarkRow], own: Sequence[LandmarkRow], resamples: int, seed: int
) -> Figures | None:
    """A baseline's error minus SAMLandmark's at the landmarks that both found, mm; None where there are none.

    The mean with its 95 % interval, and the p-value of a Wilcoxon signed-rank test on the medians of the pairs, or on
    the landmarks where there are fewer than FEWEST_PAIRS pairs.
    """
    known = {(row.pair, row.label): row.error_mm for row in own if np.isfinite(row.error_mm)}
    both = [row for row in rows if np.isfinite(row.error_mm) and (row.pair, row.label) in known]
    if not both:
        return None
    difference = np.array([row.error_mm - known[row.pair, row.label] for row in both])
    weights, drawn = bootstrap_weights(both, resamples, seed)
    means = resampled_statistics(difference, weights)["mean_mm"]
    tested = difference if drawn == "landmarks" else _pair_medians(both, known)
    return {
        "n": len(both),
        "mean_mm": float(difference.mean()),
        "interval_95": np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist(),
        "p": signed_rank_p(tested),
        "tested": f"{len(tested)} {drawn}",
    }


def _pair_medians(rows: Sequence[LandmarkRow], known: dict) -> np.ndarray:
    """Per pair the baseline's median error minus SAMLandmark's."""
    medians = []
    for pair in sorted({row.pair for row in rows}):
        chosen = [row for row in rows if row.pair == pair]
        others = [known[row.pair, row.label] for row in chosen]
        medians.append(np.median([row.error_mm for row in chosen]) - np.median(others))
    return np.array(medians)


def signed_rank_p(differences: np.ndarray) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test; 1 where there is no difference at all.

    >>> round(signed_rank_p(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])), 4)
    0.0312
    """
    from scipy.stats import wilcoxon

    return float(wilcoxon(differences).pvalue) if np.any(differences) else 1.0


def cost_figures(rows: Sequence[PairRow]) -> Figures:
    """Medians over the pairs that came out well: whole process, transfer alone (s), peak memory (MiB)."""
    done = [row for row in rows if not row.failure]
    names = ("seconds", "load_seconds", "read_seconds", "transfer_seconds", "peak_mib")
    medians = {
        name: float(np.median([getattr(row, name) for row in done])) if done else np.nan for name in names
    }
    return medians | {"pairs": len(rows), "failed": len(rows) - len(done)}


def _ratios(cost: Figures, own: Figures) -> Figures:
    """How many times as much as SAMLandmark a baseline takes."""
    return {name: cost[name] / own[name] for name in ("seconds", "transfer_seconds", "peak_mib")}


def _failure(row: PairRow) -> str:
    return f"{row.baseline}, {row.template} → {row.target}: {row.failure}"
