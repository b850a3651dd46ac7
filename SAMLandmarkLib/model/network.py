"""The two-level embedding network: a fine branch on 2 mm voxels and a coarse branch on 4 mm voxels.

The idea is SAM's (Yan et al., IEEE TMI 2022, section III): a coarse embedding says which region of the body a voxel
lies in, a fine one says which spot of the region. Here the levels are two separate fully convolutional branches, so
that the coarse one can be trained on patches that show half a torso, and the fine one never needs the whole volume.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

AIR_HU = -1024.0
HU_WINDOWS = ((-1024.0, -200.0), (-200.0, 300.0), (200.0, 1500.0))
"""Lung, soft tissue and bone, each mapped to [-1, 1] as one input channel."""


@dataclass(frozen=True)
class BranchConfig:
    """Shape of one branch: `channels` per resolution level (finest first), residual `blocks` per level, output size."""

    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    dimension: int


FINE_BRANCH = BranchConfig(channels=(32, 64, 128, 160), blocks=(1, 1, 2, 1), dimension=64)
COARSE_BRANCH = BranchConfig(channels=(32, 64, 128, 192), blocks=(1, 2, 2, 2), dimension=128)


def hu_windows(hu: Tensor, bounds: list[tuple[float, float]], dtype: torch.dtype) -> Tensor:
    """Map HU `[B,C,D,H,W]` to C channels per window, clipped to [-1, 1], channels last in memory."""
    channels = hu.shape[1]
    shape = [hu.shape[0], hu.shape[2], hu.shape[3], hu.shape[4], channels * len(bounds)]
    result = torch.empty(shape, dtype=dtype, device=hu.device).permute(0, 4, 1, 2, 3)
    # in place, as below: on whole volumes, fresh memory costs more than the arithmetic
    for window, (low, high) in enumerate(bounds):
        scaled = (hu - (low + high) / 2).div_((high - low) / 2).clamp_(-1.0, 1.0)
        result[:, window * channels : (window + 1) * channels] = scaled
    return result


def space_to_depth(x: Tensor) -> Tensor:
    """Fold each 2x2x2 block of voxels into channels: `[B,C,D,H,W]` to `[B,8C,D/2,H/2,W/2]`, channels last in memory."""
    batch, channels, depth, height, width = x.shape
    x = x.reshape(batch, channels, depth // 2, 2, height // 2, 2, width // 2, 2)
    x = x.permute(0, 2, 4, 6, 1, 3, 5, 7)
    x = x.reshape(batch, depth // 2, height // 2, width // 2, channels * 8)
    return x.permute(0, 4, 1, 2, 3)


def even(x: Tensor) -> Tensor:
    """With the last cells repeated where a side is odd, so that the grid can be halved."""
    depth, height, width = x.shape[2] % 2, x.shape[3] % 2, x.shape[4] % 2
    if depth + height + width == 0:
        return x
    return functional.pad(x, [0, width, 0, height, 0, depth], mode="replicate")


def added_to_upsampled(finer: Tensor, coarser: Tensor) -> Tensor:
    """The sum of features and those of half the resolution, which may reach one cell further."""
    upsampled = functional.interpolate(coarser, scale_factor=2.0, mode="trilinear", align_corners=False)
    return upsampled[:, :, : finer.shape[2], : finer.shape[3], : finer.shape[4]].add_(finer)


def convolution(inputs: int, outputs: int) -> nn.Sequential:
    """3x3x3 convolution, batch norm, ReLU. Batch statistics are frozen at inference, so tiles have exact seams."""
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm3d(outputs, momentum=0.05),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two 3x3x3 convolutions with an identity shortcut (He et al., CVPR 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = nn.Sequential(
            nn.Conv3d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm3d(channels, momentum=0.05),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu_(self.second(self.first(x)).add_(x))


def residual_stage(channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*[ResidualBlock(channels) for _ in range(blocks)])


def halve(inputs: int, outputs: int) -> nn.Sequential:
    """2x2x2 convolution of stride 2: unlike a padded 3x3x3 one it keeps the grids of all levels concentric."""
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 2, stride=2, bias=False),
        nn.BatchNorm3d(outputs, momentum=0.05),
        nn.ReLU(inplace=True),
    )


class EmbeddingBranch(nn.Module):
    """Encoder and decoder that turn HU on a grid into vectors on the grid of half its resolution.

    Input `[B,1,D,H,W]` HU with even sides; output `[B,dimension,D/2,H/2,W/2]`, not yet normalised (training looks up
    few of the vectors, and normalising all of them would cost a quarter of a step). Output cell i is centred on input
    coordinate 2 i + 0.5.
    """

    stride = 2
    tile_halo = 16
    """Voxels of margin with which `reduce` and `finish` on a slab give the very values of the whole volume."""

    def __init__(self, config: BranchConfig) -> None:
        super().__init__()
        channels = config.channels
        self.windows = list(HU_WINDOWS)
        self.stem = convolution(8 * len(HU_WINDOWS), channels[0])
        self.stages = nn.ModuleList(map(residual_stage, channels, config.blocks))
        self.downs = nn.ModuleList(map(halve, channels[:-1], channels[1:]))
        # the decoder's modules run from the deepest level to the finest
        steps = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.laterals = nn.ModuleList([nn.Conv3d(deep, shallow, 1) for deep, shallow in steps])
        self.merges = nn.ModuleList([convolution(shallow, shallow) for _, shallow in steps[:-1]])
        self.merge_finest = convolution(channels[0], 2 * channels[0])
        self.head = nn.Conv3d(2 * channels[0], config.dimension, 1)

    def forward(self, hu: Tensor) -> Tensor:
        finest = self._finest_level(hu)
        return self._merge(finest, self.deepen(self.downs[0](even(finest))))

    def reduce(self, hu: Tensor) -> Tensor:
        """First part of `forward`: features at a quarter of the input resolution, small enough to keep them all."""
        return self.downs[0](even(self._finest_level(hu)))

    def deepen(self, reduced: Tensor) -> Tensor:
        """Second part: all deeper levels and the way back to the resolution of `reduced`."""
        x = reduced
        levels: list[Tensor] = []
        for index, stage in enumerate(self.stages):
            if index > 0:
                x = stage(x)
                levels.append(x)
                for down_index, down in enumerate(self.downs):
                    if down_index == index:
                        x = down(even(x))
        for index, merge in enumerate(self.merges):
            for lateral_index, lateral in enumerate(self.laterals):
                if lateral_index == index:
                    x = merge(added_to_upsampled(levels[-2 - index], lateral(x)))
        return x

    def finish(self, hu: Tensor, deep: Tensor) -> Tensor:
        """Last part: embeddings of the voxels `hu` from them and the `deep` features over the same region."""
        return self._merge(self._finest_level(hu), deep)

    def _finest_level(self, hu: Tensor) -> Tensor:
        windows = hu_windows(space_to_depth(hu), self.windows, self.head.weight.dtype)
        return self.stages[0](self.stem(windows))

    def _merge(self, finest: Tensor, deep: Tensor) -> Tensor:
        return self.head(self.merge_finest(added_to_upsampled(finest, self.laterals[-1](deep))))


def unit_vectors(features: Tensor, slab_cells: int = 4) -> Tensor:
    """L2-normalise over channels, in float32 since bfloat16 would cost sub-voxel accuracy; float16, channels last."""
    batch, channels, depth, height, width = features.shape
    result = torch.empty([batch, depth, height, width, channels], dtype=torch.half, device=features.device)
    # slab by slab, which keeps the float32 numbers in a CPU's cache
    for start in range(0, depth, slab_cells):
        slab = features[:, :, start : start + slab_cells].permute(0, 2, 3, 4, 1).float()
        length = torch.linalg.vector_norm(slab, dim=-1, keepdim=True).clamp_(min=1e-12)
        result[:, start : start + slab_cells] = slab.div_(length)
    return result.permute(0, 4, 1, 2, 3)


class SamNetwork(nn.Module):
    """Fine and coarse L2-normalised embeddings of a CT volume on the canonical 2 mm grid.

    `fine(hu)` embeds 2 mm voxels on a 4 mm grid; `coarse(hu)` averages the same voxels to 4 mm and embeds them on an
    8 mm grid. Both take HU `[B,1,D,H,W]`, all sides divisible by 4. `fine` is also to be had in three parts, of which
    the first and the last, the ones that need much memory, work on slabs.
    """

    size_divisor = 4

    def __init__(self, fine: BranchConfig = FINE_BRANCH, coarse: BranchConfig = COARSE_BRANCH) -> None:
        super().__init__()
        self.fine_branch = EmbeddingBranch(fine)
        self.coarse_branch = EmbeddingBranch(coarse)

    @torch.jit.export
    def fine(self, hu: Tensor) -> Tensor:
        return unit_vectors(self.fine_branch(hu))

    @torch.jit.export
    def fine_reduce(self, hu: Tensor) -> Tensor:
        return self.fine_branch.reduce(hu)

    @torch.jit.export
    def fine_deepen(self, reduced: Tensor) -> Tensor:
        return self.fine_branch.deepen(reduced)

    @torch.jit.export
    def fine_finish(self, hu: Tensor, deep: Tensor) -> Tensor:
        return unit_vectors(self.fine_branch.finish(hu, deep))

    @torch.jit.export
    def coarse(self, hu: Tensor) -> Tensor:
        return unit_vectors(self.coarse_branch(functional.avg_pool3d(hu, 2)))

    def forward(self, hu: Tensor) -> tuple[Tensor, Tensor]:
        return self.coarse(hu), self.fine(hu)
