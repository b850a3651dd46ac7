"""The worst transfers of an evaluation as a picture: what a failure looks like tells more than its millimetres."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from functools import lru_cache

from ..picture import Comparison, write_comparisons
from ..transferred import Status, TransferredLandmark
from ..volume import Volume
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
        Comparison(
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
    return TransferredLandmark(
        label=record.truth.label,
        position_lps=record.found_lps,
        status=Status(record.status),
        confidence=record.confidence,
        similarity=record.similarity,
        cycle_mm=record.cycle_mm,
        candidates=(),
        reason=": ".join(filter(None, (record.set, record.reason))),
    )
