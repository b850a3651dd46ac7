"""Model files of format 2: TorchScript, which may run any code as it is loaded, and so only where it is known.

They hold a fine and a coarse branch for CT; what format 3 says beyond that is filled in here.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, jit

from ..core.modality import CT
from ..utils.errors import ModelError
from ..utils.failures import is_memory_failure, too_little_memory
from ..utils.translation import _
from .embedding_network import EmbeddingNetwork
from .levels import LEVEL_NAMES, network_of_branches
from .metadata import ModelMetadata
from .model_card import TORCHSCRIPT_METADATA
from .registry import REGISTRY

FORMAT_VERSION = 2
TEST_VECTOR_FILE = "test_vector.npz"
FEATURE_NAMES = {"likeness": "ncc", "log_spread": "log_sigma"}
"""Features of the confidence that had other names in format 2."""


class TorchScriptLevels:
    """The two levels of a TorchScript module; a LevelNetwork."""

    def __init__(self, module: torch.jit.ScriptModule) -> None:
        self.module = module

    def to(self, device: torch.device, dtype: torch.dtype) -> TorchScriptLevels:
        self.module = self.module.to(device, dtype)
        return self

    def embed(self, level: int, values: Tensor) -> Tensor:
        return self._run((self.module.fine, self.module.coarse)[level], values)

    def reduce(self, values: Tensor) -> Tensor:
        return self._run(self.module.fine_reduce, values)

    def deepen(self, reduced: Tensor) -> Tensor:
        return self._run(self.module.fine_deepen, reduced)

    def finish(self, values: Tensor, deep: Tensor) -> Tensor:
        return self._run(self.module.fine_finish, values, deep)

    def _run(self, method: Any, *inputs: Tensor) -> Tensor:
        # fusion would compile anew for each volume size; the time is in the convolutions
        with jit.optimized_execution(False):  # type: ignore[attr-defined]
            result: Tensor = method(*inputs)
        return result


def network_of_module(module: torch.jit.ScriptModule) -> EmbeddingNetwork:
    """The network of a list of levels that has the weights of a TorchScript module."""
    return network_of_branches(dict(module.state_dict()), list(CT.normalisation.windows), batch_norm=False)


def parse_torchscript(
    contents: bytes, path: Path, trust_model: bool
) -> tuple[torch.jit.ScriptModule, ModelMetadata, dict[str, Tensor]]:
    """The module in float32, its metadata and its test vectors: "values" `[D,H,W]` and those of each level.

    Raises ModelError where the file did not come with SAMLandmark and is not trusted, is damaged or another one.
    """
    if not (trust_model or REGISTRY.knows(hashlib.sha256(contents).hexdigest())):
        unknown = _(
            "{path}: a TorchScript file that did not come with SAMLandmark. Loading it may run any program that "
            "somebody put into it; if you know where it comes from, allow it with --trust-model."
        )
        raise ModelError(unknown.format(path=str(path)))
    extra: dict[str, Any] = {TORCHSCRIPT_METADATA: "", TEST_VECTOR_FILE: ""}
    try:
        # from memory: torch cannot open paths with non-ASCII letters on Windows
        module = torch.jit.load(  # type: ignore[no-untyped-call]
            io.BytesIO(contents), map_location="cpu", _extra_files=extra
        )
    except (RuntimeError, ValueError, MemoryError) as error:
        if is_memory_failure(error):
            raise ModelError(f"{path}: {too_little_memory()}") from error
        damaged = _("{path}: not a model file, or damaged; install SAMLandmark again or check --model.")
        raise ModelError(damaged.format(path=str(path))) from error
    metadata, checksum = _metadata(extra[TORCHSCRIPT_METADATA], path)
    packed = extra[TEST_VECTOR_FILE]
    if not packed or hashlib.sha256(packed).hexdigest() != checksum:
        torn = _("{path}: the test vector inside is damaged; install SAMLandmark again or check --model.")
        raise ModelError(torn.format(path=str(path)))
    return module.float().eval().to(memory_format=torch.channels_last_3d), metadata, _test_vectors(packed)


def _metadata(text: str | bytes, path: Path) -> tuple[ModelMetadata, str]:
    """The metadata as format 3 has them, and the checksum of the test vector."""
    if not text:
        other = _("{path}: a TorchScript file, but not one made by `samlandmark export`; check --model.")
        raise ModelError(other.format(path=str(path)))
    try:
        values = json.loads(text)
        if values["format_version"] != FORMAT_VERSION:
            raise ModelError(other_format(path, values["format_version"]))
        return _translated(values), str(values["test_vector_sha256"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        damaged = _("{path}: its metadata are damaged ({reason}); take another model file.")
        raise ModelError(damaged.format(path=str(path), reason=repr(error))) from error
    except ModelError as error:
        raise ModelError(str(error) if str(path) in str(error) else f"{path}: {error}") from error


def other_format(path: Path, given: object) -> str:
    """What to say of a model file of an unknown format."""
    version = _(
        "{path}: model format {format}, this version of SAMLandmark reads 2 and 3; use the bundled model or export "
        "it again."
    )
    return version.format(path=str(path), format=repr(given)[:40])


def _translated(values: dict[str, Any]) -> ModelMetadata:
    voxels_mm = (values["spacing_mm"], 2 * values["spacing_mm"])
    levels = [
        {
            "name": name,
            "voxel_spacing_mm": voxel_mm,
            "cell_spacing_mm": values[f"{name}_spacing_mm"],
            "dimension": values[f"{name}_dimension"],
            "halo": values["tile_halo"],
        }
        for name, voxel_mm in zip(LEVEL_NAMES, voxels_mm, strict=True)
    ]
    described = ModelMetadata(version="").to_json() | {
        "version": values["version"],
        "levels": levels,
        "training": values.get("training", {}),
        "calibration": {
            profile: part | {"weights": _renamed(part["weights"])}
            for profile, part in values.get("calibration", {}).items()
        },
    }
    return ModelMetadata.from_json(described | {"format_version": FORMAT_VERSION})


def _renamed(weights: dict[str, float]) -> dict[str, float]:
    return {FEATURE_NAMES.get(name, name): value for name, value in weights.items()}


def _test_vectors(packed: bytes) -> dict[str, Tensor]:
    with np.load(io.BytesIO(packed)) as archive:
        arrays = dict(archive)
    named = {"values": arrays["hu"], **{name: arrays[name] for name in LEVEL_NAMES}}
    return {name: torch.from_numpy(array.astype(np.float32)) for name, array in named.items()}
