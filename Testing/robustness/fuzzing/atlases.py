"""Atlas files, damaged or hostile: what is read must be what the file says, within bounds."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load
from torch.nn.functional import normalize

from SAMLandmarkLib.core.geometry import CanonicalGrid, FieldOfView
from SAMLandmarkLib.core.modality import CT
from SAMLandmarkLib.embedding.atlas_file import (
    AtlasContents,
    described_patient,
    read_atlas_file,
    write_atlas_file,
)
from SAMLandmarkLib.embedding.atlas_metadata import AtlasLevel, AtlasMetadata, Code, ProtocolLandmark
from SAMLandmarkLib.embedding.embedding import Embedding, Image, Level
from SAMLandmarkLib.embedding.thinned import ThinnedEmbedding, bases_of

from .case import Case
from .damage import damaged_bytes
from .models import split_file, with_field

_LEVELS = (AtlasLevel(4.0, 8), AtlasLevel(8.0, 12))


@functools.cache
def _sound(folder: str) -> bytes:
    numbers = torch.Generator().manual_seed(1)
    grid = CanonicalGrid(np.array([-20.0, 30.0, -400.0]), 2.0, (24, 20, 28))
    levels = []
    for level in _LEVELS:
        cells = grid.coarser(level.cell_spacing_mm)
        vectors = torch.randn(*cells.shape_kji, level.dimension, generator=numbers)
        levels.append(Level(normalize(vectors, dim=3), cells))
    image = Image(torch.zeros(grid.shape_kji, dtype=torch.int16), grid, CT)
    points = grid.lps_from_index(np.random.default_rng(1).uniform(4, 16, (12, 3)))
    view = FieldOfView(grid.ijk_to_lps, grid.size_ijk)
    embedding = Embedding("patient", tuple(levels), image, points, view)
    bases = bases_of([embedding])
    patient = ThinnedEmbedding.of(embedding, points[:2], points, bases)
    landmarks = (
        ProtocolLandmark("carina", "Carina", Code("SCT", "28700002", "Carina")),
        ProtocolLandmark("apex"),
    )
    metadata = AtlasMetadata(
        "chest", "0" * 64, "ct", _LEVELS, landmarks, (described_patient(patient, "here", "CC0", "nobody"),)
    )
    path = Path(folder, "sound.safetensors")
    write_atlas_file(path, AtlasContents(metadata, bases, (patient,)))
    contents = path.read_bytes()
    path.unlink()
    return contents


def make(rng: np.random.Generator, folder: Path) -> Case:
    """An atlas file with nothing, its header or its bytes damaged."""
    contents = _sound(str(folder))
    how = str(rng.choice(["valid", "field", "field", "field", "bytes"]))
    what = how
    if how == "field":
        contents, what = with_field(rng, contents)
    elif how == "bytes":
        contents, what = damaged_bytes(rng, contents)
    path = folder / "atlas.safetensors"
    path.write_bytes(contents)
    return Case(
        f"{path.name}: {what}",
        how == "valid",
        lambda: read_atlas_file(path, CT),
        lambda atlas: _judged(atlas, contents),
    )


def _judged(atlas: AtlasContents, contents: bytes) -> str:
    _described, header, _tensors = split_file(contents)
    said, kept = header["metadata"], json.loads(json.dumps(atlas.metadata.to_json()))
    if wrong := [name for name, value in said.items() if kept[name] != _completed(value, kept[name])]:
        return f"{', '.join(wrong)} is not what the file says"
    stored = load(contents)
    if not np.array_equal(atlas.patients[0].landmarks_lps, stored["0.landmarks"].numpy(), equal_nan=True):
        return "the landmarks are not where the file says"
    spacings = [level.cell_spacing_mm for level in atlas.metadata.levels]
    restored = atlas.patients[0].restored(spacings, atlas.bases, CT, torch.float32)
    if not all(torch.isfinite(level.vectors).all() for level in restored.levels):
        return "vectors are not finite"
    return ""


def _completed(value: Any, kept: Any) -> Any:
    """What a file says with fields that it leaves out as they are by default."""
    if isinstance(value, dict) and isinstance(kept, dict):
        return {name: _completed(value[name], kept[name]) if name in value else kept[name] for name in kept}
    if isinstance(value, list) and isinstance(kept, list) and len(value) == len(kept):
        return [_completed(*pair) for pair in zip(value, kept, strict=True)]
    return value
