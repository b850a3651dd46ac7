"""From transfers with known answers to figures: per set, per landmark, and over all sets.

Accuracy counts landmarks of quality 1 and 2 whose true place is in view, whatever status they were given; a
landmark reported as MISSING counts at its best candidate. What the statuses and the confidence are worth is
reported beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.transfer import Status
from .confidence import confidence_quality
from .metrics import bootstrap_intervals, error_statistics, landmark_weights, patient_weights, scan_weights
from .records import TransferRecord, View, confidences_of, errors_of
from .runs import SetRun
from .sets import WORST_SCORED_QUALITY

# With fewer, every draw of patients is nearly the same and the intervals would be far too narrow.
_FEWEST_PATIENTS = 3
Summary = dict[str, Any]


def summarise(runs: Sequence[SetRun], resamples: int, seed: int) -> Summary:
    """Figures of every run under its name in `sets`, of all real test sets together in `all_sets`.

    Shares are 0 to 1, undefined figures are NaN.
    """
    random = np.random.default_rng(seed)
    weights = [_weights(scored_records(run.records), resamples, random) for run in runs]
    summary: Summary = {
        "sets": {run.name: summarise_run(run, *weighted) for run, weighted in zip(runs, weights)}
    }
    real = [run for run in runs if not run.semi_synthetic]
    if len(real) > 1:
        # Without intervals: such a mixture of sets is drawn from no population.
        summary["all_sets"] = summarise_records(
            scored_records([each for run in real for each in run.records])
        )
    return summary


def scored_records(records: Sequence[TransferRecord]) -> list[TransferRecord]:
    """Those whose truth is good enough to score and in view."""
    return [record for record in _visible(records) if record.truth.quality <= WORST_SCORED_QUALITY]


def _visible(records: Sequence[TransferRecord]) -> list[TransferRecord]:
    return [record for record in records if record.truth.view is View.VISIBLE]


def _weights(
    records: Sequence[TransferRecord], resamples: int, random: np.random.Generator
) -> tuple[np.ndarray, str]:
    """Bootstrap counts (resamples, n), and in words what was drawn."""
    templates, targets = [record.template for record in records], [record.target for record in records]
    if not records:
        return np.zeros((resamples, 0), dtype=int), "nothing"
    if not set(templates) & set(targets) and len(set(templates)) >= _FEWEST_PATIENTS:
        return scan_weights(templates, resamples, random), f"scans ({len(set(templates))})"
    if (patients := len(_scans(records))) >= _FEWEST_PATIENTS:
        return patient_weights(templates, targets, resamples, random), f"patients ({patients})"
    return landmark_weights(len(records), resamples, random), f"landmarks ({len(records)})"


def summarise_run(run: SetRun, weights: np.ndarray, drawn: str) -> Summary:
    """Figures of one run; `weights` are the bootstrap counts of its scored records."""
    records = scored_records(run.records)
    summary = summarise_records(records, weights)
    summary |= {
        "semi_synthetic": run.semi_synthetic,
        "resampled": drawn,
        "skipped": list(run.skipped),
        "pairs": len({(record.template, record.target) for record in run.records}),
        "embedding_seconds": run.embedding_seconds,
        "matching_seconds": run.matching_seconds,
    }
    if len(_visible(run.records)) > len(records):
        summary["with_quality_3"] = error_statistics(errors_of(_visible(run.records)))
    if not run.semi_synthetic:
        summary["landmarks"] = _per_label(records, weights)
    return summary


def summarise_records(records: Sequence[TransferRecord], weights: np.ndarray | None = None) -> Summary:
    """Error statistics, status counts, side swaps and confidence quality of some records.

    With intervals where `weights` gives bootstrap counts (resamples, n).
    """
    return _statistics(errors_of(records), weights) | {
        "status": status_figures(records),
        "sides": _sides(records),
        "confidence": confidence_quality(confidences_of(records), errors_of(records)),
    }


def _statistics(errors_mm: np.ndarray, weights: np.ndarray | None) -> Summary:
    intervals = {} if weights is None else bootstrap_intervals(errors_mm, weights)
    return error_statistics(errors_mm) | {
        "interval_95": {name: list(bounds) for name, bounds in intervals.items()}
    }


def _per_label(records: Sequence[TransferRecord], weights: np.ndarray) -> dict[str, Summary]:
    """Figures of each landmark, with intervals where enough patients have it."""
    of_label: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        of_label.setdefault(record.truth.label, []).append(index)
    figures = {}
    for label, indices in sorted(of_label.items()):
        chosen = [records[index] for index in indices]
        enough = len(_scans(chosen)) >= _FEWEST_PATIENTS
        figures[label] = _statistics(errors_of(chosen), weights[:, indices] if enough else None)
    return figures


def _scans(records: Sequence[TransferRecord]) -> set[str]:
    return {name for record in records for name in (record.template, record.target)}


def status_figures(records: Sequence[TransferRecord]) -> dict[str, Summary]:
    """For each status: its share of the records, and the error statistics of those records."""
    by_status = {
        status.value: [record for record in records if record.status == status.value] for status in Status
    }
    return {
        status: {"share": len(chosen) / len(records) if records else np.nan}
        | error_statistics(errors_of(chosen))
        for status, chosen in by_status.items()
    }


def _sides(records: Sequence[TransferRecord]) -> dict[str, int]:
    sided = [record.swapped for record in records if record.swapped is not None]
    return {"n": len(sided), "swapped": sum(sided)}
