"""Folding batch norm into the convolution before it, which makes inference faster and the file smaller."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """A copy of the network in which every `Sequential(Conv3d, BatchNorm3d, ...)` lost its batch norm."""
    folded = copy.deepcopy(network).eval()
    for module in list(folded.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Sequential) and _starts_with_batch_norm(child):
                setattr(module, name, nn.Sequential(fuse_conv_bn_eval(child[0], child[1]), *child[2:]))
    return folded


def _starts_with_batch_norm(sequence: nn.Sequential) -> bool:
    return (
        len(sequence) > 1 and isinstance(sequence[0], nn.Conv3d) and isinstance(sequence[1], nn.BatchNorm3d)
    )
