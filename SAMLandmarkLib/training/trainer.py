"""The training loop over levels: checkpoints, log, mining, validation."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from ..embedding.embedder import Embedder
from ..models.bundle import EmbeddingModel, ModelMetadata, export_bundle
from ..models.embedding_network import EmbeddingNetwork
from ..models.network import EmbeddingBranch
from ..models.precision import AUTO, compute_dtype, precision_name
from ..utils.errors import ModelError, UsageError
from .checkpoint import (
    CHECKPOINT_NAME,
    averaged_network,
    read_checkpoint,
    write_checkpoint,
)
from .config import TrainingConfig
from .level_trainer import LevelTrainer
from .mining import MinedPair, load_mined, mine, save_mined
from .modalities import CT
from .nearest_mining import mine_nearest
from .pool import VolumePool
from .validation import Validation

logger = logging.getLogger(__name__)

LOG_NAME = "log.jsonl"
VALIDATION_NAME = "validation.jsonl"
MINED_NAME = "mined.npz"
CHECKPOINT_SECONDS = 240.0
LOG_STEPS = 50


class Trainer:
    """Trains levels of a network on a VolumePool, all or some, and survives being cut off.

    Levels do not share weights, so that runs of single levels in one output folder, one after the other, make one
    network. With `steps` given the learning rate depends on the step alone, and a resumed run ends in the same state
    as an undisturbed one.
    """

    def __init__(
        self,
        pool: VolumePool,
        config: TrainingConfig,
        output: str | Path,
        device: torch.device,
        levels: Sequence[str] | None = None,
        precision: str = AUTO,
    ) -> None:
        self.config, self.device = config, device
        self.dtype = compute_dtype(device, precision)
        self.output = Path(output)
        self.output.mkdir(parents=True, exist_ok=True)
        self.validation = Validation.of(pool, config, self.dtype) if config.validation_volumes else None
        self.pool = pool.without(config.validation_volumes) if config.hold_out else pool
        names = [level.name for level in config.network_levels(levels or list(config.levels))]
        self.levels = [LevelTrainer(name, self.pool, config, device, self.dtype) for name in names]
        self.network_config = EmbeddingNetwork(config.network_levels(list(config.levels))).network_config()
        self.spacings = set(pool.volumes[0].values)
        self.others: dict[str, dict] = {}
        self.mined: list[MinedPair] | None = None

    @property
    def precision(self) -> str:
        """What it computes in: "bf16" or "fp32"."""
        return precision_name(self.dtype)

    @property
    def checkpoint_path(self) -> Path:
        return self.output / CHECKPOINT_NAME

    @property
    def step(self) -> int:
        return max(level.step for level in self.levels)

    @property
    def elapsed(self) -> float:
        return sum(level.elapsed for level in self.levels)

    def resume(self) -> None:
        """Go on from the checkpoint in the output folder; levels that it does not have begin anew.

        ModelError where there is none, or where it does not fit.
        """
        state = read_checkpoint(self.checkpoint_path, self.device)
        if state["format"] == 1:
            raise ModelError(
                f"{self.checkpoint_path}: written by an earlier version; begin another run with --start-from."
            )
        self._require_shape(state)
        self.others = dict(state["levels"])
        for level in self.levels:
            if level.name in self.others:
                level.load(self.others.pop(level.name))
        if state["precision"] != self.precision:
            note = (
                f"goes on in {self.precision} from step {self.step}; computed in {state['precision']} before"
            )
            logger.warning("%s: the run %s.", self.output, note)
            row = {"step": self.step, "precision": self.precision, "note": note}
            _append(self.output / LOG_NAME, row)

    def _require_shape(self, state: dict) -> None:
        """ModelError where a level to go on with has another shape than the configuration says."""
        own, other = (
            {level["name"]: level for level in config["levels"]}
            for config in (self.network_config, state["network_config"])
        )
        for name in (level.name for level in self.levels if level.name in state["levels"]):
            if own[name] != other[name]:
                raise ModelError(
                    f"{self.checkpoint_path}: the network there has another shape ({other[name]}) than the "
                    f"configuration says ({own[name]}); give the same channels, blocks and dimension (--config)."
                )

    def start_from(self, network: EmbeddingNetwork) -> None:
        """Begin with the weights of another network's levels of the same names; UsageError where there is none.

        Levels that have been trained already keep their own.
        """
        shared = {level.name for level in network.levels} & {level.name for level in self.levels}
        if not shared:
            raise UsageError("The run to start from has none of the levels that are to be trained.")
        for level in self.levels:
            if level.name in shared and level.step == 0:
                level.start_from(network.branch(level.name))

    def states(self) -> dict[str, dict]:
        """The states of all levels, also of those that are not trained now."""
        return self.others | {level.name: level.state() for level in self.levels}

    def save(self) -> None:
        """Write the checkpoint atomically."""
        write_checkpoint(self.checkpoint_path, self.states(), self.network_config, self.precision)

    def run(
        self,
        minutes: float | None = None,
        steps: int | None = None,
        report: Callable[[dict], None] | None = None,
    ) -> None:
        """Train until `minutes` of training time or `steps` steps of each level, both counted over resumed runs."""
        saved = validated = time.monotonic()
        window: list[dict[str, float]] = []
        while pending := [level for level in self.levels if self._progress(level, minutes, steps) < 1.0]:
            self._mine_if_due(min(self._progress(level, minutes, steps) for level in pending))
            window.append(self._train_step(pending, minutes, steps))
            # levels that have reached their steps already do not count
            step = max(level.step for level in pending)
            if step % LOG_STEPS == 0:
                self._log(window, step, self._progress(pending[0], minutes, steps), report)
                window = []
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.save()
                saved = time.monotonic()
            if time.monotonic() - validated > self.config.validation_minutes * 60:
                self._validate()
                validated = time.monotonic()
        self.save()
        self._validate()

    def _progress(self, level: LevelTrainer, minutes: float | None, steps: int | None) -> float:
        shares = [0.0]
        if minutes is not None:
            shares.append(self.elapsed / 60 / minutes)
        if steps is not None:
            shares.append(level.step / steps)
        return max(shares)

    def _train_step(
        self, pending: Sequence[LevelTrainer], minutes: float | None, steps: int | None
    ) -> dict[str, float]:
        numbers: dict[str, float] = {}
        for level in pending:
            started = time.monotonic()
            numbers |= level.train_step(self._progress(level, minutes, steps), self.mined)
            level.elapsed += time.monotonic() - started
        return numbers

    def _mine_if_due(self, progress: float) -> None:
        """Collect correspondences between patients with the network as it is; a resumed run takes those it has."""
        if self.mined is not None or progress < self.config.mine_from or self.config.mine_from >= 1.0:
            return
        path = self.output / MINED_NAME
        if not path.exists():
            self.save()
            save_mined(path, self._mine(np.random.default_rng(self.config.seed)))
        self.mined = load_mined(path)

    def _mine(self, rng: np.random.Generator) -> list[MinedPair]:
        if self.config.mine_by == "nearest":
            return mine_nearest(self.pool, *self._branches(), self.dtype, rng)
        if self.config.mine_by != "matching" or self.pool.modality is not CT:
            raise UsageError(
                f"Points of {self.pool.modality.name} cannot be mined by '{self.config.mine_by}'; "
                "set mine_by to matching (CT alone) or nearest."
            )
        return mine(self.pool, self._embedder(), rng)

    def _embedder(self) -> Embedder:
        """Of the run's own levels; of the bundled model where a run on CT does not have a fine and a coarse one."""
        modality = self.pool.modality
        if modality.name == "ct" and not {"fine", "coarse"} <= set(self.states()):
            return Embedder(EmbeddingModel.load(None, self.device, self.precision))
        state = {"network_config": self.network_config, "levels": self.states()}
        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder) / "half-trained.safetensors"
            matching = dict(modality.matching)
            metadata = ModelMetadata("half-trained", modality.modality, matching=matching)
            export_bundle(averaged_network(state), bundle, metadata)
            return Embedder(EmbeddingModel.load(bundle, self.device, self.precision))

    def _branches(self) -> tuple[dict[str, EmbeddingBranch], dict[str, float]]:
        """The averaged branches, and their spacings, of all levels that the images in memory are there for."""
        state = {"network_config": self.network_config, "levels": self.states()}
        network = averaged_network(state).to(self.device)
        spacings = {level.name: level.voxel_spacing_mm for level in network.levels}
        known = [name for name, spacing in spacings.items() if spacing in self.spacings]
        return {name: network.branch(name) for name in known}, spacings

    def _validate(self) -> None:
        """Append the errors of the automatic landmarks to their log."""
        if self.validation is None:
            return
        branches, spacings = self._branches()
        errors = self.validation.errors(branches, spacings)
        row = {"step": self.step, "minutes": round(self.elapsed / 60, 2)} | errors
        _append(self.output / VALIDATION_NAME, row)
        logger.info("validation: %s", row)

    def _log(
        self,
        window: list[dict[str, float]],
        step: int,
        progress: float,
        report: Callable[[dict], None] | None,
    ) -> None:
        names = dict.fromkeys(name for numbers in window for name in numbers)
        means = {
            name: float(np.mean([numbers[name] for numbers in window if name in numbers])) for name in names
        }
        row = {
            "step": step,
            "minutes": round(self.elapsed / 60, 2),
            "progress": round(progress, 4),
            "precision": self.precision,
        } | means
        _append(self.output / LOG_NAME, row)
        if report is not None:
            report(row)


def _append(path: Path, row: dict) -> None:
    with path.open("a", encoding="utf-8") as log:
        log.write(json.dumps(row) + "\n")
