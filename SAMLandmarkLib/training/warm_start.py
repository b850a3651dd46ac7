"""Beginning a run with the weights of a model file, whose batch norm was folded into the convolutions."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ..models.bundle import read_network
from ..models.embedding_network import EmbeddingNetwork
from ..models.network import EmbeddingBranch


def network_of_model_file(path: Path) -> EmbeddingNetwork:
    """The network of a model file, without batch norm, as it is stored; ModelError where the file is damaged."""
    return read_network(path)[0].eval()


def has_batch_norm(branch: nn.Module) -> bool:
    """Whether a branch still has the batch norm that model files have folded in."""
    return any(isinstance(module, nn.BatchNorm3d) for module in branch.modules())


@torch.no_grad()
def load_unfolded(branch: EmbeddingBranch, folded: EmbeddingBranch, images: Tensor) -> None:
    """Give `branch` the weights of one without batch norm, such that it computes the same, also in training.

    The statistics of each batch norm are those of the convolution's output on `images` `[n,1,D,H,W]`; its scale and
    shift undo them. Raises RuntimeError where the branches differ in shape.
    """
    convolutions = dict(folded.named_modules())
    normed = {name: module for name, module in branch.named_modules() if _is_normed(module)}
    statistics: dict[str, tuple[Tensor, Tensor]] = {}
    hooks = [
        convolutions[f"{name}.0"].register_forward_hook(_keep_statistics(statistics, name)) for name in normed
    ]
    folded.eval()(images)
    for hook in hooks:
        hook.remove()
    weights = folded.state_dict()
    biases = {name: weights.pop(f"{name}.0.bias") for name in normed}
    branch.load_state_dict(weights | _norms(normed, statistics, biases), strict=True)


def _is_normed(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential) and len(module) > 1 and isinstance(module[1], nn.BatchNorm3d)


def _keep_statistics(statistics: dict[str, tuple[Tensor, Tensor]], name: str):
    def hook(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        variance, mean = torch.var_mean(output.float(), dim=(0, 2, 3, 4))
        statistics[name] = (mean, variance)

    return hook


def _norms(
    normed: dict[str, nn.Sequential], statistics: dict[str, tuple[Tensor, Tensor]], biases: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The states of batch norms that subtract the mean, divide by the deviation, and undo both but for the bias."""
    state = {}
    for name, module in normed.items():
        mean, variance = statistics[name]
        prefix = f"{name}.1."
        state |= {
            f"{prefix}running_mean": mean - biases[name],
            f"{prefix}running_var": variance,
            f"{prefix}weight": (variance + module[1].eps).sqrt(),
            f"{prefix}bias": mean,
            f"{prefix}num_batches_tracked": module[1].num_batches_tracked,
        }
    return state
