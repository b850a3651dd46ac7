"""Checkpoints of training runs, and the networks that runs ended with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ..models.bundle import read_network
from ..models.embedding_network import EmbeddingNetwork, LevelConfig
from ..models.network import COARSE_BRANCH, FINE_BRANCH
from ..utils.errors import ModelError, UsageError
from ..utils.files import atomic_path
from .config import COARSE, FINE

CHECKPOINT_NAME = "checkpoint.pt"
RUN_NAME = "run.json"
CHECKPOINT_FORMAT = 2
PRECISION_OF_OLD_RUNS = "bf16"
"""What runs computed in whose checkpoints do not tell."""


def write_checkpoint(path: Path, levels: dict[str, dict], network_config: dict, precision: str) -> None:
    """Write the states of levels atomically."""
    state = {
        "format": CHECKPOINT_FORMAT,
        "network_config": network_config,
        "precision": precision,
        "levels": levels,
    }
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def read_checkpoint(path: Path, device: torch.device) -> dict:
    """What `write_checkpoint` wrote; ModelError where the file is missing or damaged.

    Checkpoints of version 0.3 and before, of a fine and a coarse branch, are understood too; their optimizer's state
    is not.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        return state if "levels" in state else _from_two_branches(state)
    except Exception as error:  # a damaged file makes the unpickler raise just about anything
        raise ModelError(f"{path}: no checkpoint that a run can go on from ({error}).") from error


def steps_by_precision(level: dict) -> dict[str, int]:
    """How many steps a level made in which precision; earlier versions trained in bfloat16 without telling it."""
    return dict(level.get("steps_in", {PRECISION_OF_OLD_RUNS: level["step"]}))


def averaged_network(checkpoint: dict) -> EmbeddingNetwork:
    """The network with the moving average of the weights that a checkpoint holds, ready for inference."""
    config = checkpoint["network_config"]
    trained = [level for level in config["levels"] if level["name"] in checkpoint["levels"]]
    network = EmbeddingNetwork.from_config({**config, "levels": trained})
    for level, branch in zip(network.levels, network.branches, strict=True):
        branch.load_state_dict(checkpoint["levels"][level.name]["average"])
    return network.eval().requires_grad_(False)


def finished(runs: Sequence[Path]) -> tuple[EmbeddingNetwork, dict]:
    """The network that runs ended with, each level from the first run that has it, and what is to be told about them.

    A model file counts as a run. Raises ModelError where a folder holds no run or a file no model, and UsageError where
    none is named.
    """
    if not runs:
        raise UsageError("Name at least one folder of a training run.")
    ends = [_end(run) for run in runs]
    chosen: dict[str, tuple[LevelConfig, nn.Module]] = {}
    for network, _ in reversed(ends):
        chosen |= {
            level.name: (level, branch)
            for level, branch in zip(network.levels, network.branches, strict=True)
        }
    ordered = sorted(chosen.values(), key=lambda part: part[0].voxel_spacing_mm)
    network = EmbeddingNetwork([level for level, _ in ordered])
    network.branches = nn.ModuleList([branch for _, branch in ordered])
    records = [record for _, record in ends]
    training = records[0] if len(records) == 1 else {"runs": records}
    return network.eval().requires_grad_(False), training


def _end(run: Path) -> tuple[EmbeddingNetwork, dict]:
    """The network of a run or a model file, and its record."""
    if run.is_file():
        network, metadata = read_network(run)
        return network, metadata.training | {"model": metadata.version}
    state = read_checkpoint(run / CHECKPOINT_NAME, torch.device("cpu"))
    return averaged_network(state), _record(run, state)


def _record(run: Path, state: dict) -> dict:
    try:
        record = json.loads((run / RUN_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{run / RUN_NAME}: tells nothing about the run ({error}).") from error
    levels = state["levels"]
    return record | {
        "precision": state["precision"],
        "steps": max(level["step"] for level in levels.values()),
        "minutes": round(sum(level["elapsed"] for level in levels.values()) / 60, 1),
        "steps_in": _greatest([steps_by_precision(level) for level in levels.values()]),
        "levels": {
            name: {
                "steps": level["step"],
                "minutes": round(level["elapsed"] / 60, 1),
                "steps_in": steps_by_precision(level),
            }
            for name, level in levels.items()
        },
    }


def _greatest(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    """Of each precision the steps of the level that made most in it: levels of a run step together."""
    names = dict.fromkeys(name for count in counts for name in count)
    return {name: max(count.get(name, 0) for count in counts) for name in names}


def _from_two_branches(state: dict) -> dict:
    """A checkpoint of the network with a fine and a coarse branch as one of two levels."""
    network = EmbeddingNetwork(two_levels())
    levels = {
        name: {
            "network": _part(state["network"], f"{name}_branch."),
            "average": _part(state["average"], f"module.{name}_branch."),
            "step": state["step"],
            "elapsed": state["elapsed"] / 2,
        }
        for name in ("fine", "coarse")
    }
    config = network.network_config()
    return {"format": 1, "network_config": config, "precision": PRECISION_OF_OLD_RUNS, "levels": levels}


def two_levels() -> list[LevelConfig]:
    """The levels of the model files of format 2."""
    return [
        LevelConfig("fine", FINE.spacing_mm, FINE_BRANCH),
        LevelConfig("coarse", COARSE.spacing_mm, COARSE_BRANCH),
    ]


def _part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
