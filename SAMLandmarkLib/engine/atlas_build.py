"""Making an atlas from marked scans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.landmarks import LandmarkSet
from ..embedding.atlas_file import AtlasContents, described_patient
from ..embedding.atlas_metadata import AtlasMetadata, ProtocolLandmark
from ..embedding.embedding import Embedding
from ..embedding.thinned import ThinnedEmbedding, bases_of
from ..utils.errors import AtlasError, ModelError
from .atlas import levels_of

if TYPE_CHECKING:
    from .transfer import TransferEngine

SUPPORT_POINTS = 300
"""Support points that are kept of a patient."""


@dataclass(frozen=True, eq=False)
class MarkedScan:
    """A scan whose landmarks are known, where it comes from, under which licence, and who is to be named."""

    embedding: Embedding
    landmarks: LandmarkSet
    collection: str = ""
    licence: str = ""
    attribution: str = ""


def build_atlas(
    engine: TransferEngine,
    name: str,
    scans: Sequence[MarkedScan],
    landmarks: Sequence[ProtocolLandmark] = (),
    title: str = "",
) -> AtlasContents:
    """An atlas of marked scans, whose landmarks are those given, or all that any scan has.

    Scans keep those of their support points that most of the others have too. Raises AtlasError where a scan has none of the
    landmarks inside it, or name, labels or scans are not fit for an atlas.
    """
    if not scans:
        raise AtlasError("An atlas needs at least one marked scan.")
    protocol = tuple(landmarks) or _all_landmarks(scans)
    bases = bases_of([scan.embedding for scan in scans])
    patients, described = [], []
    for scan in scans:
        points_lps = _marked(scan, [landmark.label for landmark in protocol])
        support = steady_points(engine, scan.embedding, [other.embedding for other in scans])
        patients.append(ThinnedEmbedding.of(scan.embedding, points_lps, support, bases))
        described.append(described_patient(patients[-1], scan.collection, scan.licence, scan.attribution))
    try:
        metadata = AtlasMetadata(
            name,
            engine.model.checksum,
            engine.model.modality.name,
            levels_of(engine.model),
            protocol,
            tuple(described),
            title,
        )
        # as it will be read, so that nothing is written that is refused later
        metadata = AtlasMetadata.from_json(metadata.to_json())
    except ModelError as error:
        raise AtlasError(str(error)) from error
    return AtlasContents(metadata, bases, tuple(patients))


def steady_points(
    engine: TransferEngine, embedding: Embedding, others: Sequence[Embedding], count: int = SUPPORT_POINTS
) -> np.ndarray:
    """Those support points `(m,3)` of a scan that are found in most of the other scans and lead back."""
    points = embedding.support_points_lps
    steady = np.zeros(len(points))
    for other in others:
        if other is not embedding:
            consistent = engine.matcher(embedding, other).correspondences.template_lps
            steady += (points[:, None] == consistent[None]).all(axis=2).any(axis=1)
    return points[np.argsort(-steady, kind="stable")[:count]]


def _all_landmarks(scans: Sequence[MarkedScan]) -> tuple[ProtocolLandmark, ...]:
    labels = dict.fromkeys(label for scan in scans for label in scan.landmarks.labels)
    return tuple(map(ProtocolLandmark, labels))


def _marked(scan: MarkedScan, labels: Sequence[str]) -> np.ndarray:
    """Where a scan is marked `(n,3)`, NaN for other labels and points outside the scan."""
    known = dict(zip(scan.landmarks.labels, scan.landmarks.positions_lps, strict=True))
    points = np.array([known.get(label, np.full(3, np.nan)) for label in labels])
    inside = scan.embedding.field_of_view.distance_to_border_mm(points) > 0
    if not inside.any():
        raise AtlasError(
            f"{scan.embedding.name}: none of the landmarks {', '.join(labels[:5])} lies inside the scan; do they belong to "
            "it, and is their frame (LPS or RAS) right?"
        )
    return np.where(inside[:, None], points, np.nan)
