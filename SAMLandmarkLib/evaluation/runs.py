"""Running test sets through the engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..core.landmarks import LandmarkSet
from ..engine.embedded_files import EmbeddedFiles
from ..utils.progress import Progress
from .laterality import mirrored_label
from .records import KnownAnswer, TransferRecord
from .sets import WORST_SCORED_QUALITY, EvaluationPair, EvaluationSet

if TYPE_CHECKING:
    from ..engine.runtime import EngineRuntime
    from ..engine.scans import EmbeddedScan


@dataclass
class SetRun:
    """All transfers of one set, and what they cost.

    `embedding_seconds` leaves out reading the files; `provenance` is the engine's own account of the first
    transfer; `skipped` says which volumes of a semi-synthetic set could not be used, and why.
    """

    name: str
    semi_synthetic: bool = False
    records: list[TransferRecord] = field(default_factory=list)
    embedding_seconds: float = 0.0
    matching_seconds: float = 0.0
    provenance: dict[str, Any] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def transfer(
        self,
        runtime: EngineRuntime,
        template: EmbeddedScan,
        landmarks: LandmarkSet,
        target: EmbeddedScan,
        truths: Sequence[KnownAnswer],
        names: tuple[str, str],
    ) -> None:
        """Carry the landmarks over and keep the answers beside `truths`, which has one for each landmark."""
        started = time.perf_counter()
        result = runtime.transfer(template, landmarks, target)
        seconds = time.perf_counter() - started
        self.matching_seconds += seconds
        self.provenance = self.provenance or result.provenance
        self.records += [
            TransferRecord(self.name, *names, truth, item, seconds / len(truths))
            for truth, item in zip(truths, result, strict=True)
        ]


def run_evaluation_set(
    runtime: EngineRuntime, evaluation_set: EvaluationSet, progress: Progress | None = None
) -> SetRun:
    """Transfer every pair of a test set; each volume is read and embedded once.

    Landmarks of quality 3 are carried over in a call of their own, so that they can't influence those that
    count. An error in a volume ends the run: figures of part of a set can't be compared with anything.
    """
    run = SetRun(evaluation_set.name)
    scans = EmbeddedFiles(runtime)
    for index, pair in enumerate(evaluation_set.pairs):
        if progress:
            progress(f"{pair.template.name} → {pair.target.name}", index / len(evaluation_set.pairs))
        template, target = scans[pair.template.path], scans[pair.target.path]
        for labels in filter(None, _labels_by_scoring(pair)):
            run.transfer(
                runtime,
                template,
                _subset(pair.template.landmarks, labels),
                target,
                [_known_answer(pair, label) for label in labels],
                (pair.template.name, pair.target.name),
            )
    run.embedding_seconds = scans.seconds
    return run


def _labels_by_scoring(pair: EvaluationPair) -> tuple[list[str], list[str]]:
    scored = [label for label in pair.labels if pair.quality(label) <= WORST_SCORED_QUALITY]
    return scored, [label for label in pair.labels if label not in scored]


def _subset(landmarks: LandmarkSet, labels: Sequence[str]) -> LandmarkSet:
    return LandmarkSet([landmark for landmark in landmarks if landmark.label in labels])


def _known_answer(pair: EvaluationPair, label: str) -> KnownAnswer:
    """The reader's position in the target, and that of the mirrored structure if the reader trusts it."""
    mirrored = mirrored_label(label)
    trusted = mirrored in pair.target.position_of and pair.target.quality[mirrored] <= WORST_SCORED_QUALITY
    return KnownAnswer(
        label,
        pair.target.position_of[label],
        pair.target.position_of[mirrored] if trusted else None,
        pair.quality(label),
    )
