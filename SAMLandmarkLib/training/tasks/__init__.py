"""What a network can be trained to do. A task is one module of this package with an `outcome` function.

`outcome(features, pairs, level, config, generator)` takes the un-normalised features `[c,d,h,w]` of both views of each
pair, in the order of the pairs, and returns the loss, with gradient, and the share of the anchors that are retrieved.

A task on slices of exams has a `Head` besides, which is trained with the network and thrown away: its
`outcome(features, samples, head)` takes SliceFeatures of a batch of SliceSample.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from ...utils.errors import UsageError
from ..config import LevelTraining, TrainingConfig
from ..pairs import TrainingPair


@dataclass(frozen=True)
class Outcome:
    """Mean loss (with gradient) and retrieval accuracy of a level."""

    loss: Tensor
    accuracy: Tensor

    @classmethod
    def mean_of(cls, outcomes: Sequence[tuple[Tensor, Tensor]]) -> Outcome:
        """The mean of the losses and accuracies of several look-ups."""
        losses, accuracies = zip(*outcomes, strict=True)
        return cls(torch.stack(losses).mean(), torch.stack(accuracies).mean())


class Task(Protocol):
    """The function `outcome` of a module of this package."""

    def __call__(
        self,
        features: Sequence[Tensor],
        pairs: Sequence[TrainingPair],
        level: LevelTraining,
        config: TrainingConfig,
        generator: torch.Generator,
    ) -> Outcome: ...


@dataclass(frozen=True)
class SliceFeatures:
    """What a network makes of a batch of slices: features of its scales, finest first, and the decoder's, `[n,c,1,h,w]`."""

    scales: Sequence[Tensor]
    decoded: Tensor


class SliceTask(Protocol):
    """A module of this package that learns from slices of exams."""

    def Head(self, scale_channels: Sequence[int], decoded_channels: int, views: int) -> nn.Module: ...  # noqa: N802
    def outcome(self, features: SliceFeatures, samples: Sequence, head: nn.Module) -> Outcome: ...


def task_named(name: str) -> Task:
    """The task on pairs of views of that name; UsageError where there is none."""
    module = _module(name)
    if hasattr(module, "Head"):
        raise UsageError(
            f"'{name}' is learnt from slices of exams; use `samlandmark pretrain --task {name}`."
        )
    return module.outcome


def slice_task_named(name: str) -> SliceTask:
    """The task on slices of exams of that name; UsageError where there is none."""
    module = _module(name)
    if not hasattr(module, "Head"):
        raise UsageError(f"'{name}' is no task on slices of exams.")
    return module


def _module(name: str):
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    if name not in names:
        raise UsageError(f"Unknown task '{name}'; known are {', '.join(names)}.")
    return importlib.import_module(f"{__name__}.{name}")
