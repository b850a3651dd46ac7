"""What `samlandmark train` and `samlandmark export` do."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import torch

from ..errors import ModelError, UsageError
from ..evaluation.provenance import describe_run
from ..files import write_atomically
from ..model.bundle import ModelMetadata, export_bundle
from ..model.device import choose_device
from .config import TrainingConfig
from .pool import VolumePool
from .trainer import CHECKPOINT_NAME, Trainer, averaged_network, read_checkpoint

RUN_NAME = "run.json"
MODEL_NAME = "model.pt"


@dataclass(frozen=True)
class TrainingRequest:
    """A training run: unlabelled volumes in `data`, everything written to `output`, until `minutes` or `steps`."""

    data: Path
    output: Path
    minutes: float | None = None
    steps: int | None = None
    resume: bool = False
    device: str = "auto"
    config: Path | None = None


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
    _record(request, config, pool)
    trainer.run(request.minutes, request.steps, report)
    return export_run(request.output, request.output / MODEL_NAME)


def export_run(run: Path, model: Path, version: str | None = None) -> Path:
    """Write the averaged weights of a training run as a model file; raises ModelError where there is no run.

    `version` defaults to the date and the number of steps.
    """
    state = read_checkpoint(run / CHECKPOINT_NAME, torch.device("cpu"))
    try:
        record = json.loads((run / RUN_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{run / RUN_NAME}: tells nothing about the run ({error}).") from error
    training = record | {"steps": state["step"], "minutes": round(state["elapsed"] / 60, 1)}
    version = version or f"{datetime.now(timezone.utc):%Y.%m.%d}-{state['step']}"
    export_bundle(averaged_network(state), model, ModelMetadata(version=version, training=training))
    return model


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
