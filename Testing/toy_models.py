"""Model files with small networks of random weights."""

from __future__ import annotations

from pathlib import Path

import torch

from SAMLandmarkLib.core.matching_options import MatchingOptions
from SAMLandmarkLib.core.modality import Modality
from SAMLandmarkLib.models.bundle import ModelMetadata, export_bundle
from SAMLandmarkLib.models.embedding_network import EmbeddingNetwork, LevelConfig
from SAMLandmarkLib.models.network import BranchConfig


def toy_model(folder: Path, modality: Modality, spacings_mm: tuple[float, ...]) -> Path:
    """A network with random weights: like any other, it gives the same vectors to the same neighbourhood."""
    torch.manual_seed(0)
    branch = BranchConfig(
        channels=(16, 24),
        blocks=(0, 0),
        dimension=24,
        windows=modality.normalisation.windows,
        spatial_axes=modality.spatial_axes,
    )
    levels = [LevelConfig(f"level_{mm:g}", mm, branch) for mm in spacings_mm]
    network = EmbeddingNetwork(levels)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv3d):
            # vectors of a random network all point one way unless their means are removed
            module.weight.data -= module.weight.data.mean(dim=(1, 2, 3, 4), keepdim=True)
    near = MatchingOptions().changed(prediction={"least_support": 4.0})
    metadata = ModelMetadata(
        "toy", modality, matching={"accurate": near, "fast": near.quick}, error_limit_mm=5.0
    )
    path = folder / f"{modality.name}-{len(spacings_mm)}.safetensors"
    export_bundle(network, path, metadata)
    return path
