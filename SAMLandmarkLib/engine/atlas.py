"""Atlases: marked patients that stand in for a template, read from a file and restored for a model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.landmarks import LandmarkSet
from ..core.organ_ends import SIGMA_MM
from ..embedding.atlas_file import AtlasContents, read_atlas_file
from ..embedding.atlas_metadata import AtlasLevel, AtlasMetadata
from ..embedding.embedding import Embedding
from ..models.bundle import EmbeddingModel
from ..utils.errors import AtlasError


@dataclass(frozen=True, eq=False)
class Atlas:
    """A protocol and its marked patients, each an embedding without voxels and its landmarks, ready to be matched."""

    metadata: AtlasMetadata
    patients: tuple[tuple[Embedding, LandmarkSet], ...]
    source: Path | None = None
    sha256: str | None = None

    @classmethod
    def read(cls, path: str | Path, model: EmbeddingModel) -> Atlas:
        """Read an atlas file. Raises AtlasError where it is damaged, hostile or made by another model."""
        return cls.of(read_atlas_file(path, model.modality), model, Path(path))

    @classmethod
    def of(cls, contents: AtlasContents, model: EmbeddingModel, source: Path | None = None) -> Atlas:
        """Restore the patients of an atlas for a model. Raises AtlasError where it was made by another one."""
        metadata = contents.metadata
        metadata.require_model(model.checksum, levels_of(model), source)
        spacings = [level.cell_spacing_mm for level in metadata.levels]
        embeddings = [
            patient.restored(spacings, contents.bases, model.modality, model.dtype).on(
                model.device, model.dtype
            )
            for patient in contents.patients
        ]
        landmarks = [
            LandmarkSet.from_points(metadata.labels, patient.landmarks_lps) for patient in contents.patients
        ]
        patients = tuple(
            (_with_marked_ends(embedding, marked), marked)
            for embedding, marked in zip(embeddings, landmarks, strict=True)
        )
        return cls(metadata, patients, source, contents.sha256)

    @property
    def name(self) -> str:
        """The protocol's name."""
        return self.metadata.name

    def without(self, names: Collection[str]) -> Atlas:
        """The same without some patients, as an evaluation on their scans needs it; AtlasError where none is left."""
        kept = tuple(part for part in self.patients if part[0].name not in names)
        if not kept:
            raise AtlasError(f"The atlas {self.name} has no patients but {', '.join(sorted(names))}.")
        return replace(self, patients=kept)

    def describe(self) -> dict[str, Any]:
        """What a result says of it, in types of JSON."""
        described = {patient.name: patient for patient in self.metadata.patients}
        used = [described[embedding.name] for embedding, _landmarks in self.patients]
        return {
            "protocol": self.name,
            "file": None if self.source is None else self.source.name,
            "sha256": self.sha256,
            "patients": [
                {"name": each.name, "licence": each.licence, "attribution": each.attribution} for each in used
            ],
            "landmarks": self.metadata.to_json()["landmarks"],
        }


def _with_marked_ends(embedding: Embedding, landmarks: LandmarkSet) -> Embedding:
    """A patient whose landmarks tell where the ends of organs are, since there are no voxels to find them in."""
    marked = zip(landmarks.labels, landmarks.positions_lps, strict=True)
    ends = {label: point for label, point in marked if label in SIGMA_MM and np.isfinite(point).all()}
    return replace(embedding, image=replace(embedding.image, marked_ends_lps=ends))


class AtlasFiles:
    """Atlas files read for one model, each once and again when it has changed."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[int | None, Atlas]] = {}

    def read(self, path: Path, model: EmbeddingModel) -> Atlas:
        """The atlas in a file now; raises as `Atlas.read` does."""
        changed_at = path.stat().st_mtime_ns if path.is_file() else None
        if path not in self._read or self._read[path][0] != changed_at:
            self._read[path] = (changed_at, Atlas.read(path, model))
        return self._read[path][1]


def levels_of(model: EmbeddingModel) -> tuple[AtlasLevel, ...]:
    """The kinds of vectors of a model, as an atlas describes them."""
    return tuple(AtlasLevel(level.cell_spacing_mm, level.dimension) for level in model.metadata.levels)
