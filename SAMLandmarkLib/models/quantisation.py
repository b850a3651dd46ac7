"""Weights of convolutions as integers of 8 bits with one scale for each output channel, as model files hold them."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from .embedding_network import EmbeddingNetwork

GREATEST = 127
"""Integers are symmetric about zero, so that zero stays zero."""
CONVOLUTION_AXES = 5
_LEAST = 1e-20
"""What the greatest weight of a channel of zeros is taken to be."""


def packed(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Integers int8 of the shape of the weights `[out,in,D,H,W]`, and their scales float32 `[out]`.

    The greatest weight of a channel becomes 127 or -127, and scales have few enough bits for exact products: packing
    what was unpacked changes nothing.
    """
    values = weights.float()
    greatest = values.abs().amax(dim=(1, 2, 3, 4)).clamp(min=_LEAST)
    scales = (greatest / GREATEST).bfloat16().float()
    integers = torch.round(values / _by_channel(scales)).clamp(-GREATEST, GREATEST)
    return integers.to(torch.int8), scales


def unpacked(integers: Tensor, scales: Tensor) -> Tensor:
    """The weights float32 `[out,in,D,H,W]`; ValueError where integers and scales do not belong together."""
    if integers.ndim != CONVOLUTION_AXES or scales.shape != integers.shape[:1]:
        raise ValueError(f"weights of {tuple(integers.shape)} cannot have {tuple(scales.shape)} scales")
    return integers.float() * _by_channel(scales)


def as_stored(network: EmbeddingNetwork) -> EmbeddingNetwork:
    """A copy of the network with each weight rounded as a model file rounds it."""
    rounded = copy.deepcopy(network).float()
    state = {
        name: unpacked(*packed(values)) if values.ndim == CONVOLUTION_AXES else values.half().float()
        for name, values in rounded.state_dict().items()
    }
    rounded.load_state_dict(state)
    return rounded


def _by_channel(scales: Tensor) -> Tensor:
    return scales[:, None, None, None, None]
