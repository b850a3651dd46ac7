"""A network as nnU-Net v2 builds it, taught to give the embeddings of ours, so that nnU-Net can start from it.

nnU-Net loads weights only where every tensor but those of the segmentation layers has the name and the shape of its own
network. So its body is made here from the same plans, and distilled: its output, averaged over the cells of our network,
is to point where our vectors point (cosine).
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..models.encoder import EmbeddingEncoder
from ..models.network import unit_vectors
from ..utils.errors import UsageError
from ..utils.files import atomic_path
from .level_trainer import learning_rate

ALLOWED_MODULES = ("dynamic_network_architectures.architectures.", "torch.nn.")
"""What may be named in a plans file; other modules are not imported."""
LOG_STEPS = 50
WARM_UP_STEPS = 20


@dataclass(frozen=True)
class Plans:
    """What nnU-Net's plans say of a network: class and arguments, and how intensities are normalised (CTNormalization)."""

    class_name: str
    arguments: Mapping[str, Any]
    imported: tuple[str, ...]
    intensity: Mapping[str, float]
    patch_kji: tuple[int, int, int]

    @classmethod
    def read(cls, path: Path, configuration: str = "3d_fullres") -> Plans:
        """From a nnUNetPlans.json of nnU-Net 2.4 or later; UsageError where it is none or lacks the configuration."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            chosen = values["configurations"][configuration]
            architecture = chosen["architecture"]
            return cls(
                str(architecture["network_class_name"]),
                dict(architecture["arch_kwargs"]),
                tuple(architecture["_kw_requires_import"]),
                dict(values["foreground_intensity_properties_per_channel"]["0"]),
                tuple(map(int, chosen["patch_size"])),
            )
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise UsageError(
                f"{path}: no plans of nnU-Net with a configuration '{configuration}' ({error!r}); give the "
                "nnUNetPlans.json that nnUNetv2_plan_and_preprocess wrote."
            ) from error

    def build(self, outputs: int) -> nn.Module:
        """The network with one input channel and random weights; UsageError where the class is not to be had."""
        made = {name: _imported(self.arguments[name]) for name in self.imported}
        others = {name: value for name, value in self.arguments.items() if name not in made}
        arguments = {**others, **made, "input_channels": 1, "num_classes": outputs, "deep_supervision": False}
        network: nn.Module = _imported(self.class_name)(**arguments)
        return network

    def normalised(self, values: Tensor) -> Tensor:
        """Intensities as nnU-Net's CTNormalization gives them to the network."""
        properties = self.intensity
        clipped = values.clamp(properties["percentile_00_5"], properties["percentile_99_5"])
        return (clipped - properties["mean"]) / max(properties["std"], 1e-8)


def default_plans(intensity: Mapping[str, float], channels: tuple[int, ...] = (32, 64, 128, 256)) -> Plans:
    """Plans of a small PlainConvUNet as nnU-Net would write them, for those who have none yet."""
    stages = len(channels)
    arguments = {
        "n_stages": stages,
        "features_per_stage": list(channels),
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[3, 3, 3]] * stages,
        "strides": [[1, 1, 1]] + [[2, 2, 2]] * (stages - 1),
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    name = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
    imported = ("conv_op", "norm_op", "dropout_op", "nonlin")
    return Plans(name, arguments, imported, dict(intensity), (64, 64, 64))


def intensity_properties(volumes: list[np.ndarray], tissue_from: float) -> dict[str, float]:
    """What nnU-Net calls the fingerprint of the intensities, of voxels above `tissue_from`."""
    seen = np.concatenate([volume[volume > tissue_from].ravel()[::37] for volume in volumes]).astype(float)
    low, high = np.percentile(seen, (0.5, 99.5))
    return {
        "mean": float(seen.mean()),
        "std": float(seen.std()),
        "percentile_00_5": float(low),
        "percentile_99_5": float(high),
    }


def distil(
    encoder: EmbeddingEncoder,
    volumes: list[np.ndarray],
    plans: Plans,
    steps: int,
    seed: int = 0,
    greatest_rate: float = 1e-3,
    report: Callable[[dict], None] | None = None,
) -> nn.Module:
    """The network of the plans after `steps` patches of the volumes `[z,y,x]`, which have the encoder's spacing."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    teacher = encoder.freeze()
    student = plans.build(encoder.level.branch.dimension)
    optimizer = torch.optim.AdamW(student.parameters(), lr=greatest_rate)
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(greatest_rate, WARM_UP_STEPS, step, step / steps)
        patch = _patch(volumes[rng.integers(len(volumes))], plans.patch_kji, encoder, rng)
        loss = distance(student, teacher, patch, plans)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        if report is not None and (step % LOG_STEPS == 0 or step == steps):
            report({"step": step, "cosine": round(1 - loss.item(), 4)})
    return student.eval()


def distance(student: nn.Module, teacher: EmbeddingEncoder, patch: Tensor, plans: Plans) -> Tensor:
    """Mean of 1 - cosine between both networks' vectors on the cells of a patch `[B,1,D,H,W]`."""
    with torch.no_grad():
        wanted = unit_vectors(teacher.branch.head(teacher.decoded(teacher(patch)))).float()
    given = functional.avg_pool3d(student(plans.normalised(patch)), teacher.strides[0])
    return (1 - functional.cosine_similarity(given, wanted, dim=1)).mean()


def write_weights(path: str | Path, network: nn.Module, about: Mapping[str, Any]) -> None:
    """Write a file for `nnUNetv2_train -pretrained_weights`, with what is to be told under "samlandmark"."""
    with atomic_path(path) as temporary:
        torch.save({"network_weights": network.state_dict(), "samlandmark": dict(about)}, temporary)


def _patch(
    volume: np.ndarray, patch_kji: tuple[int, int, int], encoder: EmbeddingEncoder, rng: np.random.Generator
) -> Tensor:
    """A random part of a volume `[1,1,D,H,W]`, padded where the volume is smaller."""
    padding = encoder.source.modality.padding_value
    missing = [(0, max(0, side - size)) for side, size in zip(patch_kji, volume.shape)]
    padded = np.pad(volume, missing, constant_values=padding) if any(more for _, more in missing) else volume
    starts = [int(rng.integers(size - side + 1)) for side, size in zip(patch_kji, padded.shape)]
    part = padded[tuple(slice(start, start + side) for start, side in zip(starts, patch_kji))]
    return torch.from_numpy(np.ascontiguousarray(part)).float()[None, None]


def _imported(name: str | None) -> Any:
    """What a plans file names; None stays None."""
    if name is None:
        return None
    if not name.startswith(ALLOWED_MODULES):
        raise UsageError(f"The plans name '{name}', which is neither a network of nnU-Net nor of torch.nn.")
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"'{name}', which the plans name, is not installed ({error}); install it with "
            "`pip install samlandmark[weights]`."
        ) from error
