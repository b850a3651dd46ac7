"""What an image looks like around each place, whatever its grey levels: differences between neighbours of a voxel.

After Heinrich et al. (2013), "Towards realtime multimodal fusion for image-guided interventions using
self-similarities" (MIND-SSC).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from .network import BranchConfig, EmbeddingBranch, convolution, space_to_depth, windowed

SIMILARITIES = 12
"""Pairs of neighbours that lie around a corner of each other."""
REACH_VOXELS = 4
"""How far, rounded up to what tiles are multiples of, an input channel looks beyond its cell."""
NOISE = 0.03
"""Differences below that part of the range of intensities mean nothing."""
_NEIGHBOURS = ((0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 0, -1), (0, -1, 0), (-1, 0, 0))
_PAIRS = tuple(
    (a, b)
    for a in range(6)
    for b in range(a + 1, 6)
    if sum((p - q) ** 2 for p, q in zip(_NEIGHBOURS[a], _NEIGHBOURS[b], strict=True)) == 2
)


def neighbour_differences(images: Tensor, distance: int) -> Iterator[Tensor]:
    """The 12 squared differences `[n,D,H,W]` between the neighbours, `distance` voxels away, of each voxel of images."""
    padded = functional.pad(images[:, None], [distance] * 6, mode="replicate")[:, 0]
    shifted = [_shifted(padded, images.shape[1:], neighbour, distance) for neighbour in _NEIGHBOURS]
    for a, b in _PAIRS:
        yield (shifted[a] - shifted[b]).square_()


def _shifted(padded: Tensor, shape: torch.Size, step: tuple[int, ...], distance: int) -> Tensor:
    z, y, x = (distance * (1 + part) for part in step)
    depth, height, width = shape
    return padded[:, z : z + depth, y : y + height, x : x + width]


def cell_similarities(values: Tensor, distance: int) -> Tensor:
    """Similarities from 0 to 1 `[B,12,D/2,H/2,W/2]` of neighbours in cells of two voxels per side of `[B,1,D,H,W]`."""
    cells = [
        functional.avg_pool3d(difference[:, None], 2)
        for difference in neighbour_differences(values[:, 0], distance)
    ]
    differences = torch.cat(cells, dim=1)
    mean = differences.mean(dim=1, keepdim=True) + NOISE**2
    differences -= differences.amin(dim=1, keepdim=True)
    return differences.div_(mean).neg_().exp_()


class SelfSimilarBranch(EmbeddingBranch):
    """A branch that is told, beside the intensities, how similar the neighbours of each cell are to each other.

    That is the same in any contrast, so that little is left to learn about contrasts.
    """

    def __init__(self, config: BranchConfig) -> None:
        super().__init__(config)
        self.distances = config.self_similarity
        inputs = 8 * len(config.windows) + SIMILARITIES * len(self.distances)
        self.stem = convolution(inputs, config.channels[0])
        self.tile_halo += REACH_VOXELS

    def _finest_level(self, values: Tensor) -> Tensor:
        dtype = self.head.weight.dtype
        low, high = self.windows[0]
        seen = values.clamp(low, high).float().div_(high - low)
        channels = [windowed(space_to_depth(values), self.windows, dtype)]
        channels += [cell_similarities(seen, distance).to(dtype) for distance in self.distances]
        joined = torch.cat(channels, dim=1).contiguous(memory_format=torch.channels_last_3d)
        features: Tensor = self.stages[0](self.stem(joined))
        return features


def branch_of(config: BranchConfig) -> EmbeddingBranch:
    """A branch with random weights of that shape."""
    return SelfSimilarBranch(config) if config.self_similarity else EmbeddingBranch(config)
