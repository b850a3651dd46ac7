"""What `samlandmark pretrain` does, and reading back what it left."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from ..evaluation.provenance import describe_run
from ..models.device import choose_device
from ..models.encoder import EmbeddingEncoder
from ..models.encoder_file import LICENCE_UNKNOWN, EncoderSource
from ..models.levels import branches_of
from ..utils.errors import ModelError, UsageError
from ..utils.files import create_folder, write_atomically
from .checkpoint import CHECKPOINT_NAME, RUN_NAME, averaged_network, read_checkpoint
from .config import LevelTraining
from .pretrain_config import SLICE_LEVEL, PretrainConfig, tasks_of
from .pretrain_validation import validated
from .pretraining import SliceTrainer
from .slices import SLICE, SlicePool
from .tasks import slice_task_named
from .tasks.lines import DISTANCE, HEAT

ENCODER_NAME = "encoder.safetensors"
VALIDATION_NAME = "validation.json"


@dataclass(frozen=True)
class PretrainRequest:
    """A run of pretext tasks on the exams in `data`; every `hold_out`-th exam is measured with and not trained on (0: none).

    `level`: the network and the slices that it sees; `batch`: slices a step.
    """

    task: str
    data: Path
    output: Path
    steps: int = 2000
    resume: bool = False
    target: str = HEAT
    hold_out: int = 5
    device: str = "auto"
    seed: int = 0
    level: LevelTraining = SLICE_LEVEL
    batch: int = 12


@dataclass(frozen=True)
class PretrainedRun:
    """What a run ended with: the network, what its tasks have of their own, the views of the lines, what slices it saw."""

    network: EmbeddingEncoder
    heads: nn.ModuleDict
    views: tuple[str, ...]
    level: LevelTraining


def run_pretraining(
    request: PretrainRequest,
    say: Callable[[str], None] = lambda _text: None,
    report: Callable[[dict], None] | None = None,
) -> Path:
    """Train, keeping checkpoint, log, `run.json` and `validation.json`; returns the encoder's file, which `model encoder` makes.

    `say` is told what was found and what cannot be used and why. Raises UsageError where a run lies in the folder already
    and is not to be resumed, the task is unknown, or there is nothing to learn it from.
    """
    if request.target not in (HEAT, DISTANCE):
        raise UsageError(f"Unknown target '{request.target}' of the lines; known are {HEAT}, {DISTANCE}.")
    if not request.resume and (request.output / CHECKPOINT_NAME).exists():
        raise UsageError(
            f"{request.output} holds a training run already; go on with --resume or name another --output."
        )
    tasks = tasks_of(request.task)
    pool = SlicePool.read(request.data, request.level.spacing_mm)
    for sentence in (*pool.notes, _found(pool)):
        say(sentence)
    training, held_out = pool.split(request.hold_out if len(pool.exams) >= request.hold_out else 0)
    config = PretrainConfig(
        tasks, pool.views, request.level, request.target, batch=request.batch, seed=request.seed
    )
    create_folder(request.output)
    trainer = SliceTrainer(training, config, request.output, choose_device(request.device))
    if request.resume:
        trainer.resume()
    _record(request, config, training, held_out)
    trainer.run(request.steps, report)
    network, heads = trainer.averaged()
    told = validated(network, heads, held_out, config)
    write_atomically(request.output / VALIDATION_NAME, json.dumps(told, indent=1))
    say("On the exams held out: " + ", ".join(f"{name} {value}" for name, value in told.items()))
    return _write_encoder(request.output)


def read_run(run: Path) -> PretrainedRun:
    """What a run ended with; ModelError where the folder holds none."""
    state = read_checkpoint(run / CHECKPOINT_NAME, torch.device("cpu"))
    try:
        record = json.loads((run / RUN_NAME).read_text(encoding="utf-8"))
        settings = record["config"]
        network = averaged_network(state)
        encoder = EmbeddingEncoder(network.levels[0], branches_of(network)[0], EncoderSource(SLICE))
        views = tuple(settings["views"])
        heads = {}
        for task in settings["tasks"]:
            if task != "contrastive":
                options = {"target": settings["target"]} if task == "lines" else {}
                heads[task] = slice_task_named(task).Head(
                    encoder.channels, encoder.decoded_channels, len(views), **options
                )
        modules = nn.ModuleDict(heads)
        modules.load_state_dict(state["levels"][network.levels[0].name]["average_heads"])
        seen = settings["level"]
        level = replace(SLICE_LEVEL, spacing_mm=seen["spacing_mm"], patch_kji=tuple(seen["patch_kji"]))
        return PretrainedRun(encoder.eval(), modules.eval().requires_grad_(False), views, level)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{run}: no run of `samlandmark pretrain` ({error!r}).") from error


def _found(pool: SlicePool) -> str:
    located = sum(part.location is not None for part in pool.slices)
    views = ", ".join(pool.views) or "none"
    return (
        f"{len(pool.exams)} exams with {len(pool.slices)} slices, {located} of them in a stack; views that lines are asked "
        f"for: {views}."
    )


def _record(
    request: PretrainRequest, config: PretrainConfig, training: SlicePool, held_out: SlicePool
) -> None:
    record = {
        "command": " ".join(["samlandmark", *sys.argv[1:]]),
        "run": describe_run(),
        "config": config.as_dict(),
        "modality": SLICE.to_json(),
        "exams": list(training.exams),
        "held_out": list(held_out.exams),
        "steps_asked_for": request.steps,
    }
    write_atomically(request.output / RUN_NAME, json.dumps(record, indent=1))


def _write_encoder(output: Path) -> Path:
    run = read_run(output)
    record = json.loads((output / RUN_NAME).read_text(encoding="utf-8"))
    source = replace(run.network.source, licence=LICENCE_UNKNOWN, origin={"training": record})
    run.network.source = source
    run.network.save(output / ENCODER_NAME)
    return output / ENCODER_NAME
