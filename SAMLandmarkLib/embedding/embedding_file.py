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
from .embedding import Embedding, Level

if TYPE_CHECKING:
    from torch import Tensor

FORMAT_VERSION = 1


def write_embedding(file: BinaryIO, embedding: Embedding) -> None:
    """Write an embedding; its name, source and warnings, which are the scan's, are left out."""
    header = {
        "version": FORMAT_VERSION,
        "fine": _level_header(embedding.fine),
        "coarse": _level_header(embedding.coarse),
        "size_ijk": embedding.field_of_view.size_ijk,
        "seconds": embedding.seconds,
    }
    np.savez(
        file,
        header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        fine=_bits(embedding.fine.vectors),
        coarse=_bits(embedding.coarse.vectors),
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


def _level_header(level: Level) -> dict[str, Any]:
    return {
        "dtype": str(level.vectors.dtype).removeprefix("torch."),
        "origin_lps": level.grid.origin_lps.tolist(),
        "spacing_mm": level.grid.spacing_mm,
        "size_ijk": level.grid.size_ijk,
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
        fine=_level(arrays["fine"], header["fine"], device),
        coarse=_level(arrays["coarse"], header["coarse"], device),
        anchors_lps=arrays["anchors_lps"],
        field_of_view=FieldOfView(arrays["ijk_to_lps"], tuple(header["size_ijk"])),
        seconds=header["seconds"],
    )


def _level(bits: np.ndarray, header: dict[str, Any], device: torch.device | str) -> Level:
    grid = CanonicalGrid(np.array(header["origin_lps"]), header["spacing_mm"], tuple(header["size_ijk"]))
    if bits.shape[:3] != grid.shape_kji:
        raise ValueError(f"vectors of shape {bits.shape} on a grid of {grid.shape_kji}")
    return Level(torch.from_numpy(bits).view(getattr(torch, header["dtype"])).to(device), grid)
