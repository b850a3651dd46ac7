"""The worst transfers of an evaluation as a picture: what a failure looks like tells more than its millimetres."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from ..core.results import TransferredLandmark
from ..core.volume import Volume
from ..reporting.picture import PicturePair, write_comparisons
from .records import TransferRecord
from .runs import SetRun
from .sets import EvaluationSet
from .summary import scored_records


def write_failures(
    path: str | os.PathLike, runs: Sequence[SetRun], evaluation_sets: Sequence[EvaluationSet], per_set: int
) -> None:
    """Write a PNG with the `per_set` worst landmarks of each test set, at most one of each label.

    Raises UsageError without matplotlib and OutputError where `path` can't be written.
    """
    scans = {
        (each.name, scan.name): scan
        for each in evaluation_sets
        for pair in each.pairs
        for scan in (pair.template, pair.target)
    }
    read = lru_cache(4)(Volume.read)
    comparisons = [
        PicturePair(
            item=_item(record),
            template=read(scans[record.set, record.template].path),
            target=read(scans[record.set, record.target].path),
            template_lps=scans[record.set, record.template].position_of[record.truth.label],
            truth_lps=record.truth.position_lps,
        )
        for run in runs
        for record in _worst(run, per_set)
    ]
    write_comparisons(path, comparisons, f"The {per_set} worst landmarks of each set")


def _worst(run: SetRun, count: int) -> list[TransferRecord]:
    chosen: dict[str, TransferRecord] = {}
    if not run.semi_synthetic:
        placed = [record for record in scored_records(run.records) if math.isfinite(record.error_mm)]
        for record in sorted(placed, key=lambda record: -record.error_mm):
            chosen.setdefault(record.truth.label, record)
    return list(chosen.values())[:count]


def _item(record: TransferRecord) -> TransferredLandmark:
    """The answer at the place where it is scored, with the name of its set before the reason."""
    reason = ": ".join(filter(None, (record.set, record.answer.reason)))
    return replace(record.answer, position_lps=record.found_lps, candidates=(), reason=reason)
