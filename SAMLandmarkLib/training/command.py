"""What `samlandmark train` and `samlandmark export` do."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import torch
from torch import Tensor

from ..errors import ModelError, UsageError
from ..evaluation.provenance import describe_run
from ..files import write_atomically
from ..model.bundle import ModelMetadata, export_bundle
from ..model.device import choose_device
from ..model.network import SamNetwork
from .config import TrainingConfig
from .pool import VolumePool
from .trainer import CHECKPOINT_NAME, Trainer, averaged_network, read_checkpoint

RUN_NAME = "run.json"
MODEL_NAME = "model.pt"


@dataclass(frozen=True)
class TrainingRequest:
    """A training run: unlabelled volumes in `data`, everything written to `output`, until `minutes` or `steps`.

    It starts from the weights that another run ended with where `start_from` names its folder.
    """

    data: Path
    output: Path
    minutes: float | None = None
    steps: int | None = None
    resume: bool = False
    device: str = "auto"
    config: Path | None = None
    start_from: Path | None = None


def run_training(request: TrainingRequest, report: Callable[[dict], None] | None = None) -> Path:
    """Train, keeping checkpoint, log and `run.json` in the output folder; returns the exported model file.

    `report` is called with step, minutes, losses and retrieval accuracies every 50 steps. Raises UsageError where
    neither `minutes` nor `steps` is given, where a run lies in the folder already and is not to be resumed, or
    where there is nothing to train on.
    """
    if request.minutes is None and request.steps is None:
        raise UsageError("Say how long to train: --minutes N or --steps N.")
    if not request.resume and (request.output / CHECKPOINT_NAME).exists():
        raise UsageError(
            f"{request.output} holds a training run already; go on with --resume or name another --output."
        )
    config = TrainingConfig() if request.config is None else TrainingConfig.read(request.config)
    device = choose_device(request.device)
    pool = VolumePool.read(request.data, config.group_weights, device)
    trainer = Trainer(pool, config, request.output, device)
    if request.resume:
        trainer.resume()
    elif request.start_from is not None:
        trainer.start_from(_finished(request.start_from)[0])
    _record(request, config, pool)
    trainer.run(request.minutes, request.steps, report)
    return export_run(request.output, request.output / MODEL_NAME)


def export_run(run: Path, model: Path, version: str | None = None, average_with: Path | None = None) -> Path:
    """Write the averaged weights of a training run as a model file; raises ModelError where there is no run.

    `version` defaults to the date and the number of steps. `average_with` is an earlier state of the same run, such as
    the end of a round before the learning rate was raised again: the mean of two such ends errs less than either
    (model soups, Wortsman et al., ICML 2022).
    """
    network, training = _finished(run)
    version = version or f"{datetime.now(timezone.utc):%Y.%m.%d}-{training['steps']}"
    if average_with is not None:
        other, other_training = _finished(average_with)
        network.load_state_dict(mean_state(network.state_dict(), other.state_dict()))
        training["averaged_with"] = {name: other_training[name] for name in ("steps", "minutes")}
    export_bundle(network, model, ModelMetadata(version=version, training=training))
    return model


def mean_state(first: dict[str, Tensor], second: dict[str, Tensor]) -> dict[str, Tensor]:
    """The mean of two states of one network; what cannot be averaged, such as counters, is that of the first."""
    return {
        name: torch.lerp(value, second[name], 0.5) if value.is_floating_point() else value
        for name, value in first.items()
    }


def _finished(run: Path) -> tuple[SamNetwork, dict]:
    """The network that a run ended with, and what is to be told about the run."""
    state = read_checkpoint(run / CHECKPOINT_NAME, torch.device("cpu"))
    try:
        record = json.loads((run / RUN_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{run / RUN_NAME}: tells nothing about the run ({error}).") from error
    steps = {"steps": state["step"], "minutes": round(state["elapsed"] / 60, 1)}
    return averaged_network(state), record | steps


def _record(request: TrainingRequest, config: TrainingConfig, pool: VolumePool) -> None:
    """Keep what is trained on what, with which settings, by which command and code."""
    groups = sorted({volume.group for volume in pool.volumes})
    record = {
        "command": " ".join(["samlandmark", *sys.argv[1:]]),
        "run": describe_run(),
        "config": config.as_dict(),
        "volumes": {
            group: [volume.name for volume in pool.volumes if volume.group == group] for group in groups
        },
    }
    write_atomically(request.output / RUN_NAME, json.dumps(record, indent=1))
