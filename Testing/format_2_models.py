"""Model files of format 2, as version 0.3 wrote them: TorchScript with metadata and a test vector inside."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import torch

from SAMLandmarkLib.models.folding import fold_batch_norm
from SAMLandmarkLib.models.network import BranchConfig, SamNetwork

VERSION = "0.2.2"
BRANCH = BranchConfig(channels=(8, 12, 16, 16), blocks=(1, 1, 1, 1), dimension=8)


def write_format_2(path: Path) -> Path:
    """A small network of random weights in a file of format 2."""
    torch.manual_seed(1)
    network = fold_batch_norm(SamNetwork(BRANCH, BRANCH).eval()).half().float()
    vector = _test_vector(network)
    metadata = {
        "version": VERSION,
        "format_version": 2,
        "spacing_mm": 2.0,
        "fine_spacing_mm": 4.0,
        "coarse_spacing_mm": 8.0,
        "fine_dimension": BRANCH.dimension,
        "coarse_dimension": BRANCH.dimension,
        "size_divisor": SamNetwork.size_divisor,
        "tile_halo": 16,
        "test_vector_sha256": hashlib.sha256(vector).hexdigest(),
        "training": {"steps": 3},
        "calibration": {},
    }
    extra = {"samlandmark.json": json.dumps(metadata), "test_vector.npz": vector}
    torch.jit.script(network.half()).save(str(path), _extra_files=extra)
    return path


def _test_vector(network: SamNetwork) -> bytes:
    noise = torch.randn(1, 1, 8, 8, 8, generator=torch.Generator().manual_seed(0)) * 400
    hu = (
        torch.nn.functional.interpolate(noise, size=(64, 64, 64), mode="trilinear").clamp(-1024, 1500).round()
    )
    with torch.inference_mode():
        coarse, fine = (level[0].permute(1, 2, 3, 0)[1::4, 1::4, 1::4] for level in network(hu))
    packed = io.BytesIO()
    np.savez_compressed(
        packed, hu=hu[0, 0].short().numpy(), fine=fine.half().numpy(), coarse=coarse.half().numpy()
    )
    return packed.getvalue()
