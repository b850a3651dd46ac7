"""The model as the library uses it: loaded from a file of either format, proven by its test vectors; and its export."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..core.modality import Modality
from ..utils.errors import ModelError
from ..utils.translation import _
from .device import choose_device
from .embedding_network import EmbeddingNetwork
from .folding import fold_batch_norm
from .levels import LevelNetwork, NetworkLevels, level_infos, network_of_levels
from .metadata import FORMAT_VERSION, LevelInfo, ModelMetadata
from .model_file import parse_model_file, write_model_file
from .network import SamNetwork
from .precision import AUTO, compute_dtype, precision_name
from .quantisation import as_stored
from .registry import bundled_model
from .torchscript import TorchScriptLevels, network_of_module, parse_torchscript

__all__ = ["EmbeddingModel", "LevelInfo", "ModelMetadata", "export_bundle", "rewrite_metadata"]

MINIMUM_COSINE = {torch.float32: 0.995, torch.bfloat16: 0.97}
"""How well this machine must reproduce the exported embeddings; weights and vectors are rounded in the file."""
ZIP_START = b"PK\x03\x04"
TEST_SIDE = 48


class EmbeddingModel:
    """The loaded network on a device.

    `embed_level` maps an image `[1,1,D,H,W]` float32 in the modality's unit, at the spacing of the finest level's
    voxels and with sides divisible by `metadata.size_divisor`, to the unit vectors `[D',H',W',C]` of a level. The finest
    level is also to be had in three parts, of which the first and the last, `reduce` and `finish`, work on slabs.
    """

    def __init__(
        self,
        network: LevelNetwork,
        metadata: ModelMetadata,
        checksum: str,
        device: torch.device,
        precision: str = AUTO,
    ) -> None:
        self.metadata, self.checksum, self.device = metadata, checksum, device
        self.dtype = compute_dtype(device, precision)
        self.network = network.to(device, self.dtype)

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        device: str | torch.device = "auto",
        precision: str = AUTO,
        trust_model: bool = False,
    ) -> EmbeddingModel:
        """Load a model file (the bundled one by default) and prove with its test vector that it computes the same here.

        A TorchScript file may run any code as it is loaded; one that did not come with SAMLandmark is refused unless
        `trust_model`. Raises ModelError where the file is missing, refused, damaged, of another version, or computes
        something else, and UsageError where the device or the precision is not to be had.
        """
        device = device if isinstance(device, torch.device) else choose_device(device)
        path = bundled_model() if path is None else Path(path)
        contents = _read_bytes(path)
        network: LevelNetwork
        if contents.startswith(ZIP_START):
            module, metadata, vectors = parse_torchscript(contents, path, trust_model)
            network = TorchScriptLevels(module)
        else:
            rebuilt, metadata, vectors = parse_model_file(contents, path)
            network = NetworkLevels(rebuilt)
        model = cls(network, metadata, hashlib.sha256(contents).hexdigest(), device, precision)
        model._check(vectors, path)
        return model

    @property
    def precision(self) -> str:
        """What it computes in: "bf16" or "fp32"."""
        return precision_name(self.dtype)

    @property
    def modality(self) -> Modality:
        """The kind of image that the model embeds."""
        return self.metadata.modality

    def embed_level(self, level: int, values: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.network.embed(level, self._input(values))[0].permute(1, 2, 3, 0)

    def reduce(self, values: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.network.reduce(self._input(values))

    def deepen(self, reduced: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.network.deepen(self._input(reduced))

    def finish(self, values: Tensor, deep: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.network.finish(self._input(values), self._input(deep))[0].permute(1, 2, 3, 0)

    def _input(self, values: Tensor) -> Tensor:
        return values.to(self.device).contiguous(memory_format=torch.channels_last_3d)

    def _check(self, vectors: dict[str, Tensor], path: Path) -> None:
        image = vectors["values"][None, None]
        for number, level in enumerate(self.metadata.levels):
            computed = _every_fourth_cell(self.embed_level(number, image)).float().cpu()
            expected = vectors[level.name]
            same_shape = computed.shape == expected.shape
            cosine = float((expected * computed).sum(dim=-1).mean()) if same_shape else float("nan")
            if not cosine >= MINIMUM_COSINE[self.dtype]:
                raise ModelError(self._difference(path, level.name, cosine))

    def _difference(self, path: Path, level: str, cosine: float) -> str:
        differs = _(
            "{path}: the {level} embeddings computed on this machine ({device}) differ from the model's test "
            "vector (mean cosine {cosine}, at least {least} expected); choose the CPU as the device, and "
            "please report it."
        )
        return differs.format(
            path=str(path),
            level=level,
            device=str(self.device),
            cosine=f"{cosine:.4f}",
            least=MINIMUM_COSINE[self.dtype],
        )


def export_bundle(
    network: SamNetwork | EmbeddingNetwork, path: str | Path, metadata: ModelMetadata
) -> ModelMetadata:
    """Write a model file of format 3, batch norm folded in, weights in 8 bits; returns the completed metadata."""
    folded = fold_batch_norm(network_of_levels(network).eval().float())
    return _write(folded, path, metadata)


def rewrite_metadata(
    source: str | Path, path: str | Path, trust_model: bool = False, **changes: Any
) -> ModelMetadata:
    """Write a copy of a model file in which metadata fields are replaced; the weights stay as they are.

    A file of format 2 becomes one of format 3.
    """
    network, metadata = read_network(source, trust_model)
    return _write(network, path, dataclasses.replace(metadata, **changes))


def read_network(source: str | Path, trust_model: bool = False) -> tuple[EmbeddingNetwork, ModelMetadata]:
    """The network of a model file of either format, batch norm folded in, and its metadata; raises ModelError."""
    contents, where = _read_bytes(Path(source)), Path(source)
    if contents.startswith(ZIP_START):
        module, metadata, _vectors = parse_torchscript(contents, where, trust_model)
        return network_of_module(module), metadata
    network, metadata, _vectors = parse_model_file(contents, where)
    return network, metadata


def _write(network: EmbeddingNetwork, path: str | Path, metadata: ModelMetadata) -> ModelMetadata:
    stored = as_stored(network.eval())
    metadata = dataclasses.replace(metadata, levels=level_infos(stored), format_version=FORMAT_VERSION)
    # what is written is what will be read: the checks are the same
    metadata = ModelMetadata.from_json(metadata.to_json())
    write_model_file(path, stored, metadata, _test_vectors(stored, metadata))
    return metadata


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        unreadable = _("{path}: the model file cannot be read ({reason}); check --model.")
        raise ModelError(unreadable.format(path=str(path), reason=error.strerror or str(error))) from error


def _test_vectors(network: EmbeddingNetwork, metadata: ModelMetadata) -> dict[str, Tensor]:
    """A smooth random pattern over the modality's windows, and its embeddings."""
    side = metadata.size_divisor * max(4, -(-TEST_SIDE // metadata.size_divisor))
    size = (side if metadata.modality.spatial_axes == 3 else 1, side, side)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 1, *(-(-n // 8) for n in size), generator=generator)
    windows = metadata.modality.normalisation.windows
    low, high = min(min(window) for window in windows), max(max(window) for window in windows)
    pattern = nn.functional.interpolate(noise, size=size, mode="trilinear")
    values = (low + (high - low) * torch.sigmoid(2 * pattern)).half().float()
    levels = NetworkLevels(network)
    with torch.inference_mode():
        embedded = {
            level.name: _every_fourth_cell(levels.embed(number, values)[0].permute(1, 2, 3, 0))
            for number, level in enumerate(metadata.levels)
        }
    return {"values": values[0, 0], **embedded}


def _every_fourth_cell(vectors: Tensor) -> Tensor:
    """Every fourth cell of `[D,H,W,C]`: they prove as much as all, in a sixty-fourth of the room."""
    depth = min(1, vectors.shape[0] - 1)
    return vectors[depth::4, 1::4, 1::4]
