"""Files of `samlandmark model encoder`: one level's weights in float32, with batch norms where the source has them.

safetensors, so that loading runs no code. The header's JSON has `network` (what EmbeddingNetwork is rebuilt from),
`modality` (with the normalisation), `origin`, `licence` and `tensors_sha256`.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core.modality import Modality
from ..utils.errors import ModelError
from ..utils.files import atomic_path
from ..utils.translation import _
from .embedding_network import EmbeddingNetwork
from .header import HEADER_KEY, read_header
from .levels import branches_of

KIND = "encoder"
FORMAT_VERSION = 1
LICENCE_UNKNOWN = "not stated; ask whoever trained it, and mind the licence of the images it was trained on"


@dataclass(frozen=True)
class EncoderSource:
    """Where an encoder's weights are from: the images they are for, who may use them, and how they were made."""

    modality: Modality
    licence: str = LICENCE_UNKNOWN
    origin: dict[str, Any] = field(default_factory=dict)


def write_encoder_file(path: str | Path, network: EmbeddingNetwork, source: EncoderSource) -> None:
    """Write the weights of a network of one level; OutputError where that fails."""
    from safetensors.torch import save

    tensors = {
        name: value.detach().cpu().contiguous().float() if value.is_floating_point() else value.cpu()
        for name, value in branches_of(network)[0].state_dict().items()
    }
    header = {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "network": network.network_config(),
        "modality": source.modality.to_json(),
        "licence": source.licence,
        "origin": source.origin,
        "tensors_sha256": checksum(tensors),
    }
    contents = save(tensors, {HEADER_KEY: json.dumps(header)})
    with atomic_path(path) as temporary:
        temporary.write_bytes(contents)


def read_encoder_file(path: Path) -> tuple[EmbeddingNetwork, EncoderSource]:
    """The network of one level and where it is from; ModelError where the file is missing, damaged or another one."""
    try:
        contents = path.read_bytes()
        header = read_header(io.BytesIO(contents))
        if header.get("kind") != KIND or header.get("format_version") != FORMAT_VERSION:
            raise ValueError(f"it is of another kind ({header.get('kind', 'model')!r})")
        return _network(header, _tensors(contents, header["tensors_sha256"])), _source(header)
    except OSError as error:
        unreadable = _("{path}: the file can't be read ({reason}); check the path.")
        raise ModelError(unreadable.format(path=str(path), reason=error.strerror or str(error))) from error
    except (ValueError, LookupError, TypeError, RuntimeError) as error:
        damaged = _(
            "{path}: no encoder, or damaged ({reason}); make one with `samlandmark model encoder --format torch`."
        )
        raise ModelError(damaged.format(path=str(path), reason=str(error)[:300])) from error


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)}\n".encode())
        digest.update(tensors[name].contiguous().numpy().data)
    return digest.hexdigest()


def _tensors(contents: bytes, expected: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors: dict[str, Tensor] = load(contents)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    if checksum(tensors) != expected:
        raise ValueError("its weights are not those that were written")
    if not all(torch.isfinite(value).all() for value in tensors.values()):
        raise ValueError("some of its weights are no numbers")
    return tensors


def _network(header: Mapping[str, Any], tensors: dict[str, Tensor]) -> EmbeddingNetwork:
    with torch.device("meta"):
        network = EmbeddingNetwork.from_config(header["network"])
    if len(network.levels) != 1:
        raise ValueError(f"it has {len(network.levels)} levels instead of one")
    branches_of(network)[0].load_state_dict(tensors, assign=True)
    return network.eval()


def _source(header: Mapping[str, Any]) -> EncoderSource:
    origin = header["origin"] if isinstance(header["origin"], dict) else {}
    return EncoderSource(Modality.from_json(header["modality"]), str(header["licence"]), origin)
