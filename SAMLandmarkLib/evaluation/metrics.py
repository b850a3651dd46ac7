"""Error statistics of transferred landmarks and their bootstrap intervals.

An error of infinity stands for a landmark that came back without any position. Such a landmark counts as
"not within" in the shares; the millimetre statistics are taken over the landmarks that have a position.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WITHIN_MM = (5.0, 10.0)
QUANTILES = {"median_mm": 0.5, "p90_mm": 0.9}


def error_statistics(errors_mm: np.ndarray) -> dict[str, float]:
    """Count, mean, median, 90th percentile, maximum (mm) and shares (0 to 1) within 5 and 10 mm.

    >>> error_statistics(np.array([1.0, 3.0, 8.0, np.inf]))["within_5_mm"]
    0.5
    """
    errors = np.asarray(errors_mm, dtype=float)
    placed = errors[np.isfinite(errors)]
    statistics = {"n": int(errors.size), "n_without_position": int(errors.size - placed.size)}
    statistics["mean_mm"] = float(placed.mean()) if placed.size else np.nan
    for name, quantile in QUANTILES.items():
        statistics[name] = float(np.quantile(placed, quantile)) if placed.size else np.nan
    statistics["max_mm"] = float(placed.max()) if placed.size else np.nan
    return statistics | {share_name(limit): share_within(errors, limit) for limit in WITHIN_MM}


def share_name(limit_mm: float) -> str:
    """Key of the share of landmarks within a limit.

    >>> share_name(5.0)
    'within_5_mm'
    """
    return f"within_{limit_mm:g}_mm"


def share_within(errors_mm: np.ndarray, limit_mm: float) -> float:
    """Share (0 to 1) of errors not above the limit, NaN where there are no errors."""
    return float(np.mean(np.asarray(errors_mm) <= limit_mm)) if len(errors_mm) else np.nan


def bootstrap_intervals(
    errors_mm: np.ndarray, weights: np.ndarray, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of the statistics over resamples of the errors.

    `errors_mm` is (n,); `weights` is (resamples, n), the whole number of times each error occurs in each
    resample (see `landmark_weights` and `patient_weights`). Resamples that hold none of these errors are
    left out. The maximum has no useful bootstrap interval and gets none.
    """
    resampled = resampled_statistics(np.asarray(errors_mm, dtype=float), np.asarray(weights))
    return {name: _percentile_interval(values, level) for name, values in resampled.items()}


def _percentile_interval(values: np.ndarray, level: float) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if not values.size:
        return (np.nan, np.nan)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return (float(low), float(high))


def resampled_statistics(errors_mm: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The statistics of `error_statistics` in every resample, each (resamples,)."""
    placed = np.isfinite(errors_mm)
    order = np.argsort(errors_mm[placed])
    ascending, repeats = errors_mm[placed][order], weights[:, placed][:, order]
    statistics = {"mean_mm": _ratio(repeats @ ascending, repeats.sum(axis=1))}
    for name, quantile in QUANTILES.items():
        statistics[name] = _weighted_quantile(ascending, repeats, quantile)
    totals = weights.sum(axis=1)
    for limit in WITHIN_MM:
        statistics[share_name(limit)] = _ratio(weights @ (errors_mm <= limit), totals)
    return statistics


def _ratio(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    return np.where(denominators > 0, numerators / np.maximum(denominators, 1), np.nan)


def _weighted_quantile(ascending: np.ndarray, repeats: np.ndarray, quantile: float) -> np.ndarray:
    """`numpy.quantile` (linear) of each row's values, each value occurring as often as `repeats` says."""
    if not ascending.size:
        return np.full(len(repeats), np.nan)
    cumulative = np.cumsum(repeats, axis=1)
    rank = (cumulative[:, -1] - 1) * quantile
    lower, upper = (
        _value_at_rank(ascending, cumulative, np.clip(side(rank), 0, None)) for side in (np.floor, np.ceil)
    )
    return np.where(cumulative[:, -1] > 0, lower + (upper - lower) * (rank - np.floor(rank)), np.nan)


def _value_at_rank(ascending: np.ndarray, cumulative: np.ndarray, rank: np.ndarray) -> np.ndarray:
    position = (cumulative <= rank[:, None]).sum(axis=1)
    return ascending[np.minimum(position, ascending.size - 1)]


def landmark_weights(count: int, resamples: int, random: np.random.Generator) -> np.ndarray:
    """Bootstrap counts (resamples, count) where every landmark is drawn on its own.

    For one pair of scans: the interval then speaks of other landmarks of this pair, not of other patients.
    """
    return random.multinomial(count, np.full(count, 1 / count), size=resamples)


def scan_weights(templates: Sequence[str], resamples: int, random: np.random.Generator) -> np.ndarray:
    """Bootstrap counts (resamples, n) where template scans are drawn, each with all its transfers.

    For sets where no scan takes part in two pairs.
    """
    scans, scan_of = np.unique(list(templates), return_inverse=True)
    return landmark_weights(len(scans), resamples, random)[:, scan_of]


def patient_weights(
    templates: Sequence[str], targets: Sequence[str], resamples: int, random: np.random.Generator
) -> np.ndarray:
    """Bootstrap counts (resamples, n) where whole patients are drawn.

    Transfers of an all-pairs set share their template or target patient, so drawing transfers, or pairs,
    would give intervals that are too narrow. Here patients are drawn with replacement, and a transfer counts
    as often as its template patient times its target patient was drawn. A draw of one patient only, which has
    no pair, is drawn again.
    """
    patients = sorted(set(templates) | set(targets))
    drawn = _patient_draws(len(patients), resamples, random)
    column = {patient: index for index, patient in enumerate(patients)}
    return drawn[:, [column[name] for name in templates]] * drawn[:, [column[name] for name in targets]]


def _patient_draws(count: int, resamples: int, random: np.random.Generator) -> np.ndarray:
    if count < 2:
        raise ValueError(f"patients are drawn to form pairs: at least 2 are needed, got {count}")
    drawn = random.multinomial(count, np.full(count, 1 / count), size=resamples)
    while len(single := np.flatnonzero((drawn > 0).sum(axis=1) < 2)):
        drawn[single] = random.multinomial(count, np.full(count, 1 / count), size=len(single))
    return drawn
