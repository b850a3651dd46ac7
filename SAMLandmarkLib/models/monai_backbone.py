"""The embedding network as a backbone of MONAI's FlexibleUNet, whose decoder and head are then MONAI's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from ..utils.errors import UsageError
from ..utils.files import sha256_of
from ..utils.translation import _
from .encoder import EmbeddingEncoder


def monai_backbone(path: str | Path) -> str:
    """Tell MONAI of the network in a file of `samlandmark model encoder`; returns the name that FlexibleUNet knows it by.

    `FlexibleUNet(1, classes, name, pretrained=True, spatial_dims=3)` begins with its weights, without `pretrained` with
    random ones; `spatial_dims=2` for a network of flat kernels, such as of radiographs. Inputs are in the modality's unit (HU
    in CT) and need no intensity transform. Raises ModelError where the file is no encoder and UsageError without MONAI.
    """
    flexible = _flexible_unet()
    encoder = EmbeddingEncoder.load(path)
    name = f"samlandmark-{encoder.level.name}-{sha256_of(path)[:12]}"
    if name not in flexible.FLEXUNET_BACKBONE.register_dict:
        flexible.FLEXUNET_BACKBONE.register_class(_backbone_class(flexible.BaseEncoder, name, Path(path)))
    return name


def _flexible_unet() -> Any:
    try:
        from monai.networks.nets import flexible_unet
    except ImportError as error:
        raise UsageError(
            _("MONAI is not installed; install it with `pip install samlandmark[weights]`.")
        ) from error
    return flexible_unet


def _backbone_class(base: type, name: str, path: Path) -> type:
    """A class as MONAI registers them: it asks the class itself what its instances put out."""
    described = EmbeddingEncoder.load(path)
    axes = described.level.branch.spatial_axes

    class Backbone(EmbeddingEncoder, base):
        def __init__(self, spatial_dims: int, in_channels: int, pretrained: bool) -> None:
            if (spatial_dims, in_channels) != (axes, 1):
                other = _(
                    "{path} is for images of one channel with {own} spatial dimensions; FlexibleUNet was asked for {channels} "
                    "channels and {asked} dimensions."
                )
                raise UsageError(
                    other.format(path=str(path), own=axes, channels=in_channels, asked=spatial_dims)
                )
            source = EmbeddingEncoder.load(path)
            made = source if pretrained else EmbeddingEncoder.new(source.level, source.source)
            EmbeddingEncoder.__init__(self, made.level, made.branch, made.source)

        def forward(self, values: Tensor) -> list[Tensor]:
            scales = super().forward(values if axes == 3 else values[:, :, None])
            return scales if axes == 3 else [scale[:, :, 0] for scale in scales]

        @classmethod
        def get_encoder_parameters(cls) -> list[dict]:
            return [{"spatial_dims": axes, "in_channels": 1, "pretrained": True}]

        @classmethod
        def num_channels_per_output(cls) -> list[tuple[int, ...]]:
            return [tuple(described.channels)]

        @classmethod
        def num_outputs(cls) -> list[int]:
            return [len(described.channels)]

        @classmethod
        def get_encoder_names(cls) -> list[str]:
            return [name]

    return Backbone
