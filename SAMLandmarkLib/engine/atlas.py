"""Atlases: marked patients that stand in for a template, read from a file and restored for a model."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core.landmarks import LandmarkSet
from ..embedding.atlas_file import AtlasContents, read_atlas_file
from ..embedding.atlas_metadata import AtlasLevel, AtlasMetadata
from ..embedding.embedding import Embedding
from ..models.bundle import EmbeddingModel
from ..utils.bundled import bundled_folder
from ..utils.errors import AtlasError, SAMLandmarkError
from ..utils.translation import _

SUFFIX = ".safetensors"


@dataclass(frozen=True, eq=False)
class Atlas:
    """A protocol and its marked patients, each an embedding without voxels and its landmarks, ready to be matched."""

    metadata: AtlasMetadata
    patients: tuple[tuple[Embedding, LandmarkSet], ...]
    source: Path | None = None

    @classmethod
    def read(cls, path: str | Path, model: EmbeddingModel) -> Atlas:
        """Read an atlas file. Raises AtlasError where it is damaged, hostile or made by another model."""
        return cls.of(read_atlas_file(path, model.modality), model, Path(path))

    @classmethod
    def of(cls, contents: AtlasContents, model: EmbeddingModel, source: Path | None = None) -> Atlas:
        """Restore the patients of an atlas for a model. Raises AtlasError where it was made by another one."""
        metadata = contents.metadata
        _require_same_model(metadata, model, source)
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
        return cls(metadata, tuple(zip(embeddings, landmarks, strict=True)), source)

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
            "file": None if self.source is None else str(self.source),
            "patients": [
                {"name": each.name, "licence": each.licence, "attribution": each.attribution} for each in used
            ],
            "landmarks": self.metadata.to_json()["landmarks"],
        }


def levels_of(model: EmbeddingModel) -> tuple[AtlasLevel, ...]:
    """The kinds of vectors of a model, as an atlas describes them."""
    return tuple(AtlasLevel(level.cell_spacing_mm, level.dimension) for level in model.metadata.levels)


def bundled_protocols() -> dict[str, Path]:
    """The atlas files that come with SAMLandmark, by the names of their protocols; none where they are missing."""
    try:
        folder = bundled_folder("Atlas")
    except SAMLandmarkError:
        return {}
    return {path.name.removesuffix(SUFFIX): path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def protocol_files(protocol: str | Path | None) -> Sequence[Path]:
    """The file of a protocol's name or path, or of all bundled ones; AtlasError where there is none."""
    bundled = bundled_protocols()
    if protocol is None and bundled:
        return list(bundled.values())
    if protocol is not None and str(protocol) in bundled:
        return [bundled[str(protocol)]]
    if protocol is not None and Path(protocol).is_file():
        return [Path(protocol)]
    unknown = _("There is no protocol {name}; name an atlas file, or one of those that are bundled: {known}.")
    raise AtlasError(unknown.format(name=repr(str(protocol)), known=", ".join(bundled) or "-"))


def _require_same_model(metadata: AtlasMetadata, model: EmbeddingModel, source: Path | None) -> None:
    if metadata.model_sha256 == model.checksum and metadata.levels == levels_of(model):
        return
    other = _(
        "{atlas} holds vectors of another model ({theirs}) than the one that embeds scans here ({ours}); build it again with "
        "this model (samlandmark atlas build), or name the other one (--model)."
    )
    names = {"theirs": metadata.model_sha256[:12], "ours": model.checksum[:12]}
    raise AtlasError(other.format(atlas=source or f"The atlas {metadata.name}", **names))
