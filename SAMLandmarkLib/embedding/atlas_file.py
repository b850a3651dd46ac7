"""Atlas files: safetensors with the thinned embeddings of marked patients, and JSON that describes them; no code, no voxels.

The header's JSON has two parts: `metadata` (AtlasMetadata) and `tensors_sha256`. Tensors are `basis.N` of level N (float32)
and, of patient P, `P.landmarks` and `P.support` (float64, LPS mm), `P.around.N.index`, `P.around.N.codes` and, of levels
above the finest, `P.means.N.index` and `P.means.N.codes` (int32 and uint8).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..core.geometry import CanonicalGrid, FieldOfView
from ..core.modality import Modality
from ..models.header import DAMAGE_ERRORS, HEADER_KEY, read_header
from ..models.model_file import tensors_checksum
from ..utils.errors import AtlasError, ModelError
from ..utils.files import write_atomically
from .atlas_metadata import FARTHEST_MM, MOST_CELLS, AtlasLevel, AtlasMetadata, AtlasPatient, damaged_atlas
from .thinned import BITS, BITS_OF_MEANS, Cells, ThinnedEmbedding, bytes_of_vector, shape_of_means

GREATEST_FILE = 1 << 28
MOST_SUPPORT_POINTS = 10_000


@dataclass(frozen=True, eq=False)
class AtlasContents:
    """An atlas as its file holds it: a basis `[R,C]` for each level, and the patients in the order of the metadata.

    `sha256` is that of the file's bytes, None where it was not read from one.
    """

    metadata: AtlasMetadata
    bases: tuple[Tensor, ...]
    patients: tuple[ThinnedEmbedding, ...]
    sha256: str | None = None


def write_atlas_file(path: str | Path, atlas: AtlasContents) -> None:
    """Write an atlas; OutputError where that fails."""
    from safetensors.torch import save

    tensors = {f"basis.{number}": basis for number, basis in enumerate(atlas.bases)}
    for number, patient in enumerate(atlas.patients):
        tensors |= {f"{number}.{name}": values for name, values in _tensors_of(patient).items()}
    tensors = {name: values.contiguous().cpu() for name, values in tensors.items()}
    header = {"metadata": atlas.metadata.to_json(), "tensors_sha256": tensors_checksum(tensors)}
    write_atomically(path, save(tensors, {HEADER_KEY: json.dumps(header)}))


def read_atlas_file(path: str | Path, modality: Modality) -> AtlasContents:
    """Read an atlas of a modality; AtlasError names the file and what in it is not as it must be."""
    path = Path(path)
    try:
        return _parsed(_bytes_of(path), modality)
    except (OSError, *DAMAGE_ERRORS) as error:
        raise damaged_atlas(path, error) from error
    except ModelError as error:
        raise AtlasError(f"{path}: {error}") from error


def _bytes_of(path: Path) -> bytes:
    if (size := path.stat().st_size) > GREATEST_FILE:
        raise ValueError(f"it has {size} bytes, more than the {GREATEST_FILE} allowed")
    return path.read_bytes()


def _parsed(contents: bytes, modality: Modality) -> AtlasContents:
    from safetensors import SafetensorError
    from safetensors.torch import load

    header = read_header(io.BytesIO(contents))
    metadata = AtlasMetadata.from_json(header["metadata"])
    if metadata.modality != modality.name:
        other = "it is of the modality {theirs}, but the scan of {ours}; choose a protocol for such scans."
        raise ModelError(other.format(theirs=metadata.modality, ours=modality.name))
    try:
        tensors = load(contents)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    if tensors_checksum(tensors) != header["tensors_sha256"]:
        raise ValueError("its vectors or points are not those that were written")
    bases = tuple(_basis(tensors, number, level) for number, level in enumerate(metadata.levels))
    patients = tuple(
        _Reader(tensors, number, metadata, bases).patient(described, modality)
        for number, described in enumerate(metadata.patients)
    )
    return AtlasContents(metadata, bases, patients, hashlib.sha256(contents).hexdigest())


def described_patient(
    thinned: ThinnedEmbedding, collection: str = "", licence: str = "", attribution: str = ""
) -> AtlasPatient:
    """What the metadata say of a patient."""
    origin, view = thinned.grid.origin_lps.tolist(), thinned.field_of_view
    return AtlasPatient(
        name=thinned.name,
        origin_lps=(origin[0], origin[1], origin[2]),
        spacing_mm=thinned.grid.spacing_mm,
        size_ijk=thinned.grid.size_ijk,
        ijk_to_lps=tuple(view.ijk_to_lps.ravel().tolist()),
        scan_size_ijk=view.size_ijk,
        collection=collection,
        licence=licence,
        attribution=attribution,
    )


def _tensors_of(patient: ThinnedEmbedding) -> dict[str, Tensor]:
    tensors = {
        "landmarks": torch.from_numpy(patient.landmarks_lps.astype(np.float64)),
        "support": torch.from_numpy(patient.support_points_lps.astype(np.float64)),
    }
    for name, parts in (("around", patient.around), ("means", patient.means)):
        for number, cells in enumerate(parts, start=len(patient.around) - len(parts)):
            tensors[f"{name}.{number}.index"] = cells.index
            tensors[f"{name}.{number}.codes"] = cells.codes
    return tensors


def _basis(tensors: dict[str, Tensor], number: int, level: AtlasLevel) -> Tensor:
    basis = tensors[f"basis.{number}"]
    rows, columns = basis.shape
    if basis.dtype != torch.float32 or not (1 <= rows <= columns == level.dimension):
        raise ValueError(f"basis.{number} has the shape {tuple(basis.shape)}")
    if not torch.isfinite(basis).all() or basis.abs().max() > 1.001:
        raise ValueError(f"basis.{number} does not consist of parts of unit vectors")
    return basis


class _Reader:
    """The tensors of one patient, each checked as it is taken."""

    def __init__(
        self, tensors: dict[str, Tensor], number: int, metadata: AtlasMetadata, bases: Sequence[Tensor]
    ) -> None:
        self._tensors, self._number, self._metadata, self._bases = tensors, number, metadata, bases

    def patient(self, described: AtlasPatient, modality: Modality) -> ThinnedEmbedding:
        grid = CanonicalGrid(
            np.array(described.origin_lps), described.spacing_mm, described.size_ijk, modality.spatial_axes
        )
        grids = [grid.coarser(level.cell_spacing_mm) for level in self._metadata.levels]
        if np.prod([float(size) for size in grids[0].size_ijk]) > MOST_CELLS:
            raise ValueError(f"patient {described.name!r} has a grid of {grids[0].size_ijk} cells")
        shapes = [shape_of_means(each, grids[0]) for each in grids]
        levels = range(len(grids))
        return ThinnedEmbedding(
            described.name,
            self._points("landmarks", len(self._metadata.landmarks)),
            self._support(),
            grid,
            FieldOfView(_affine(described), described.scan_size_ijk),
            tuple(self._cells("around", number, grids[number].shape_kji) for number in levels),
            tuple(self._cells("means", number, shapes[number]) for number in levels[1:]),
        )

    def _points(self, name: str, count: int | None = None) -> np.ndarray:
        values = self._tensors[f"{self._number}.{name}"]
        if values.dtype != torch.float64 or values.ndim != 2 or values.shape[1] != 3:
            raise ValueError(f"{self._number}.{name} has the shape {tuple(values.shape)}")
        points: np.ndarray = values.numpy()
        if count is not None and len(points) != count:
            raise ValueError(f"{self._number}.{name} has {len(points)} points, not {count}")
        if np.isinf(points).any() or np.nanmax(np.abs(points), initial=0.0) > FARTHEST_MM:
            raise ValueError(f"{self._number}.{name} has a place that no patient reaches")
        return points

    def _support(self) -> np.ndarray:
        points = self._points("support")
        if len(points) > MOST_SUPPORT_POINTS or not np.isfinite(points).all():
            raise ValueError(f"{self._number}.support does not consist of points, or of too many")
        return points

    def _cells(self, name: str, level: int, shape_kji: tuple[int, int, int]) -> Cells:
        where = f"{self._number}.{name}.{level}"
        index, codes = self._tensors[f"{where}.index"], self._tensors[f"{where}.codes"]
        if index.dtype != torch.int32 or codes.dtype != torch.uint8:
            raise ValueError(f"{where} is not of its kind of numbers")
        width = bytes_of_vector(len(self._bases[level]), BITS_OF_MEANS if name == "means" else BITS)
        if index.ndim != 1 or tuple(codes.shape) != (len(index), width):
            raise ValueError(f"{where} has the shape {tuple(codes.shape)}")
        if len(index) and not (int(index[0]) >= 0 and int(index[-1]) < np.prod(shape_kji)):
            raise ValueError(f"{where} has cells outside the grid")
        if (index[1:] <= index[:-1]).any():
            raise ValueError(f"{where} has cells that do not ascend")
        return Cells(index, codes)


def _affine(described: AtlasPatient) -> np.ndarray:
    affine = np.array(described.ijk_to_lps, dtype=float).reshape(4, 4)
    if not abs(np.linalg.det(affine)) > 1e-9:
        raise ValueError(f"the field of view of patient {described.name!r} has no volume")
    return affine
