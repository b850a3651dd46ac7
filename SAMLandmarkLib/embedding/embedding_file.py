"""An embedding as a file: numpy's archive of arrays, with a sum over each part, and nothing to be unpickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from zipfile import BadZipFile

import numpy as np
import torch

from ..core.geometry import CanonicalGrid, FieldOfView
from ..core.modality import Modality
from ..utils.errors import SAMLandmarkError
from .embedding import Embedding, Image, Level

if TYPE_CHECKING:
    from torch import Tensor

FORMAT_VERSION = 4


def write_embedding(file: BinaryIO, embedding: Embedding) -> None:
    """Write an embedding; its name, source and warnings, which are the scan's, are left out."""
    header = {
        "version": FORMAT_VERSION,
        "levels": [_header(level.vectors, level.grid) for level in embedding.levels],
        "image": _header(embedding.image.values, embedding.image.grid),
        "modality": embedding.modality.to_json(),
        "size_ijk": embedding.field_of_view.size_ijk,
        "seconds": embedding.seconds,
    }
    arrays: dict[str, Any] = {
        "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        **{f"level_{number}": _bits(level.vectors) for number, level in enumerate(embedding.levels)},
        "image": _bits(embedding.image.values),
        "support_points_lps": embedding.support_points_lps,
        "ijk_to_lps": embedding.field_of_view.ijk_to_lps,
    }
    np.savez(file, **arrays)


def read_embedding(path: Path, device: torch.device | str = "cpu") -> Embedding:
    """Read an embedding onto a device; SAMLandmarkError where the file is missing, damaged or of another version."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return _embedding(dict(archive), device)
    except (OSError, EOFError, BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SAMLandmarkError(f"{path} holds no embedding that can be read ({error}); delete it.") from error


def _header(values: Tensor, grid: CanonicalGrid) -> dict[str, Any]:
    return {
        "dtype": str(values.dtype).removeprefix("torch."),
        "origin_lps": grid.origin_lps.tolist(),
        "spacing_mm": grid.spacing_mm,
        "size_ijk": grid.size_ijk,
    }


def _bits(vectors: Tensor) -> np.ndarray:
    """The numbers for numpy, which has no bfloat16: 16-bit formats go as integers of the same bits."""
    vectors = vectors.contiguous().cpu()
    return (vectors.view(torch.int16) if vectors.element_size() == 2 else vectors).numpy()


def _embedding(arrays: dict[str, np.ndarray], device: torch.device | str) -> Embedding:
    header = json.loads(arrays["header"].tobytes())
    if header["version"] != FORMAT_VERSION:
        raise ValueError(f"format {header['version']}")
    modality = Modality.from_json(header["modality"])
    i, j, k = header["size_ijk"]
    return Embedding(
        name="",
        levels=tuple(
            Level(*_on_grid(arrays[f"level_{number}"], part, device, modality.spatial_axes))
            for number, part in enumerate(header["levels"])
        ),
        image=Image(*_on_grid(arrays["image"], header["image"], device, modality.spatial_axes), modality),
        support_points_lps=arrays["support_points_lps"],
        field_of_view=FieldOfView(arrays["ijk_to_lps"], (i, j, k)),
        seconds=header["seconds"],
    )


def _on_grid(
    bits: np.ndarray, header: dict[str, Any], device: torch.device | str, spatial_axes: int
) -> tuple[Tensor, CanonicalGrid]:
    i, j, k = header["size_ijk"]
    grid = CanonicalGrid(np.array(header["origin_lps"]), header["spacing_mm"], (i, j, k), spatial_axes)
    if bits.shape[:3] != grid.shape_kji:
        raise ValueError(f"values of shape {bits.shape} on a grid of {grid.shape_kji}")
    return torch.from_numpy(bits).view(getattr(torch, header["dtype"])).to(device), grid
