"""A narrower and shallower branch that begins with the weightiest channels of a wider one (Li et al., ICLR 2017)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..models.embedding_network import EmbeddingNetwork, LevelConfig
from ..models.levels import branches_of
from ..models.network import BranchConfig, EmbeddingBranch

INPUT, OUTPUT = 1, 0
"""The axes of a convolution's weights."""
End = tuple[str, int]
"""A convolution's name and the axis of its weights along which its channels are counted."""


def narrowed(wide: EmbeddingBranch, config: BranchConfig) -> EmbeddingBranch:
    """A branch of shape `config` with those channels of `wide` that have the greatest weights; neither has batch norm.

    Of each stage the first blocks are kept. Raises ValueError where `wide` has not as many resolutions, or is somewhere the
    smaller of both.
    """
    described = EmbeddingNetwork([LevelConfig("narrow", 1.0, config)]).network_config()
    (narrow,) = branches_of(EmbeddingNetwork.from_config(described | {"batch_norm": False}))
    _require_smaller(narrow, wide)
    wide_convolutions, convolutions = _convolutions(wide), _convolutions(narrow)
    kept: dict[End, Tensor] = {}
    for stream in _streams(narrow):
        name, axis = stream[0]
        channels = _weightiest(stream, wide_convolutions, convolutions[name].weight.shape[axis])
        kept |= dict.fromkeys(stream, channels)
    with torch.no_grad():
        for name, convolution in convolutions.items():
            _take(convolution, wide_convolutions[name], kept.get((name, INPUT)), kept.get((name, OUTPUT)))
    return narrow


def _require_smaller(narrow: EmbeddingBranch, wide: EmbeddingBranch) -> None:
    if len(narrow.stages) != len(wide.stages):
        raise ValueError(f"they are of {len(wide.stages)} resolutions, it has {len(narrow.stages)}")
    if any(len(few) > len(many) for few, many in zip(narrow.stages, wide.stages, strict=True)):
        raise ValueError("they are of fewer blocks")
    wider = _convolutions(wide)
    for name, convolution in _convolutions(narrow).items():
        shape, wide_shape = convolution.weight.shape, wider[name].weight.shape
        if any(mine > its for mine, its in zip(shape[:2], wide_shape[:2], strict=True)):
            raise ValueError(f"{name} is of {tuple(wide_shape[:2])} channels, it has {tuple(shape[:2])}")


def _convolutions(branch: EmbeddingBranch) -> dict[str, nn.Conv3d]:
    return {name: module for name, module in branch.named_modules() if isinstance(module, nn.Conv3d)}


def _streams(branch: EmbeddingBranch) -> Iterator[list[End]]:
    """The ends of convolutions that share one numbering of channels, as a residual sum makes them do."""
    deepest = len(branch.stages) - 1
    for level, stage in enumerate(branch.stages):
        blocks = [f"stages.{level}.{number}" for number in range(len(stage))]
        stream = [("stem.0" if level == 0 else f"downs.{level - 1}.0", OUTPUT)]
        for block in blocks:
            stream += [(f"{block}.first.0", INPUT), (f"{block}.second.0", OUTPUT)]
            yield [(f"{block}.first.0", OUTPUT), (f"{block}.second.0", INPUT)]
        if level == deepest:
            yield [*stream, ("laterals.0", INPUT)]
            continue
        step = deepest - 1 - level
        merge = f"merges.{step}.0" if level else "merge_finest.0"
        yield [*stream, (f"downs.{level}.0", INPUT), (f"laterals.{step}", OUTPUT), (merge, INPUT)]
        yield [(merge, OUTPUT), (f"laterals.{step + 1}" if level else "head", INPUT)]


def _weightiest(stream: list[End], convolutions: dict[str, nn.Conv3d], count: int) -> Tensor:
    """The channels with the greatest share of the weights, in order; each convolution counts as much as any other."""
    shares = []
    for name, axis in stream:
        weights = convolutions[name].weight.detach().abs()
        along = weights.transpose(0, axis).flatten(1).sum(dim=1)
        shares.append(along / along.sum())
    return torch.stack(shares).sum(dim=0).topk(count).indices.sort().values


def _take(convolution: nn.Conv3d, wide: nn.Conv3d, incoming: Tensor | None, outgoing: Tensor | None) -> None:
    """Give a convolution the weights of a wider one between the channels that are kept; all where None."""
    weight, bias = wide.weight, wide.bias
    if incoming is not None:
        weight = weight[:, incoming]
    if outgoing is not None:
        weight, bias = weight[outgoing], None if bias is None else bias[outgoing]
    convolution.weight.copy_(weight)
    if convolution.bias is not None and bias is not None:
        convolution.bias.copy_(bias)
