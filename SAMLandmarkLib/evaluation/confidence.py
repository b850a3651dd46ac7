"""How well a confidence tells right from wrong: calibration, ranking, and what refusing doubtful points buys.

Everywhere `confidences` is (n,), the claimed probability that the error is at most `limit_mm`, and
`errors_mm` is (n,), infinity for a landmark without a position.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LIMIT_MM = 10.0


def reliability_table(
    confidences: np.ndarray, errors_mm: np.ndarray, limit_mm: float = LIMIT_MM, bins: int = 10
) -> list[dict[str, Any]]:
    """One row per equal-width bin of confidence: bounds, n, mean confidence, share within the limit.

    The last two are NaN where a bin is empty. A confidence of exactly 1 belongs to the last bin.
    """
    confidences, correct = np.asarray(confidences, dtype=float), np.asarray(errors_mm) <= limit_mm
    bin_of = np.minimum((confidences * bins).astype(int), bins - 1)
    return [
        _reliability_row(
            index / bins, (index + 1) / bins, confidences[bin_of == index], correct[bin_of == index]
        )
        for index in range(bins)
    ]


def _reliability_row(low: float, high: float, confidences: np.ndarray, correct: np.ndarray) -> dict[str, Any]:
    count = len(confidences)
    return {
        "low": low,
        "high": high,
        "n": count,
        "mean_confidence": float(confidences.mean()) if count else np.nan,
        "share_within": float(correct.mean()) if count else np.nan,
    }


def expected_calibration_error(table: list[dict[str, Any]]) -> float:
    """Mean distance between claimed and true share within the limit, over the rows weighted by their n.

    >>> expected_calibration_error([{"n": 4, "mean_confidence": 0.9, "share_within": 0.5}])
    0.4
    """
    rows = [row for row in table if row["n"]]
    total = sum(row["n"] for row in rows)
    gaps = (row["n"] * abs(row["mean_confidence"] - row["share_within"]) for row in rows)
    return sum(gaps) / total if total else np.nan


def error_auroc(confidences: np.ndarray, errors_mm: np.ndarray, limit_mm: float = LIMIT_MM) -> float:
    """Probability that a wrong landmark (error above the limit) has a lower confidence than a right one.

    Ties count half; NaN where all are right or all are wrong.

    >>> error_auroc(np.array([0.9, 0.8, 0.1]), np.array([1.0, 2.0, 50.0]))
    1.0
    """
    confidences, wrong = np.asarray(confidences, dtype=float), np.asarray(errors_mm) > limit_mm
    ascending = np.sort(confidences[wrong])
    right = confidences[~wrong]
    if not ascending.size or not right.size:
        return np.nan
    below, below_or_equal = (np.searchsorted(ascending, right, side=side) for side in ("left", "right"))
    return float((below + below_or_equal).sum() / (2 * ascending.size * right.size))


def risk_coverage(
    confidences: np.ndarray, errors_mm: np.ndarray, limit_mm: float = LIMIT_MM, steps: int = 10
) -> list[dict[str, float]]:
    """What remains wrong when only the most confident landmarks are kept, for coverages 1/steps … 1.

    Each row: coverage (0 to 1), n kept, lowest confidence kept, share above the limit, mean error in mm of
    those with a position. Among equal confidences the larger errors are kept first, so ties never flatter.
    """
    confidences, errors = np.asarray(confidences, dtype=float), np.asarray(errors_mm, dtype=float)
    order = np.lexsort((-errors, -confidences))
    confidences, errors = confidences[order], errors[order]
    kept = [max(1, round(len(errors) * step / steps)) for step in range(1, steps + 1)] if len(errors) else []
    return [_risk_row(count, confidences, errors, limit_mm) for count in kept]


def _risk_row(count: int, confidences: np.ndarray, errors: np.ndarray, limit_mm: float) -> dict[str, float]:
    placed = errors[:count][np.isfinite(errors[:count])]
    return {
        "coverage": count / len(errors),
        "n": count,
        "confidence": float(confidences[count - 1]),
        "share_above": float(np.mean(errors[:count] > limit_mm)),
        "mean_mm": float(placed.mean()) if placed.size else np.nan,
    }


def confidence_quality(
    confidences: np.ndarray, errors_mm: np.ndarray, limit_mm: float = LIMIT_MM
) -> dict[str, Any]:
    """All of the above in one dictionary that JSON can hold once its NaN are replaced."""
    table = reliability_table(confidences, errors_mm, limit_mm)
    return {
        "limit_mm": limit_mm,
        "n": len(confidences),
        "expected_calibration_error": expected_calibration_error(table),
        "auroc": error_auroc(confidences, errors_mm, limit_mm),
        "reliability": table,
        "risk_coverage": risk_coverage(confidences, errors_mm, limit_mm),
    }
