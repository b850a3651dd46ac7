"""Memory of the fine branch per voxel, alone in a fresh process: python benchmarks/memory.py [--float32]"""

from __future__ import annotations

import argparse
import resource

import torch

from SAMLandmarkLib.model.bundle import EmbeddingModel

SHAPE = (1, 1, 192, 192, 192)


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--float32", action="store_true", help="as on processors without bfloat16")
    arguments = parser.parse_args()
    model = EmbeddingModel.load(device="cpu")
    if arguments.float32:
        model.dtype, model.module = torch.float32, model.module.float()
    voxels = torch.zeros(SHAPE)
    before = peak_bytes()
    model.fine(voxels)
    print(f"{model.dtype}: {(peak_bytes() - before) / voxels.numel():.0f} bytes per voxel")


if __name__ == "__main__":
    main()
