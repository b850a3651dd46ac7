"""Folding batch norm into the convolution before it, which makes inference faster and the file smaller."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)


def fold_batch_norm(network: Network) -> Network:
    """A copy of the network in which every `Sequential(Conv3d, BatchNorm3d, ...)` lost its batch norm."""
    folded = copy.deepcopy(network).eval()
    for module in list(folded.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Sequential) and len(child) > 1:
                first, second, *others = child
                if isinstance(first, nn.Conv3d) and isinstance(second, nn.BatchNorm3d):
                    setattr(module, name, nn.Sequential(fuse_conv_bn_eval(first, second), *others))
    return folded
