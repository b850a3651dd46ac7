"""Memory of the finest level per voxel, alone in a fresh process: python benchmarks/memory.py [--precision fp32]"""

from __future__ import annotations

import argparse
import resource

import torch

from SAMLandmarkLib.models.bundle import EmbeddingModel
from SAMLandmarkLib.models.precision import PRECISIONS

SHAPE = (1, 1, 192, 192, 192)


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="auto", choices=PRECISIONS)
    parser.add_argument(
        "--float32", action="store_const", const="fp32", dest="precision", help="the same as --precision fp32"
    )
    arguments = parser.parse_args()
    model = EmbeddingModel.load(device="cpu", precision=arguments.precision)
    voxels = torch.zeros(SHAPE)
    before = peak_bytes()
    model.embed_level(0, voxels)
    print(f"{model.dtype}: {(peak_bytes() - before) / voxels.numel():.0f} bytes per voxel")


if __name__ == "__main__":
    main()
