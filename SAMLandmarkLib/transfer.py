"""The engine: landmarks of a template in, the same places in a target out. Every door of the product calls this."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np

from .embedding.embedder import Embedder
from .embedding.embedding import Embedding
from .embedding.prepared import PreparedVolume
from .errors import UsageError
from .landmarks import LandmarkSet
from .matching.confidence import Calibration
from .matching.judgement import judge, missing
from .matching.pair import ExtraTemplate, PairMatcher
from .matching.queries import PROFILES, Queries
from .matching.search import similarity_map
from .model.bundle import EmbeddingModel
from .progress import Progress
from .transferred import Candidate, HeatMap, Status, TransferredLandmark, TransferResult
from .volume import Volume

__all__ = ["Candidate", "HeatMap", "Status", "TransferEngine", "TransferResult", "TransferredLandmark"]

ExtraTemplates = Sequence[tuple[Volume | Embedding, LandmarkSet]]
"""Further scans with landmarks of the same labels, such as a follow-up that a reader has corrected."""

VOLUMES_KEPT = 4
DEFAULT_PROFILE = "accurate"


class TransferEngine:
    """Transfers landmarks between scans, with the model loaded once.

    `device` is "auto", "cpu", "cuda", "cuda:N" or "mps"; `model` a file made by `samlandmark export` (the bundled one
    by default); `max_memory` bounds the bytes of the network's activations; `profile` is "accurate", or "fast" to leave
    out the refinement by the images. Raises ModelError and UsageError.

    >>> engine = TransferEngine(device="cpu")
    >>> engine.model.metadata.fine_spacing_mm
    4.0
    """

    def __init__(
        self,
        device: str = "auto",
        model: str | os.PathLike | None = None,
        max_memory: int | None = None,
        profile: str = DEFAULT_PROFILE,
    ) -> None:
        if profile not in PROFILES:
            raise UsageError(f"There is no profile {profile!r}; choose {' or '.join(PROFILES)}.")
        self.profile = profile
        self.model = EmbeddingModel.load(model, device)
        self.calibration = Calibration(**self.model.metadata.calibration.get(profile, {}))
        self._embedder = Embedder(self.model, max_memory)
        self._embedded: OrderedDict[int, tuple[Volume, Embedding]] = OrderedDict()
        self._correspondences: WeakKeyDictionary[Embedding, WeakKeyDictionary] = WeakKeyDictionary()

    def prepare(self, volume: Volume) -> PreparedVolume:
        """What `embed` does before it needs the network, for whoever does it beforehand in another thread."""
        return self._embedder.prepare(volume)

    def embed(self, volume: Volume | PreparedVolume, progress: Progress | None = None) -> Embedding:
        """The embedding of a volume, to be given to `transfer` any number of times."""
        return self._embedder.embed(volume, progress)

    def transfer(
        self,
        template: Volume | Embedding,
        landmarks: LandmarkSet,
        target: Volume | Embedding,
        progress: Progress | None = None,
        extra_templates: ExtraTemplates = (),
    ) -> TransferResult:
        """Find the landmarks of the template in the target.

        Volumes are embedded here; the last few stay embedded, so further landmarks of the same scans cost
        milliseconds. `progress(step, fraction)` is called on the way. `extra_templates` are pairs of a scan and a
        LandmarkSet; where their labels are those of landmarks, the places of all templates are looked for together,
        and a landmark that the template itself does not show is looked for with theirs.
        """
        template = self._embedding(template, progress)
        extras = [(self._embedding(scan, progress), points) for scan, points in extra_templates]
        target = self._embedding(target, progress)
        started = time.perf_counter()
        sources = [
            _Source(self._matcher(scan, target), _positions_of(landmarks.labels, points))
            for scan, points in [(template, landmarks), *extras]
        ]
        items = self._match(landmarks, sources)
        provenance = self._provenance(template, landmarks, target, time.perf_counter() - started)
        if extras:
            provenance["extra_templates"] = [scan.name for scan, _ in extras]
        if progress is not None:
            progress("matching", 1.0)
        return TransferResult(template.name, target.name, items, provenance)

    def heat_map(
        self, template: Volume | Embedding, point_lps: np.ndarray, target: Volume | Embedding
    ) -> HeatMap:
        """How similar each place of the target is to a point `(3,)` (LPS mm) of the template.

        Raises UsageError where the point lies outside the template.
        """
        template, target = self._embedding(template, None), self._embedding(target, None)
        points = np.asarray(point_lps, dtype=float).reshape(1, 3)
        if not template.field_of_view.distance_to_border_mm(points)[0] > 0:
            raise UsageError(
                f"The point {points[0].round(1).tolist()} (LPS mm) lies outside the template {template.name}; "
                "choose one inside."
            )
        similarity = similarity_map(Queries.at(template, points), target)
        return HeatMap(similarity.cpu().numpy(), target.fine.grid)

    def _embedding(self, scan: Volume | Embedding, progress: Progress | None) -> Embedding:
        if isinstance(scan, Embedding):
            return scan
        # the volume is kept beside its embedding, so its id cannot be taken over by another one
        key = id(scan)
        if key not in self._embedded:
            self._embedded[key] = (scan, self.embed(scan, progress))
        self._embedded.move_to_end(key)
        while len(self._embedded) > VOLUMES_KEPT:
            self._embedded.popitem(last=False)
        return self._embedded[key][1]

    def _matcher(self, template: Embedding, target: Embedding) -> PairMatcher:
        """A matcher that makes the correspondences of a pair at its first use only, as long as both scans live."""
        matcher = PairMatcher(template, target, PROFILES[self.profile])
        known = self._correspondences.setdefault(template, WeakKeyDictionary())
        if target in known:
            matcher.correspondences = known[target]
        known[target] = matcher.correspondences
        return matcher

    def _match(self, landmarks: LandmarkSet, sources: Sequence[_Source]) -> tuple[TransferredLandmark, ...]:
        """Judge each landmark by the first source that shows it, helped by those after it."""
        judged: dict[int, TransferredLandmark] = {}
        for number, source in enumerate(sources):
            rows = [row for row in np.flatnonzero(source.shown) if row not in judged]
            if rows:
                extra = [ExtraTemplate(other.matcher, other.points(rows)) for other in sources[number + 1 :]]
                evidence = source.matcher.match(source.points(rows), extra)
                labels = [landmarks.labels[row] for row in rows]
                judged |= dict(zip(rows, judge(labels, evidence, self.calibration), strict=True))
        return tuple(
            judged.get(row) or missing(label, point)
            for row, (label, point) in enumerate(zip(landmarks.labels, landmarks.positions_lps, strict=True))
        )

    def _provenance(
        self, template: Embedding, landmarks: LandmarkSet, target: Embedding, matching_seconds: float
    ) -> dict:
        return {
            "model": {"version": self.model.metadata.version, "sha256": self.model.checksum},
            "sources": {"template": template.source, "landmarks": landmarks.source, "target": target.source},
            "settings": {
                "profile": self.profile,
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


class _Source:
    """A template and where it shows the landmarks, `(n,3)`, NaN where it does not."""

    def __init__(self, matcher: PairMatcher, positions_lps: np.ndarray) -> None:
        self.matcher = matcher
        self.shown = matcher.template.field_of_view.distance_to_border_mm(positions_lps) > 0
        self._positions_lps = np.where(self.shown[:, None], positions_lps, np.nan)

    def points(self, rows: Sequence[int]) -> np.ndarray:
        return self._positions_lps[rows]


def _positions_of(labels: Sequence[str], landmarks: LandmarkSet) -> np.ndarray:
    """Positions `(n,3)` of the landmarks with these labels, NaN where there is none."""
    known = dict(zip(landmarks.labels, landmarks.positions_lps, strict=True))
    return np.array([known.get(label, np.full(3, np.nan)) for label in labels])
