"""The model file: TorchScript with metadata and a test vector, written by `export_bundle`, read by `EmbeddingModel`."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import ModelError
from ..files import atomic_path
from ..translation import _
from .device import choose_device, compute_dtype
from .folding import fold_batch_norm
from .model_card import METADATA_FILE, bundled_model
from .network import AIR_HU, SamNetwork

FORMAT_VERSION = 2
TEST_VECTOR_FILE = "test_vector.npz"
MINIMUM_COSINE = {torch.float32: 0.995, torch.bfloat16: 0.97}
"""How well this machine must reproduce the exported embeddings; weights are stored as float16."""


@dataclass(frozen=True)
class ModelMetadata:
    """What the model file says about itself; lengths in mm, `size_divisor` in voxels of `spacing_mm`."""

    version: str
    format_version: int = FORMAT_VERSION
    spacing_mm: float = 2.0
    fine_spacing_mm: float = 4.0
    coarse_spacing_mm: float = 8.0
    fine_dimension: int = 64
    coarse_dimension: int = 128
    size_divisor: int = SamNetwork.size_divisor
    tile_halo: int = 16
    test_vector_sha256: str = ""
    training: dict = field(default_factory=dict)
    calibration: dict = field(default_factory=dict)


class EmbeddingModel:
    """The loaded network on a device.

    `fine` and `coarse` map HU `[1,1,D,H,W]` float32 on the canonical grid to unit vectors `[D',H',W',C]`;
    `fine_reduce`, `fine_deepen` and `fine_finish` are the parts of `fine` (see SamNetwork).
    """

    def __init__(
        self, module: torch.jit.ScriptModule, metadata: ModelMetadata, checksum: str, device: torch.device
    ) -> None:
        self.metadata, self.checksum, self.device = metadata, checksum, device
        self.dtype = compute_dtype(device)
        self.module = module.to(device, self.dtype)

    @classmethod
    def load(cls, path: str | Path | None = None, device: str | torch.device = "auto") -> EmbeddingModel:
        """Load a model file (the bundled one by default) and prove with its test vector that it computes the same here.

        Raises ModelError where the file is missing, damaged, of another version, or computes something else.
        """
        device = device if isinstance(device, torch.device) else choose_device(device)
        path = bundled_model() if path is None else Path(path)
        contents = _read_bytes(path)
        module, metadata, packed = _parse(contents, path)
        model = cls(module, metadata, hashlib.sha256(contents).hexdigest(), device)
        model._check(packed, path)
        return model

    def fine(self, hu: Tensor) -> Tensor:
        return self._run(self.module.fine, hu)[0].permute(1, 2, 3, 0)

    def coarse(self, hu: Tensor) -> Tensor:
        return self._run(self.module.coarse, hu)[0].permute(1, 2, 3, 0)

    def fine_reduce(self, hu: Tensor) -> Tensor:
        return self._run(self.module.fine_reduce, hu)

    def fine_deepen(self, reduced: Tensor) -> Tensor:
        return self._run(self.module.fine_deepen, reduced)

    def fine_finish(self, hu: Tensor, deep: Tensor) -> Tensor:
        return self._run(self.module.fine_finish, hu, deep)[0].permute(1, 2, 3, 0)

    def _run(self, method, *inputs: Tensor) -> Tensor:
        inputs = [x.to(self.device).contiguous(memory_format=torch.channels_last_3d) for x in inputs]
        # fusion would compile anew for each volume size; the time is in the convolutions
        with torch.inference_mode(), torch.jit.optimized_execution(False):
            return method(*inputs)

    def _check(self, packed: bytes, path: Path) -> None:
        with np.load(io.BytesIO(packed)) as archive:
            test_vector = dict(archive)
        hu = torch.from_numpy(test_vector["hu"].astype(np.float32))[None, None]
        for level, embed in (("fine", self.fine), ("coarse", self.coarse)):
            expected = torch.from_numpy(test_vector[level].astype(np.float32))
            computed = _thinned(embed(hu)).float().cpu()
            cosine = float((expected * computed).sum(dim=-1).mean())
            if not cosine >= MINIMUM_COSINE[self.dtype]:
                differs = _(
                    "{path}: the {level} embeddings computed on this machine ({device}) differ from the model's test "
                    "vector (mean cosine {cosine}, at least {least} expected); choose the CPU as the device, and "
                    "please report it."
                )
                raise ModelError(
                    differs.format(
                        path=str(path),
                        level=level,
                        device=str(self.device),
                        cosine=f"{cosine:.4f}",
                        least=MINIMUM_COSINE[self.dtype],
                    )
                )


def export_bundle(network: SamNetwork, path: str | Path, metadata: ModelMetadata) -> ModelMetadata:
    """Write the network as TorchScript, batch norm folded in, weights float16; returns the completed metadata."""
    folded = fold_batch_norm(network.eval().float())
    halved = _rounded_to_half(folded)
    test_vector = _test_vector(halved)
    branches = (network.fine_branch, network.coarse_branch)
    metadata = dataclasses.replace(
        metadata,
        fine_dimension=branches[0].head.out_channels,
        coarse_dimension=branches[1].head.out_channels,
        size_divisor=network.size_divisor,
        tile_halo=branches[0].tile_halo,
        test_vector_sha256=hashlib.sha256(test_vector).hexdigest(),
    )
    _save(torch.jit.script(halved.half()), path, metadata, test_vector)
    return metadata


def rewrite_metadata(source: str | Path, path: str | Path, **changes) -> ModelMetadata:
    """Write a copy of a model file in which metadata fields are replaced; the weights stay as they are."""
    module, metadata, packed = _parse(_read_bytes(Path(source)), Path(source))
    metadata = dataclasses.replace(metadata, **changes)
    _save(module.half(), path, metadata, packed)
    return metadata


def _save(
    module: torch.jit.ScriptModule, path: str | Path, metadata: ModelMetadata, test_vector: bytes
) -> None:
    extra = {METADATA_FILE: json.dumps(dataclasses.asdict(metadata), indent=1), TEST_VECTOR_FILE: test_vector}
    with atomic_path(path) as temporary:
        module.save(str(temporary), _extra_files=extra)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        unreadable = _("{path}: the model file cannot be read ({reason}); check --model.")
        raise ModelError(unreadable.format(path=str(path), reason=error.strerror or str(error))) from error


def _parse(contents: bytes, path: Path) -> tuple[torch.jit.ScriptModule, ModelMetadata, bytes]:
    """The network in float32, its metadata and its packed test vector."""
    extra = {METADATA_FILE: "", TEST_VECTOR_FILE: ""}
    try:
        # from memory: torch cannot open paths with non-ASCII letters on Windows
        module = torch.jit.load(io.BytesIO(contents), map_location="cpu", _extra_files=extra)
    except (RuntimeError, ValueError) as error:
        damaged = _(
            "{path}: not a TorchScript model, or damaged; install SAMLandmark again or check --model."
        )
        raise ModelError(damaged.format(path=str(path))) from error
    if not extra[METADATA_FILE]:
        other = _("{path}: a TorchScript file, but not one made by `samlandmark export`; check --model.")
        raise ModelError(other.format(path=str(path)))
    values = json.loads(extra[METADATA_FILE])
    if values.get("format_version") != FORMAT_VERSION:
        version = _(
            "{path}: model format {format}, this version of SAMLandmark reads {known}; use the bundled model or export "
            "it again."
        )
        given = values.get("format_version")
        raise ModelError(version.format(path=str(path), format=given, known=FORMAT_VERSION))
    known = {item.name for item in dataclasses.fields(ModelMetadata)}
    metadata = ModelMetadata(**{name: value for name, value in values.items() if name in known})
    packed = extra[TEST_VECTOR_FILE]
    if hashlib.sha256(packed).hexdigest() != metadata.test_vector_sha256:
        torn = _("{path}: the test vector inside is damaged; install SAMLandmark again or check --model.")
        raise ModelError(torn.format(path=str(path)))
    return module.float().eval().to(memory_format=torch.channels_last_3d), metadata, packed


def _rounded_to_half(network: nn.Module) -> nn.Module:
    return network.half().float()


def _test_vector(network: SamNetwork) -> bytes:
    """A smooth random pattern in HU and its embeddings, as a compressed archive."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 1, 8, 8, 8, generator=generator) * 400
    hu = nn.functional.interpolate(noise, size=(64, 64, 64), mode="trilinear").clamp(AIR_HU, 1500).round()
    with torch.inference_mode():
        coarse, fine = network(hu)
    levels = {
        "fine": _thinned(fine[0].permute(1, 2, 3, 0)),
        "coarse": _thinned(coarse[0].permute(1, 2, 3, 0)),
    }
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        hu=hu[0, 0].to(torch.int16).numpy(),
        **{level: vectors.half().numpy() for level, vectors in levels.items()},
    )
    return packed.getvalue()


def _thinned(vectors: Tensor) -> Tensor:
    """Every fourth cell of `[D,H,W,C]`: they prove as much as all, in a sixty-fourth of the room."""
    return vectors[1::4, 1::4, 1::4]
