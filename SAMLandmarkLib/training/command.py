"""What `samlandmark train` and `samlandmark model export` do."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import torch
from torch import Tensor

from ..evaluation.provenance import describe_run
from ..models.bundle import ModelMetadata, export_bundle
from ..models.device import choose_device
from ..models.embedding_network import EmbeddingNetwork
from ..utils.errors import UsageError
from ..utils.files import write_atomically
from .checkpoint import CHECKPOINT_NAME, RUN_NAME, finished
from .config import TrainingConfig
from .modalities import training_modality
from .pool import VolumePool
from .trainer import Trainer
from .warm_start import network_of_model_file

MODEL_NAME = "model.safetensors"


@dataclass(frozen=True)
class TrainingRequest:
    """A training run: unlabelled images in `data`, everything written to `output`, until `minutes` or `steps`.

    It starts from the weights that another run ended with, or of a model file, where `start_from` names one; levels that
    are resumed go on with their own. `levels` are those to train, all where none is named. `precision` is "auto", "bf16"
    or "fp32". `pixel_spacing_mm` is of films whose files do not tell it.
    """

    data: Path
    output: Path
    minutes: float | None = None
    steps: int | None = None
    resume: bool = False
    device: str = "auto"
    config: Path | None = None
    start_from: Path | None = None
    precision: str = "auto"
    modality: str | None = None
    levels: tuple[str, ...] = ()
    pixel_spacing_mm: float | None = None


def run_training(request: TrainingRequest, report: Callable[[dict], None] | None = None) -> Path:
    """Train, keeping checkpoint, logs and `run.json` in the output folder; returns the model file, which has all levels.

    `report` is called with step, minutes, losses and retrieval accuracies every 50 steps. Raises UsageError where neither
    `minutes` nor `steps` is given, where a run lies in the folder already and is not to be resumed, or where there is
    nothing to train on.
    """
    if request.minutes is None and request.steps is None:
        raise UsageError("Say how long to train: --minutes N or --steps N.")
    if not request.resume and (request.output / CHECKPOINT_NAME).exists():
        raise UsageError(
            f"{request.output} holds a training run already; go on with --resume or name another --output."
        )
    config = _config(request)
    device = choose_device(request.device)
    pool = _pool(request, config, device)
    trainer = Trainer(pool, config, request.output, device, request.levels, request.precision)
    if request.resume:
        trainer.resume()
    if request.start_from is not None:
        trainer.start_from(_network_to_start_from(request.start_from))
    _record(request, config, trainer)
    trainer.run(request.minutes, request.steps, report)
    return export_runs([request.output], request.output / MODEL_NAME)


def export_runs(
    runs: Sequence[Path], model: Path, version: str | None = None, average_with: Path | None = None
) -> Path:
    """Write the averaged weights of training runs as one model file, each level from the first run that has it.

    A model file counts as a run, so that it gets another level without training the others again.
    `version` defaults to the date and the number of steps. `average_with` is an earlier state of the same run, such as
    the end of a round before the learning rate was raised again: the mean of two such ends errs less than either
    (model soups, Wortsman et al., ICML 2022). Raises ModelError where there is no run, and UsageError where the runs are
    of different modalities.
    """
    network, training = finished(runs)
    parts = training.get("runs", [training])
    version = (
        version or f"{datetime.now(timezone.utc):%Y.%m.%d}-{max(part.get('steps', 0) for part in parts)}"
    )
    if average_with is not None:
        other, other_training = finished([average_with])
        network.load_state_dict(mean_state(network.state_dict(), other.state_dict()))
        training["averaged_with"] = {name: other_training[name] for name in ("steps", "minutes")}
    modality = training_modality(_one_modality(parts))
    metadata = ModelMetadata(
        version,
        modality.modality,
        matching=dict(modality.matching),
        error_limit_mm=modality.error_limit_mm,
        training=training,
    )
    export_bundle(network, model, metadata)
    return model


def _one_modality(parts: Sequence[dict]) -> str:
    names = sorted({part.get("config", {}).get("modality", "ct") for part in parts})
    if len(names) > 1:
        raise UsageError(f"The runs are of different modalities ({', '.join(names)}); export those of one.")
    return names[0]


def mean_state(first: dict[str, Tensor], second: dict[str, Tensor]) -> dict[str, Tensor]:
    """The mean of two states of one network; what cannot be averaged, such as counters, is that of the first."""
    return {
        name: torch.lerp(value, second[name], 0.5) if value.is_floating_point() else value
        for name, value in first.items()
    }


def _config(request: TrainingRequest) -> TrainingConfig:
    if request.config is None:
        return TrainingConfig.of(request.modality or "ct")
    return TrainingConfig.read(request.config, request.modality)


def _pool(request: TrainingRequest, config: TrainingConfig, device: torch.device) -> VolumePool:
    # of all levels: those that are not trained now may be needed to match images
    spacings = {level.spacing_mm for level in config.levels.values()}
    return VolumePool.read(
        request.data,
        config.group_weights,
        device,
        training_modality(config.modality),
        sorted(spacings),
        request.pixel_spacing_mm,
    )


def _network_to_start_from(source: Path) -> EmbeddingNetwork:
    """What another run ended with, or the branches of a model file."""
    return network_of_model_file(source) if source.is_file() else finished([source])[0]


def _record(request: TrainingRequest, config: TrainingConfig, trainer: Trainer) -> None:
    """Keep what is trained on what, with which settings, by which command and code, also of earlier parts of a run."""
    volumes = trainer.pool.volumes
    groups = sorted({volume.group for volume in volumes})
    path = request.output / RUN_NAME
    part = {
        "command": " ".join(["samlandmark", *sys.argv[1:]]),
        "run": describe_run(),
        "precision": trainer.precision,
        "trained_levels": [level.name for level in trainer.levels],
        "from_step": {level.name: level.step for level in trainer.levels},
    }
    earlier = _earlier_parts(path) if request.resume else []
    record = part | {
        "config": config.as_dict(),
        "volumes": {group: [volume.name for volume in volumes if volume.group == group] for group in groups},
        "parts": [*earlier, part],
    }
    write_atomically(path, json.dumps(record, indent=1))


def _earlier_parts(path: Path) -> list[dict]:
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("parts", [])
    except (OSError, ValueError):
        return []
