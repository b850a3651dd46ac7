"""The engine: landmarks of a template in, the same places in a target out. Used by command line, page, Slicer and study."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from ..core.landmarks import LandmarkSet
from ..core.matching_options import MatchingOptions, without_images
from ..core.results import Candidate, HeatMap, LocalMaps, Status, TransferredLandmark, TransferResult
from ..core.volume import Volume
from ..embedding.embedder import Embedder
from ..embedding.embedding import Embedding
from ..embedding.prepared import PreparedVolume
from ..matching.confidence import Calibration
from ..matching.decision import missing
from ..matching.pair import PairMatcher
from ..matching.prediction import Correspondences
from ..matching.search import similarity_map
from ..matching.types import Queries
from ..matching.voting import voted
from ..models.bundle import EmbeddingModel
from ..utils.errors import UsageError, VolumeWarning
from ..utils.progress import Progress
from ..utils.recently_used import RecentlyUsed
from .atlas import Atlas, AtlasFiles
from .orientation import orientation_doubt, unlike_doubt

if TYPE_CHECKING:
    from ..registration.registration import Registration
    from .protocols import ProtocolChoice

__all__ = ["Candidate", "HeatMap", "Status", "TransferEngine", "TransferResult", "TransferredLandmark"]

ExtraTemplates = Sequence[tuple[Volume | Embedding, LandmarkSet]]
"""Further scans with landmarks of the same labels, such as a follow-up that a reader has corrected."""

VOLUMES_KEPT = 4
DEFAULT_PROFILE = "accurate"


class TransferEngine:
    """Transfers landmarks between scans, with the model loaded once.

    `device` is "auto", "cpu", "cuda", "cuda:N" or "mps"; `model` a file made by `samlandmark model export` (the bundled one
    by default); `max_memory` bounds the bytes of the network's activations; `profile` is "accurate", or "fast" to leave
    out the refinement by the images; `precision` is "auto", "bf16" or "fp32"; `trust_model` allows a TorchScript file
    that did not come with SAMLandmark, which may run any code as it is loaded. Raises ModelError and UsageError.

    >>> engine = TransferEngine(device="cpu")
    >>> [level.cell_spacing_mm for level in engine.model.metadata.levels]
    [4.0, 8.0]
    """

    def __init__(
        self,
        device: str = "auto",
        model: str | Path | None = None,
        max_memory: int | None = None,
        profile: str = DEFAULT_PROFILE,
        precision: str = "auto",
        trust_model: bool = False,
    ) -> None:
        self.model = EmbeddingModel.load(model, device, precision, trust_model)
        profiles = self.model.metadata.matching
        if profile not in profiles:
            raise UsageError(f"There is no profile {profile!r}; choose {' or '.join(profiles)}.")
        self.profile, self.options = profile, profiles[profile]
        self.calibration = self._calibration(profile)
        self._embedder = Embedder(self.model, max_memory)
        self._embedded = RecentlyUsed[int, tuple[Volume, Embedding]](VOLUMES_KEPT)
        self._atlases = AtlasFiles()
        self._doubts: WeakKeyDictionary[Embedding, WeakKeyDictionary[Embedding, str]] = WeakKeyDictionary()
        self._correspondences: WeakKeyDictionary[Embedding, WeakKeyDictionary[Embedding, Correspondences]] = (
            WeakKeyDictionary()
        )

    def _calibration(self, profile: str) -> Calibration:
        return Calibration.from_json(self.model.metadata.calibration.get(profile, {}))

    def read(self, path: str | Path, pixel_spacing_mm: float | None = None) -> Volume:
        """Read a scan as an image of the model's modality; raises and warns as `Volume.read` does."""
        return Volume.read(path, modality=self.model.modality, pixel_spacing_mm=pixel_spacing_mm)

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
        LandmarkSet; where their labels are those of landmarks, each template answers by itself and the answers vote,
        weighted by their confidence.
        """
        template = self._embedding(template, progress)
        extras = [(self._embedding(scan, progress), points) for scan, points in extra_templates]
        target = self._embedding(target, progress)
        started = time.perf_counter()
        sources = [
            _Source(
                self.matcher(scan, target),
                _positions_of(landmarks.labels, points),
                self._way_of(scan)[1],
            )
            for scan, points in [(template, landmarks), *extras]
        ]
        items = self._match(landmarks, sources)
        doubts = self._orientation_doubts(sources[0].matcher)
        provenance = self._provenance(template, landmarks, target, time.perf_counter() - started)
        provenance["warnings"]["target"] += doubts
        if extras:
            provenance["extra_templates"] = [scan.name for scan, _ in extras]
        if progress is not None:
            progress("matching", 1.0)
        return TransferResult(template.name, target.name, items, provenance)

    def locate(
        self,
        target: Volume | Embedding,
        protocol: Atlas | ProtocolChoice = None,
        progress: Progress | None = None,
    ) -> TransferResult:
        """Find the landmarks of a protocol in a target, by the vote of an atlas's marked patients instead of a template.

        `protocol` is the name of a bundled one ("chest"), an atlas file or an Atlas; of several files, and of the bundled
        ones where none is given, that one is taken of whose patients most is found in the target, and the provenance says
        so. Raises AtlasError and UsageError.
        """
        from .locate import located

        return located(self, self._embedding(target, progress), protocol, progress)

    def atlas(self, path: str | Path) -> Atlas:
        """An atlas file, read once and again when it changes. Raises AtlasError where it is damaged or of another model."""
        return self._atlases.read(Path(path), self.model)

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
        return HeatMap(similarity.cpu().numpy(), target.finest.grid)

    def local_maps(
        self, template: Volume | Embedding, points_lps: np.ndarray, target: Volume | Embedding
    ) -> LocalMaps | None:
        """Where the surroundings place points `(n,3)` (LPS mm) of the template; None where too few correspondences agree."""
        template, target = self._embedding(template, None), self._embedding(target, None)
        known = self.matcher(template, target).correspondences
        if not known.are_enough:
            return None
        predicted = known.predict(points_lps)
        return LocalMaps(
            predicted.positions_lps, predicted.prediction_sigma_mm, known.linear_maps(points_lps)
        )

    def register(
        self,
        template: Volume | Embedding,
        target: Volume | Embedding,
        profile: str = "accurate",
        progress: Progress | None = None,
    ) -> Registration:
        """The map between two scans as a whole; `profile` is "affine", "fast" or "accurate".

        Raises RegistrationError where the scans do not show enough of the same anatomy.
        """
        from ..registration.adapter import register_embeddings

        template, target = self._embedding(template, progress), self._embedding(target, progress)
        return register_embeddings(self.matcher(template, target), profile, progress)

    def _embedding(self, scan: Volume | Embedding, progress: Progress | None) -> Embedding:
        if isinstance(scan, Embedding):
            return scan
        # the volume is kept beside its embedding, so its id cannot be taken over by another one
        return self._embedded.get(id(scan), lambda: (scan, self.embed(scan, progress)))[1]

    def _way_of(self, template: Embedding) -> tuple[MatchingOptions, Calibration]:
        """The options and the calibration for a template, which may come without voxels."""
        if template.has_image:
            return self.options, self.calibration
        profiles = self.model.metadata.matching
        profile = without_images(profiles, self.profile)
        return profiles[profile], self._calibration(profile)

    def matcher(self, template: Embedding, target: Embedding) -> PairMatcher:
        """A matcher that makes the correspondences of a pair at its first use only, as long as both scans live."""
        matcher = PairMatcher(template, target, self._way_of(template)[0])
        known = self._correspondences.setdefault(template, WeakKeyDictionary())
        if target in known:
            matcher.correspondences = known[target]
        known[target] = matcher.correspondences
        return matcher

    def _orientation_doubts(self, matcher: PairMatcher) -> list[str]:
        """Whether the target seems to be stored upside down or mirrored; found once for a pair and told each time."""
        template, target = matcher.template, matcher.target
        if not self.options.prediction.enabled:
            return []
        known = self._doubts.setdefault(template, WeakKeyDictionary())
        if target not in known:
            known[target] = orientation_doubt(template, target, self.model, matcher.consistent_part) or (
                unlike_doubt(matcher.consistent_part) if matcher.is_unlike else ""
            )
            if known[target]:
                warnings.warn(f"{target.source or target.name}: {known[target]}", VolumeWarning, stacklevel=3)
        return [known[target]] if known[target] else []

    def _match(self, landmarks: LandmarkSet, sources: Sequence[_Source]) -> tuple[TransferredLandmark, ...]:
        """The answer of the source that shows a landmark, or the vote of those that do."""
        answers: list[list[TransferredLandmark]] = [[] for _ in landmarks.labels]
        for source in sources:
            rows = np.flatnonzero(source.shown).tolist()
            if rows:
                labels = [landmarks.labels[row] for row in rows]
                decided = source.matcher.decide(labels, source.points(rows), source.calibration)
                for row, answer in zip(rows, decided, strict=True):
                    answers[row].append(answer)
        return tuple(
            voted(given, sources[0].calibration, self.options.voting) if given else missing(label, point)
            for given, label, point in zip(answers, landmarks.labels, landmarks.positions_lps, strict=True)
        )

    def _provenance(
        self, template: Embedding, landmarks: LandmarkSet, target: Embedding, matching_seconds: float
    ) -> dict[str, Any]:
        return {
            "model": {
                "version": self.model.metadata.version,
                "sha256": self.model.checksum,
                "modality": self.model.modality.name,
                "error_limit_mm": self.model.metadata.error_limit_mm,
            },
            "sources": {"template": template.source, "landmarks": landmarks.source, "target": target.source},
            "settings": {
                "profile": self.profile,
                "device": str(self.model.device),
                "dtype": str(self.model.dtype).removeprefix("torch."),
                "precision": self.model.precision,
            },
            "seconds": {
                "template": template.seconds,
                "target": target.seconds,
                "matching": round(matching_seconds, 4),
            },
            "warnings": {"template": list(template.warnings), "target": list(target.warnings)},
        }


class _Source:
    """A template and where it shows the landmarks, `(n,3)`, NaN where it does not, with the calibration of its matches."""

    def __init__(self, matcher: PairMatcher, positions_lps: np.ndarray, calibration: Calibration) -> None:
        self.matcher, self.calibration = matcher, calibration
        self.shown = matcher.template.field_of_view.distance_to_border_mm(positions_lps) > 0
        self._positions_lps = np.where(self.shown[:, None], positions_lps, np.nan)

    def points(self, rows: Sequence[int]) -> np.ndarray:
        return self._positions_lps[rows]


def _positions_of(labels: Sequence[str], landmarks: LandmarkSet) -> np.ndarray:
    """Positions `(n,3)` of the landmarks with these labels, NaN where there is none."""
    known = dict(zip(landmarks.labels, landmarks.positions_lps, strict=True))
    return np.array([known.get(label, np.full(3, np.nan)) for label in labels])
