"""What `samlandmark model encoder` does: the weights of a run or a model file for networks of one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from .. import __version__
from ..core.modality import Modality
from ..models.bundle import read_network
from ..models.embedding_network import EmbeddingNetwork
from ..models.encoder import EmbeddingEncoder
from ..models.encoder_file import LICENCE_UNKNOWN, EncoderSource, write_encoder_file
from ..models.levels import branches_of
from ..models.registry import REGISTRY, bundled_model
from ..utils.errors import UsageError
from ..utils.files import sha256_of
from .checkpoint import finished
from .modalities import training_modality
from .nnunet import Plans, default_plans, distil, intensity_properties, write_weights
from .scans import scans_below

BUNDLED_LICENCE = "Apache-2.0, as SAMLandmark itself"
FORMATS = ("torch", "monai", "nnunet")


@dataclass(frozen=True)
class EncoderRequest:
    """Which weights go where.

    `source`: the folder of a training run, a model file, or the name of a bundled model's modality. `level`: the finest
    where none is named. `data`, `plans`, `configuration` and `steps` are for nnU-Net alone: the images that its network is
    taught with, nnU-Net's own plans, and how long.
    """

    source: str
    output: Path
    format: str = "torch"
    level: str | None = None
    licence: str | None = None
    data: Path | None = None
    plans: Path | None = None
    configuration: str = "3d_fullres"
    steps: int = 1500


def export_encoder(request: EncoderRequest, report: Callable[[dict], None] | None = None) -> Path:
    """Write the file that is asked for; "torch" and "monai" are the same, since MONAI takes any module of PyTorch.

    Raises ModelError where the source holds no network, and UsageError where the level or the format is unknown or nnU-Net's
    network can't be taught.
    """
    if request.format not in FORMATS:
        raise UsageError(f"Unknown format '{request.format}'; known are {', '.join(FORMATS)}.")
    network, source = _network_of(request)
    if request.format == "nnunet":
        _write_nnunet(request, network, source, report)
    else:
        write_encoder_file(request.output, network, source)
    return request.output


def _network_of(request: EncoderRequest) -> tuple[EmbeddingNetwork, EncoderSource]:
    """The network of the one level, and where it is from."""
    path = Path(request.source)
    if not path.exists() and request.source in REGISTRY.modalities:
        path = bundled_model(request.source)
    network, training = finished([path])
    name = request.level or network.levels[0].name
    branch = network.branch(name)
    level = next(level for level in network.levels if level.name == name)
    alone = EmbeddingNetwork([level])
    alone.branches = torch.nn.ModuleList([branch])
    modality = _modality(path, training)
    origin = {"level": name, "exported_by": f"SAMLandmark {__version__}", "training": training}
    return alone, EncoderSource(modality, request.licence or _licence(path), origin)


def _modality(path: Path, training: dict) -> Modality:
    if path.is_file():
        return read_network(path)[1].modality
    if "modality" in training:
        return Modality.from_json(training["modality"])
    return training_modality(training.get("config", {}).get("modality", "ct")).modality


def _licence(path: Path) -> str:
    bundled = path.is_file() and REGISTRY.knows(sha256_of(path))
    return BUNDLED_LICENCE if bundled else LICENCE_UNKNOWN


def _write_nnunet(
    request: EncoderRequest,
    network: EmbeddingNetwork,
    source: EncoderSource,
    report: Callable[[dict], None] | None,
) -> None:
    if request.data is None:
        raise UsageError("nnU-Net's network is taught with images: name a folder of them with --data DIR.")
    if source.modality.spatial_axes != 3:
        raise UsageError("Only networks for volumes can become one of nnU-Net; choose another model.")
    encoder = EmbeddingEncoder(network.levels[0], branches_of(network)[0], source)
    spacing_mm = encoder.wanted.spacing_mm
    volumes = [array for _, _, array in scans_below(request.data, source.modality, spacing_mm)]
    if not volumes:
        raise UsageError(f"{request.data} holds no image that can be read.")
    if request.plans is not None:
        plans = Plans.read(request.plans, request.configuration)
    else:
        tissue_from = training_modality(source.modality.name).tissue_from
        plans = default_plans(intensity_properties(volumes, tissue_from))
    student = distil(encoder, volumes, plans, request.steps, report=report)
    about = {
        "licence": source.licence,
        "origin": source.origin,
        "modality": source.modality.to_json(),
        "spacing_mm": spacing_mm,
        "distilled_steps": request.steps,
        "architecture": {
            "network_class_name": plans.class_name,
            "arch_kwargs": dict(plans.arguments),
            "_kw_requires_import": list(plans.imported),
        },
        "normalization": "CTNormalization",
        "foreground_intensity_properties": dict(plans.intensity),
    }
    write_weights(request.output, student, about)
