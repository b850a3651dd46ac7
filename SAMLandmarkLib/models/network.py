"""One level of the embedding network, and the two-level network of the first model files.

The idea is SAM's (Yan et al., IEEE TMI 2022, section III): a coarse embedding says which region of the body a voxel
lies in, a fine one says which spot of the region. Here each level is a fully convolutional branch of its own, so
that the coarse ones can be trained on patches that show a whole torso, and the fine one never needs the whole volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.modality import CT

HU_WINDOWS = CT.normalisation.windows
"""Lung, soft tissue and bone, each mapped to [-1, 1] as one input channel."""


@dataclass(frozen=True)
class BranchConfig:
    """Shape of one branch: `channels` per resolution level (finest first), residual `blocks` per level, output size.

    `windows`: each is an input channel, the values from its lower to its upper bound mapped to [-1, 1].
    `spatial_axes`: 3, or 2 for images of one slice, whose kernels are flat along the slice axis. `self_similarity`: distances
    in voxels at which neighbours are compared with each other, as further input that no contrast changes.
    """

    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    dimension: int
    windows: tuple[tuple[float, float], ...] = HU_WINDOWS
    spatial_axes: int = 3
    self_similarity: tuple[int, ...] = ()


FINE_BRANCH = BranchConfig(channels=(32, 64, 128, 160), blocks=(1, 1, 2, 1), dimension=64)
COARSE_BRANCH = BranchConfig(channels=(32, 64, 128, 192), blocks=(1, 2, 2, 2), dimension=128)


def windowed(values: Tensor, bounds: list[tuple[float, float]], dtype: torch.dtype) -> Tensor:
    """Map values `[B,C,D,H,W]` to C channels per window, clipped to [-1, 1], channels last in memory."""
    channels = values.shape[1]
    shape = [values.shape[0], values.shape[2], values.shape[3], values.shape[4], channels * len(bounds)]
    result = torch.empty(shape, dtype=dtype, device=values.device).permute(0, 4, 1, 2, 3)
    # in place, as below: on whole volumes, fresh memory costs more than the arithmetic
    for window, (low, high) in enumerate(bounds):
        scaled = (values - (low + high) / 2).div_((high - low) / 2).clamp_(-1.0, 1.0)
        result[:, window * channels : (window + 1) * channels] = scaled
    return result


def space_to_depth(x: Tensor, slices: int = 2) -> Tensor:
    """Fold each block of `slices`x2x2 voxels into channels: 2: `[B,C,D,H,W]` to `[B,8C,D/2,H/2,W/2]`, channels last."""
    batch, channels, depth, height, width = x.shape
    x = x.reshape(batch, channels, depth // slices, slices, height // 2, 2, width // 2, 2)
    x = x.permute(0, 2, 4, 6, 1, 3, 5, 7)
    x = x.reshape(batch, depth // slices, height // 2, width // 2, channels * slices * 4)
    return x.permute(0, 4, 1, 2, 3)


def even(x: Tensor, slices: int = 2) -> Tensor:
    """With the last cells repeated where a side is odd, so that the grid can be halved; not along z where `slices` is 1."""
    depth, height, width = x.shape[2] % slices, x.shape[3] % 2, x.shape[4] % 2
    if depth + height + width == 0:
        return x
    return functional.pad(x, [0, width, 0, height, 0, depth], mode="replicate")


def added_to_upsampled(finer: Tensor, coarser: Tensor, slices: int = 2) -> Tensor:
    """The sum of features and those of half the resolution, which may reach one cell further."""
    scale = [float(slices), 2.0, 2.0]
    upsampled = functional.interpolate(coarser, scale_factor=scale, mode="trilinear", align_corners=False)
    return upsampled[:, :, : finer.shape[2], : finer.shape[3], : finer.shape[4]].add_(finer)


def _batch_normed(convolution: nn.Conv3d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm3d(convolution.out_channels, momentum=0.05)]


def _convolution_3(inputs: int, outputs: int, spatial_axes: int) -> nn.Conv3d:
    flat = spatial_axes == 2
    size, padding = ((1, 3, 3), (0, 1, 1)) if flat else ((3, 3, 3), (1, 1, 1))
    return nn.Conv3d(inputs, outputs, size, padding=padding, bias=False)


def convolution(inputs: int, outputs: int, spatial_axes: int = 3) -> nn.Sequential:
    """3x3x3 convolution, batch norm, ReLU. Batch statistics are frozen at inference, so tiles have exact seams."""
    return nn.Sequential(*_batch_normed(_convolution_3(inputs, outputs, spatial_axes)), nn.ReLU(inplace=True))


class ResidualBlock(nn.Module):
    """Two 3x3x3 convolutions with an identity shortcut (He et al., CVPR 2016)."""

    def __init__(self, channels: int, spatial_axes: int = 3) -> None:
        super().__init__()
        self.first = convolution(channels, channels, spatial_axes)
        self.second = nn.Sequential(*_batch_normed(_convolution_3(channels, channels, spatial_axes)))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu_(self.second(self.first(x)).add_(x))


def residual_stage(channels: int, blocks: int, spatial_axes: int = 3) -> nn.Sequential:
    """Residual blocks one after the other."""
    return nn.Sequential(*[ResidualBlock(channels, spatial_axes) for _ in range(blocks)])


def halve(inputs: int, outputs: int, spatial_axes: int = 3) -> nn.Sequential:
    """2x2x2 convolution of stride 2: unlike a padded 3x3x3 one it keeps the grids of all levels concentric."""
    size = (spatial_axes - 1, 2, 2)
    return nn.Sequential(
        *_batch_normed(nn.Conv3d(inputs, outputs, size, stride=size, bias=False)), nn.ReLU(inplace=True)
    )


class EmbeddingBranch(nn.Module):
    """Encoder and decoder that turn values on a grid into vectors on the grid of half its resolution.

    Input `[B,1,D,H,W]` in the unit of the configured windows (HU in CT) with even sides; output
    `[B,dimension,D/2,H/2,W/2]`, not yet normalised (training looks up few of the vectors, and normalising all of them
    would cost a quarter of a step). Output cell i is centred on input coordinate 2 i + 0.5. With two spatial axes the
    slices are embedded one by one: D stays as it is, and cell i along it is slice i.

    `stride`: input voxels per cell along z, y, x.
    """

    tile_halo = 16
    """Voxels of margin, along the strided axes, with which `reduce` and `finish` on a slab give the whole's values."""

    def __init__(self, config: BranchConfig) -> None:
        super().__init__()
        channels, axes = config.channels, config.spatial_axes
        self.windows = list(config.windows)
        self.slices = axes - 1
        self.stride = (self.slices, 2, 2)
        self.tile_halo = _tile_halo(config)
        self.stem = convolution(4 * self.slices * len(config.windows), channels[0], axes)
        self.stages = nn.ModuleList(
            [residual_stage(n, blocks, axes) for n, blocks in zip(channels, config.blocks, strict=True)]
        )
        self.downs = nn.ModuleList([halve(n, deeper, axes) for n, deeper in pairwise(channels)])
        # the decoder's modules run from the deepest level to the finest
        steps = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.laterals = nn.ModuleList([nn.Conv3d(deep, shallow, 1) for deep, shallow in steps])
        self.merges = nn.ModuleList([convolution(shallow, shallow, axes) for _, shallow in steps[:-1]])
        self.merge_finest = convolution(channels[0], 2 * channels[0], axes)
        self.head = nn.Conv3d(2 * channels[0], config.dimension, 1)

    def forward(self, values: Tensor) -> Tensor:
        finest = self._finest_level(values)
        return self._merge(finest, self.deepen(self.downs[0](even(finest, self.slices))))

    def reduce(self, values: Tensor) -> Tensor:
        """First part of `forward`: features at a quarter of the input resolution, small enough to keep them all."""
        return self.downs[0](even(self._finest_level(values), self.slices))

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
                        x = down(even(x, self.slices))
        for index, merge in enumerate(self.merges):
            for lateral_index, lateral in enumerate(self.laterals):
                if lateral_index == index:
                    x = merge(added_to_upsampled(levels[-2 - index], lateral(x), self.slices))
        return x

    def finish(self, values: Tensor, deep: Tensor) -> Tensor:
        """Last part: embeddings of the voxels `values` from them and the `deep` features over the same region."""
        return self._merge(self._finest_level(values), deep)

    def _finest_level(self, values: Tensor) -> Tensor:
        folded = space_to_depth(values, self.slices)
        return self.stages[0](self.stem(windowed(folded, self.windows, self.head.weight.dtype)))

    def _merge(self, finest: Tensor, deep: Tensor) -> Tensor:
        return self.head(self.merge_finest(added_to_upsampled(finest, self.laterals[-1](deep), self.slices)))


def _tile_halo(config: BranchConfig) -> int:
    """Cells that the finest level reaches beyond a slab, in voxels, a multiple of the deeper grid's four."""
    cells = 2 + 2 * config.blocks[0] + 1
    return max(EmbeddingBranch.tile_halo, -(-2 * cells // 4) * 4)


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
