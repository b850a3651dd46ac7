"""Folders of training runs that were never trained: small networks of random weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from SAMLandmarkLib.core.modality import RADIOGRAPH
from SAMLandmarkLib.models.embedding_network import EmbeddingNetwork, LevelConfig
from SAMLandmarkLib.models.network import BranchConfig
from SAMLandmarkLib.training.checkpoint import CHECKPOINT_NAME, RUN_NAME, write_checkpoint

SMALL = BranchConfig(channels=(8, 12, 16, 20), blocks=(1, 0, 1, 1), dimension=8)
FLAT = BranchConfig((8, 12, 16), (1, 1, 1), 8, RADIOGRAPH.normalisation.windows, 2)


def some_network(spacings_mm=(2.0, 4.0), branch: BranchConfig = SMALL) -> EmbeddingNetwork:
    torch.manual_seed(1)
    network = EmbeddingNetwork([LevelConfig(f"level_{mm:g}", mm, branch) for mm in spacings_mm])
    network.train()
    shape = (1, 1, 32, 32, 32) if branch.spatial_axes == 3 else (2, 1, 1, 32, 32)
    for _ in range(3):  # statistics that are not those of a new batch norm
        for part in network.branches:
            part(torch.randn(shape) * 300)
    return network.eval()


def run_folder(folder: Path, network: EmbeddingNetwork, modality: str = "ct") -> Path:
    folder.mkdir()
    states = {
        level.name: {"average": branch.state_dict(), "step": 7, "elapsed": 60.0}
        for level, branch in zip(network.levels, network.branches)
    }
    write_checkpoint(folder / CHECKPOINT_NAME, states, network.network_config(), "fp32")
    (folder / RUN_NAME).write_text(json.dumps({"config": {"modality": modality}}))
    return folder
