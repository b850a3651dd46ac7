"""Model files of format 3: safetensors with the weights and test vectors, and JSON that describes them; no code.

The header's JSON has three parts: `network` (what EmbeddingNetwork is rebuilt from), `metadata` (ModelMetadata) and
`tensors_sha256`. Tensors are named `weights.*` and `test.*`, float16; the weights of convolutions are integers of 8 bits
with a tensor `scales.*`, float32, beside each.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..utils.errors import ModelError
from ..utils.failures import is_memory_failure, too_little_memory, torch_failure
from ..utils.files import atomic_path
from ..utils.translation import _
from .embedding_network import EmbeddingNetwork
from .header import DAMAGE_ERRORS, HEADER_KEY, read_header
from .levels import level_infos
from .metadata import FORMAT_VERSION, ModelMetadata
from .quantisation import CONVOLUTION_AXES, packed, unpacked
from .torchscript import other_format

GREATEST_FILE = 1 << 31
GREATEST_TEST_SIDE = 512
WEIGHTS, SCALES, TEST = "weights.", "scales.", "test."
_DTYPES = {WEIGHTS: (torch.int8, torch.float16), SCALES: (torch.float32,), TEST: (torch.float16,)}


def write_model_file(
    path: str | Path, network: EmbeddingNetwork, metadata: ModelMetadata, test_vectors: dict[str, Tensor]
) -> None:
    """Write a network whose batch norm is folded in, its metadata and test vectors; OutputError where that fails."""
    from safetensors.torch import save

    tensors = {TEST + name: values.half() for name, values in test_vectors.items()}
    for name, values in network.state_dict().items():
        if values.ndim == CONVOLUTION_AXES:
            tensors[WEIGHTS + name], tensors[SCALES + name] = packed(values)
        else:
            tensors[WEIGHTS + name] = values.half()
    tensors = {name: values.contiguous().cpu() for name, values in tensors.items()}
    header = {
        "network": network.network_config(),
        "metadata": metadata.to_json(),
        "tensors_sha256": tensors_checksum(tensors),
    }
    contents = save(tensors, {HEADER_KEY: json.dumps(header)})
    with atomic_path(path) as temporary:
        temporary.write_bytes(contents)


def parse_model_file(
    contents: bytes, path: Path
) -> tuple[EmbeddingNetwork, ModelMetadata, dict[str, Tensor]]:
    """The network in float32, its metadata and its test vectors: "values" `[D,H,W]` and those of each level.

    Raises ModelError, naming the file and the field, for whatever is not as it must be; what says that PyTorch itself
    does not work is let through, since no other file would help.
    """
    try:
        return _parsed(contents, path)
    except (*DAMAGE_ERRORS, MemoryError) as error:
        if is_memory_failure(error):
            raise ModelError(f"{path}: {too_little_memory()}") from error
        if torch_failure(error):
            raise
        damaged = _(
            "{path}: not a model file, or damaged ({reason}); install SAMLandmark again or check --model."
        )
        raise ModelError(damaged.format(path=str(path), reason=str(error)[:300])) from error
    except ModelError as error:
        raise ModelError(str(error) if str(path) in str(error) else f"{path}: {error}") from error


def _parsed(contents: bytes, path: Path) -> tuple[EmbeddingNetwork, ModelMetadata, dict[str, Tensor]]:
    if len(contents) > GREATEST_FILE:
        raise ValueError(f"it has {len(contents)} bytes, more than the {GREATEST_FILE} allowed")
    header = read_header(io.BytesIO(contents))
    metadata_values = header["metadata"]
    if metadata_values["format_version"] != FORMAT_VERSION:
        raise ModelError(other_format(path, metadata_values["format_version"]))
    metadata = ModelMetadata.from_json(metadata_values)
    tensors = _tensors(contents)
    if tensors_checksum(tensors) != header["tensors_sha256"]:
        raise ValueError("its weights or test vectors are not those that were written")
    network = _network(header["network"], _weights(tensors))
    if level_infos(network) != metadata.levels:
        raise ModelError("levels: the metadata and the network have different ones; take another model file.")
    if any(level.branch.spatial_axes != metadata.modality.spatial_axes for level in network.levels):
        raise ModelError("modality.spatial_axes: the network has another number; take another model file.")
    return network, metadata, _checked_vectors(_named(tensors, TEST), metadata)


def _tensors(contents: bytes) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(contents)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    for name, values in tensors.items():
        allowed = _DTYPES[f"{name.split('.', 1)[0]}."]
        if values.dtype not in allowed or not torch.isfinite(values).all():
            raise ValueError(f"its tensor {name[:100]} does not consist of finite numbers of its kind")
    return tensors


def _weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in float32."""
    scales = _named(tensors, SCALES)
    return {
        name: unpacked(values, scales[name]) if values.dtype == torch.int8 else values.float()
        for name, values in _named(tensors, WEIGHTS).items()
    }


def _network(config: Any, weights: dict[str, Tensor]) -> EmbeddingNetwork:
    """The network, made without memory of its own, so that a false description cannot ask for much of it."""
    with torch.device("meta"):
        network = EmbeddingNetwork.from_config(config)
    network.load_state_dict(weights, assign=True)
    return network


def _checked_vectors(vectors: dict[str, Tensor], metadata: ModelMetadata) -> dict[str, Tensor]:
    values = vectors["values"]
    slices = values.shape[0] if metadata.modality.spatial_axes == 3 else 2 - values.shape[0]
    if values.ndim != 3 or slices < 1 or max(values.shape) > GREATEST_TEST_SIDE:
        raise ValueError(f"its test image has the shape {tuple(values.shape)}")
    searched = values.shape if metadata.modality.spatial_axes == 3 else values.shape[1:]
    if any(side % metadata.size_divisor for side in searched):
        raise ValueError(f"its test image has the shape {tuple(values.shape)}")
    for level in metadata.levels:
        expected = vectors[level.name]
        if expected.ndim != 4 or expected.shape[3] != level.dimension:
            raise ValueError(f"its test vectors of level {level.name} have the shape {tuple(expected.shape)}")
    return {name: part.float() for name, part in vectors.items()}


def _named(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): values for name, values in tensors.items() if name.startswith(prefix)}


def tensors_checksum(tensors: dict[str, Tensor]) -> str:
    """SHA-256 of the names, shapes and contents of tensors, in hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)}\n".encode())
        digest.update(tensors[name].contiguous().numpy().data)
    return digest.hexdigest()
