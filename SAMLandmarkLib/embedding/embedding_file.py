"""An embedding as a file: numpy's archive of arrays, with a sum over each part, and nothing to be unpickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from zipfile import BadZipFile

import numpy as np
import torch

from ..errors import SAMLandmarkError
from ..geometry import CanonicalGrid, FieldOfView
from .embedding import Embedding, Image, Level

if TYPE_CHECKING:
    from torch import Tensor

FORMAT_VERSION = 2


def write_embedding(file: BinaryIO, embedding: Embedding) -> None:
    """Write an embedding; its name, source and warnings, which are the scan's, are left out."""
    header = {
        "version": FORMAT_VERSION,
        "fine": _header(embedding.fine.vectors, embedding.fine.grid),
        "coarse": _header(embedding.coarse.vectors, embedding.coarse.grid),
        "image": _header(embedding.image.hu, embedding.image.grid),
        "size_ijk": embedding.field_of_view.size_ijk,
        "seconds": embedding.seconds,
    }
    np.savez(
        file,
        header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        fine=_bits(embedding.fine.vectors),
        coarse=_bits(embedding.coarse.vectors),
        image=_bits(embedding.image.hu),
        anchors_lps=embedding.anchors_lps,
        ijk_to_lps=embedding.field_of_view.ijk_to_lps,
    )


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
    return Embedding(
        name="",
        fine=Level(*_on_grid(arrays["fine"], header["fine"], device)),
        coarse=Level(*_on_grid(arrays["coarse"], header["coarse"], device)),
        image=Image(*_on_grid(arrays["image"], header["image"], device)),
        anchors_lps=arrays["anchors_lps"],
        field_of_view=FieldOfView(arrays["ijk_to_lps"], tuple(header["size_ijk"])),
        seconds=header["seconds"],
    )


def _on_grid(
    bits: np.ndarray, header: dict[str, Any], device: torch.device | str
) -> tuple[Tensor, CanonicalGrid]:
    grid = CanonicalGrid(np.array(header["origin_lps"]), header["spacing_mm"], tuple(header["size_ijk"]))
    if bits.shape[:3] != grid.shape_kji:
        raise ValueError(f"values of shape {bits.shape} on a grid of {grid.shape_kji}")
    return torch.from_numpy(bits).view(getattr(torch, header["dtype"])).to(device), grid
