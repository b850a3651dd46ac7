"""Model files, damaged or hostile: none may run anything, and what is loaded must be what the file says."""

from __future__ import annotations

import functools
import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load

from SAMLandmarkLib.models.bundle import EmbeddingModel, ModelMetadata, export_bundle
from SAMLandmarkLib.models.network import BranchConfig, SamNetwork

from .case import Case
from .damage import damaged_bytes

_SMALL = BranchConfig(channels=(8, 12, 16), blocks=(1, 1, 1), dimension=8)
_VALUES: tuple[Any, ...] = (
    0, -1, 1, 2, 1e9, 1e400, -0.5, float("nan"), "", "x", "../x", None, [], {}, [1] * 100, {"a": {"b": 1}}, True, "a" * 300, 3,
)  # fmt: skip


@functools.cache
def _sound(folder: str) -> bytes:
    torch.manual_seed(1)
    path = Path(folder, "sound.safetensors")
    export_bundle(SamNetwork(_SMALL, _SMALL).eval(), path, ModelMetadata(version="1.0"))
    contents = path.read_bytes()
    path.unlink()
    return contents


class _Trap:
    """Unpickled, it makes a folder."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def make(rng: np.random.Generator, folder: Path) -> Case:
    """A model file, with nothing, its header or its bytes damaged, or a program in its place."""
    contents = _sound(str(folder))
    how = str(rng.choice(["valid", "field", "field", "field", "bytes", "program"]))
    what, trap = how, folder / "trap"
    if how == "field":
        contents, what = with_field(rng, contents)
    elif how == "bytes":
        contents, what = damaged_bytes(rng, contents)
    elif how == "program":
        contents, what = _program(rng, trap)
    path = folder / str(rng.choice(["model.safetensors", "model.pt", "model"]))
    path.write_bytes(contents)

    def read() -> EmbeddingModel:
        try:
            return EmbeddingModel.load(path, device="cpu")
        finally:
            if trap.exists():
                trap.rmdir()
                raise AssertionError("a program of the model file ran")

    return Case(f"{path.name}: {what}", how == "valid", read, lambda model: _judged(model, contents))


def split_file(contents: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """What describes a safetensors file, SAMLandmark's header in it, and the bytes of its tensors."""
    (length,) = struct.unpack("<Q", contents[:8])
    described = json.loads(contents[8 : 8 + length])
    return described, json.loads(described["__metadata__"]["samlandmark"]), contents[8 + length :]


def with_field(rng: np.random.Generator, contents: bytes) -> tuple[bytes, str]:
    """A file with one field of its header changed or left out, and what was done."""
    described, header, tensors = split_file(contents)
    part: Any = header
    path = []
    while True:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        key = keys[int(rng.integers(len(keys)))]
        path.append(str(key))
        if isinstance(part[key], (dict, list)) and part[key] and rng.random() < 0.9:
            part = part[key]
            continue
        break
    value = _VALUES[int(rng.integers(len(_VALUES)))]
    if rng.random() < 0.2:
        del part[key]
        value = "left out"
    else:
        part[key] = value
    described["__metadata__"]["samlandmark"] = json.dumps(header)
    raw = json.dumps(described).encode()
    raw += b" " * (-len(raw) % 8)
    return struct.pack("<Q", len(raw)) + raw + tensors, f"{'.'.join(path)} = {str(value)[:30]}"


def _program(rng: np.random.Generator, trap: Path) -> tuple[bytes, str]:
    how = str(rng.choice(["pickle", "torch.save", "zip", "TorchScript"]))
    file = io.BytesIO()
    if how == "pickle":
        pickle.dump(_Trap(str(trap)), file)
    elif how == "torch.save":
        torch.save({"model": _Trap(str(trap))}, file)
    elif how == "TorchScript":
        torch.jit.save(torch.jit.script(torch.nn.Conv3d(1, 2, 3)), file)
    else:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("model/data.pkl", pickle.dumps(_Trap(str(trap))))
    return file.getvalue(), how


def _judged(model: EmbeddingModel, contents: bytes) -> str:
    _described, header, _tensors = split_file(contents)
    stored = load(contents)
    weights = {name: values for name, values in stored.items() if name.startswith("weights.")}
    held = model.network.network.state_dict()
    if {f"weights.{name}" for name in held} != set(weights):
        return "its network has other weights than the file"
    for name, values in held.items():
        expected = weights[f"weights.{name}"].float()
        if f"scales.{name}" in stored:
            expected = torch.einsum("o...,o->o...", expected, stored[f"scales.{name}"])
        # The network computes in the precision of this processor.
        if not torch.equal(values.cpu(), expected.to(values.dtype)):
            return f"{name} is not what the file holds"
    said, kept = header["metadata"], json.loads(json.dumps(model.metadata.to_json()))
    return "".join(
        f"{name} is {kept[name]}, not {value}; "
        for name, value in said.items()
        if not _holds(kept[name], value)
    )


def _holds(kept: Any, said: Any) -> bool:
    """Whether what was kept says all that the file says; what the file leaves out has its default."""
    if isinstance(said, dict):
        return isinstance(kept, dict) and all(
            name in kept and _holds(kept[name], value) for name, value in said.items()
        )
    if isinstance(said, list):
        return isinstance(kept, list) and len(kept) == len(said) and all(map(_holds, kept, said))
    return bool(kept == said and isinstance(kept, bool) == isinstance(said, bool))
