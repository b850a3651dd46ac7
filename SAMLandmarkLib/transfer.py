"""The engine: landmarks of a template in, the same places in a target out. Every door of the product calls this."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .embedding.embedder import Embedder
from .embedding.embedding import Embedding
from .landmarks import LandmarkSet
from .matching.confidence import Calibration, Status
from .matching.pair import PairMatcher, PointMatches
from .matching.queries import Matches
from .model.bundle import EmbeddingModel
from .progress import Progress
from .volume import Volume

__all__ = ["Candidate", "Status", "TransferEngine", "TransferResult", "TransferredLandmark"]

PAIRS_KEPT = 4
OUTSIDE_TEMPLATE = "outside template"
OUTSIDE_FIELD_OF_VIEW = "outside field of view"
NOT_DEFINED = "not defined in the template"
NO_CONSISTENT_MATCH = "no consistent match"


@dataclass(frozen=True)
class Candidate:
    """A place where the landmark may be: `position_lps` `(3,)` mm and its similarity (mean cosine)."""

    position_lps: np.ndarray
    similarity: float


@dataclass(frozen=True)
class TransferredLandmark:
    """One landmark in the target.

    `position_lps` `(3,)` mm, None where MISSING; `confidence` is the probability that the error is at most 10 mm;
    `similarity` (mean cosine) and `cycle_mm` (distance after matching there and back) are NaN where not computed;
    `candidates` best first; `reason` tells why the landmark is not simply FOUND.
    """

    label: str
    position_lps: np.ndarray | None
    status: Status
    confidence: float
    similarity: float
    cycle_mm: float
    candidates: tuple[Candidate, ...]
    reason: str


@dataclass(frozen=True)
class TransferResult(Sequence):
    """All landmarks of one target, in the order of the template; `provenance` tells how they were made (JSON-able)."""

    template: str
    target: str
    items: tuple[TransferredLandmark, ...]
    provenance: dict

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]

    def write(self, directory: str | os.PathLike) -> list[Path]:
        """Write markups, table and provenance into a folder; returns the files. Raises OutputError."""
        from .results import write_results

        return write_results(directory, [self])


class TransferEngine:
    """Transfers landmarks between scans, with the model loaded once.

    `device` is "auto", "cpu", "cuda", "cuda:N" or "mps"; `model` a file made by `samlandmark export` (the bundled one
    by default); `max_memory` bounds the bytes of the network's activations. Raises ModelError and UsageError.

    >>> engine = TransferEngine(device="cpu")
    >>> engine.model.metadata.fine_spacing_mm
    4.0
    """

    def __init__(
        self, device: str = "auto", model: str | os.PathLike | None = None, max_memory: int | None = None
    ) -> None:
        self.model = EmbeddingModel.load(model, device)
        self.calibration = Calibration(**self.model.metadata.calibration)
        self._embedder = Embedder(self.model, max_memory)
        self._embedded: OrderedDict[int, tuple[Volume, Embedding]] = OrderedDict()
        self._pairs: OrderedDict[tuple[int, int], PairMatcher] = OrderedDict()

    def embed(self, volume: Volume, progress: Progress | None = None) -> Embedding:
        """The embedding of a volume, to be given to `transfer` any number of times."""
        return self._embedder.embed(volume, progress)

    def transfer(
        self,
        template: Volume | Embedding,
        landmarks: LandmarkSet,
        target: Volume | Embedding,
        progress: Progress | None = None,
    ) -> TransferResult:
        """Find the landmarks of the template in the target.

        Volumes are embedded here; the last few stay embedded, so further landmarks of the same scans cost
        milliseconds. `progress(step, fraction)` is called on the way.
        """
        template = self._embedding(template, progress)
        target = self._embedding(target, progress)
        started = time.perf_counter()
        matcher = self._matcher(template, target)
        items = self._match(matcher, landmarks)
        provenance = self._provenance(template, landmarks, target, time.perf_counter() - started)
        if progress is not None:
            progress("matching", 1.0)
        return TransferResult(template.name, target.name, items, provenance)

    def _embedding(self, scan: Volume | Embedding, progress: Progress | None) -> Embedding:
        if isinstance(scan, Embedding):
            return scan
        # the volume is kept beside its embedding, so its id cannot be taken over by another one
        key = id(scan)
        if key not in self._embedded:
            self._embedded[key] = (scan, self.embed(scan, progress))
        return _recent(self._embedded, key)[1]

    def _matcher(self, template: Embedding, target: Embedding) -> PairMatcher:
        key = (id(template), id(target))
        if key not in self._pairs:
            self._pairs[key] = PairMatcher(template, target)
        return _recent(self._pairs, key)

    def _match(self, matcher: PairMatcher, landmarks: LandmarkSet) -> tuple[TransferredLandmark, ...]:
        points = landmarks.positions_lps
        inside = matcher.template.field_of_view.distance_to_border_mm(points) > 0
        judged: dict[int, TransferredLandmark] = {}
        if inside.any():
            evidence = matcher.match(points[inside])
            confidences = self.calibration.confidence(evidence).tolist()
            for row, (number, confidence) in enumerate(zip(np.flatnonzero(inside), confidences, strict=True)):
                judged[int(number)] = self._judge(landmarks.labels[number], evidence, row, confidence)
        return tuple(
            judged.get(number) or _missing(label, point)
            for number, (label, point) in enumerate(zip(landmarks.labels, points, strict=True))
        )

    def _judge(self, label: str, evidence: PointMatches, row: int, confidence: float) -> TransferredLandmark:
        matches = evidence.matches
        candidates = _candidates(matches, row)
        status = self.calibration.status(confidence)
        if status is Status.DOUBTFUL and _left_the_target(evidence, row):
            status, confidence = Status.MISSING, self.calibration.missing
        found = status is not Status.MISSING
        return TransferredLandmark(
            label=label,
            position_lps=matches.best_lps[row].copy() if found else None,
            status=status,
            confidence=confidence,
            similarity=float(matches.similarity[row, 0]),
            cycle_mm=float(evidence.cycle_mm[row]),
            candidates=candidates,
            reason="" if status is Status.FOUND else _reason(evidence, row),
        )

    def _provenance(
        self, template: Embedding, landmarks: LandmarkSet, target: Embedding, matching_seconds: float
    ) -> dict:
        return {
            "model": {"version": self.model.metadata.version, "sha256": self.model.checksum},
            "sources": {"template": template.source, "landmarks": landmarks.source, "target": target.source},
            "settings": {
                "device": str(self.model.device),
                "dtype": str(self.model.dtype).removeprefix("torch."),
            },
            "seconds": {
                "template": template.seconds,
                "target": target.seconds,
                "matching": round(matching_seconds, 4),
            },
            "warnings": {"template": list(template.warnings), "target": list(target.warnings)},
        }


def _recent(kept: OrderedDict, key):
    """The entry of a key, marked as used last; the oldest entries beyond PAIRS_KEPT are dropped."""
    kept.move_to_end(key)
    while len(kept) > PAIRS_KEPT:
        kept.popitem(last=False)
    return kept[key]


def _missing(label: str, point: np.ndarray) -> TransferredLandmark:
    """The answer for a point `(3,)` that the template does not show."""
    reason = OUTSIDE_TEMPLATE if np.isfinite(point).all() else NOT_DEFINED
    return TransferredLandmark(label, None, Status.MISSING, 0.0, np.nan, np.nan, (), reason)


def _candidates(matches: Matches, row: int) -> tuple[Candidate, ...]:
    kept = np.isfinite(matches.score[row])
    return tuple(
        Candidate(position.copy(), float(similarity))
        for position, similarity in zip(
            matches.positions_lps[row][kept], matches.similarity[row][kept], strict=True
        )
    )


def _left_the_target(evidence: PointMatches, row: int) -> bool:
    """Whether the surroundings place the point beyond the target's border, by more than half their uncertainty."""
    return bool(evidence.border_mm[row] < -0.5 * evidence.spread_mm[row])


def _reason(evidence: PointMatches, row: int) -> str:
    """The weakest part of the evidence, in words."""
    cycle, deviation, spread = evidence.cycle_mm[row], evidence.deviation_mm[row], evidence.spread_mm[row]
    if evidence.border_mm[row] < 0:
        return OUTSIDE_FIELD_OF_VIEW
    if cycle > 10:
        return f"{NO_CONSISTENT_MATCH}: leads back {cycle:.0f} mm beside the landmark"
    if deviation > max(10.0, 2 * spread):
        return f"{deviation:.0f} mm from where the surroundings place it"
    if evidence.matches.margin[row] < 0.05:
        return "another place looks almost the same"
    return "low similarity"
