"""The embedding network as the beginning of a network of one's own: features of several scales, and a segmentation head.

Encoder and decoder are both handed on, as Zhang et al. (Medical Image Analysis 94, 2024, section 3.3) do; only what stands
behind the features is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.modality import Modality
from ..utils.errors import UsageError
from ..utils.translation import _
from .embedding_network import EmbeddingNetwork, LevelConfig
from .encoder_file import EncoderSource, read_encoder_file, write_encoder_file
from .levels import branches_of
from .network import EmbeddingBranch, added_to_upsampled, even, space_to_depth, unit_vectors, windowed


@dataclass(frozen=True)
class EncoderInput:
    """What the network wants to see: images of `modality`, with voxels of `spacing_mm`, in the modality's unit.

    `divisor`: the sides of an image must be multiples of it, z, y, x.
    """

    modality: Modality
    spacing_mm: float
    divisor: tuple[int, int, int]


class EmbeddingEncoder(nn.Module):
    """One level of the embedding network, loaded from a file of `samlandmark model encoder`.

    Called with images `[B,1,D,H,W]` at `wanted.spacing_mm`, in the modality's unit (HU in CT: the network maps them to its
    windows by itself), it gives a list of features, finest first: `channels[i]` of them on a grid of `strides[i]` voxels a
    cell along z, y, x. The sides must be multiples of `wanted.divisor`.
    """

    def __init__(self, level: LevelConfig, branch: EmbeddingBranch, source: EncoderSource) -> None:
        super().__init__()
        self.level, self.source, self.branch = level, source, branch
        self._frozen = False
        self.channels = level.branch.channels
        depth = len(self.channels)
        self.strides = tuple((branch.slices**step, 2**step, 2**step) for step in range(1, depth + 1))
        self.wanted = EncoderInput(source.modality, level.voxel_spacing_mm, self.strides[-1])

    @classmethod
    def load(cls, path: str | Path) -> EmbeddingEncoder:
        """Read a file of `samlandmark model encoder --format torch` or `monai`; ModelError where it is none."""
        network, source = read_encoder_file(Path(path))
        return cls(network.levels[0], branches_of(network)[0], source)

    @classmethod
    def new(cls, level: LevelConfig, source: EncoderSource) -> EmbeddingEncoder:
        """The same network with random weights, such as to train the same from nothing."""
        return cls(level, branches_of(EmbeddingNetwork([level]))[0], source)

    def save(self, path: str | Path) -> None:
        """Write these weights as a file that `load` reads, such as after fine-tuning; OutputError where that fails."""
        network = EmbeddingNetwork([self.level])
        network.branches = nn.ModuleList([self.branch])
        write_encoder_file(path, network, self.source)

    def forward(self, values: Tensor) -> list[Tensor]:
        branch = self.branch
        dtype = branch.head.weight.dtype
        x = branch.stem(windowed(space_to_depth(values, branch.slices), branch.windows, dtype))
        scales: list[Tensor] = []
        for stage, down in zip(branch.stages, chain(branch.downs, [None])):
            scales.append(stage(x))
            if down is not None:
                x = down(even(scales[-1], branch.slices))
        return scales

    def decoded(self, scales: list[Tensor]) -> Tensor:
        """What the decoder makes of the features: `[B,decoded_channels,D/s,H/2,W/2]`, what embeddings are read from."""
        branch, x = self.branch, scales[-1]
        merges = chain(branch.merges, [branch.merge_finest])
        for finer, lateral, merge in zip(scales[-2::-1], branch.laterals, merges):
            x = merge(added_to_upsampled(finer, lateral(x), branch.slices))
        return x

    @property
    def decoded_channels(self) -> int:
        """The number of the decoder's features."""
        return self.branch.head.in_channels

    def embeddings(self, values: Tensor) -> Tensor:
        """The unit vectors `[B,dimension,D/s,H/2,W/2]` that landmarks are found with, float16."""
        return unit_vectors(self.branch.head(self.decoded(self(values))))

    def freeze(self, frozen: bool = True) -> EmbeddingEncoder:
        """Keep the weights, and the statistics of the batch norms, as they are while something else is trained."""
        self.requires_grad_(not frozen)
        self._frozen = frozen
        return self.train(not frozen)

    def train(self, mode: bool = True) -> EmbeddingEncoder:
        """As in every module; what is frozen stays in the state of inference."""
        super().train(mode and not self._frozen)
        return self

    def segmentation_head(self, classes: int) -> SegmentationNetwork:
        """This network with a new head that names the class of each voxel of the image."""
        return SegmentationNetwork(self, classes)


class SegmentationNetwork(nn.Module):
    """Logits `[B,classes,D,H,W]` on the grid of the image: the decoder's features, upsampled, beside the image itself.

    `parameter_groups` gives the weights that come from the file a smaller learning rate.
    """

    def __init__(self, encoder: EmbeddingEncoder, classes: int, width: int = 16) -> None:
        super().__init__()
        if classes < 2:
            few = _("A segmentation needs at least two classes with the background, not {count}.")
            raise UsageError(few.format(count=classes))
        self.encoder = encoder
        axes = encoder.level.branch.spatial_axes
        size, padding = ((1, 3, 3), (0, 1, 1)) if axes == 2 else ((3, 3, 3), (1, 1, 1))
        windows = len(encoder.branch.windows)
        self.reduce = nn.Conv3d(encoder.decoded_channels, width, 1)
        self.join = nn.Conv3d(width + windows, width, size, padding=padding)
        self.classify = nn.Conv3d(width, classes, 1)

    def forward(self, values: Tensor) -> Tensor:
        encoder = self.encoder
        features = self.reduce(encoder.decoded(encoder(values)))
        upsampled = functional.interpolate(
            features, size=values.shape[2:], mode="trilinear", align_corners=False
        )
        image = windowed(values, encoder.branch.windows, upsampled.dtype)
        return self.classify(functional.relu(self.join(torch.cat([upsampled, image], dim=1))))

    def parameter_groups(self, learning_rate: float, encoder_share: float = 0.3) -> list[dict]:
        """For an optimizer: the new layers at `learning_rate`, the others at `encoder_share` of it."""
        old = list(self.encoder.parameters())
        known = {id(parameter) for parameter in old}
        new = [parameter for parameter in self.parameters() if id(parameter) not in known]
        return [
            {"params": new, "lr": learning_rate},
            {"params": old, "lr": learning_rate * encoder_share},
        ]
