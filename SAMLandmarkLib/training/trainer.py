"""The training loop: steps, learning rate, moving average, checkpoints, log."""

from __future__ import annotations

import json
import logging
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..embedding.embedder import Embedder
from ..errors import ModelError
from ..files import atomic_path
from ..model.bundle import EmbeddingModel, ModelMetadata, export_bundle
from ..model.network import SamNetwork
from .config import BranchTraining, TrainingConfig
from .mining import MinedPair, load_mined, mine, save_mined
from .pairs import Pair, draw_mined_pair, draw_pair
from .pool import VolumePool
from .step import branch_outcome

logger = logging.getLogger(__name__)

CHECKPOINT_NAME = "checkpoint.pt"
LOG_NAME = "log.jsonl"
MINED_NAME = "mined.npz"
CHECKPOINT_SECONDS = 240.0
LOG_STEPS = 50
BROKEN_STEPS = 20


class Trainer:
    """Trains a SamNetwork on a VolumePool and survives being cut off.

    Every step draws its random numbers from (seed, step), so a resumed run sees the same pairs as an undisturbed one;
    with `steps` given the learning rate depends on the step alone and the resumed run ends in the same state.
    """

    def __init__(
        self, pool: VolumePool, config: TrainingConfig, output: str | Path, device: torch.device
    ) -> None:
        torch.manual_seed(config.seed)
        self.pool, self.config, self.device = pool, config, device
        self.output = Path(output)
        self.output.mkdir(parents=True, exist_ok=True)
        self.network = SamNetwork().to(device, memory_format=torch.channels_last_3d)
        self.average = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay), use_buffers=True
        )
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.step = 0
        self.elapsed = 0.0
        self.broken_steps = 0
        self.mined: list[MinedPair] | None = None

    @property
    def checkpoint_path(self) -> Path:
        return self.output / CHECKPOINT_NAME

    def resume(self) -> None:
        """Go on from the checkpoint in the output folder; ModelError where there is none or it does not fit."""
        state = read_checkpoint(self.checkpoint_path, self.device)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.elapsed = state["step"], state["elapsed"]

    def start_from(self, network: SamNetwork) -> None:
        """Begin with the weights of another network."""
        for own in (self.network, self.average.module):
            own.load_state_dict(network.state_dict())

    def save(self) -> None:
        """Write the checkpoint atomically."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
        }
        with atomic_path(self.checkpoint_path) as temporary:
            torch.save(state, temporary)

    def run(
        self,
        minutes: float | None = None,
        steps: int | None = None,
        report: Callable[[dict], None] | None = None,
    ) -> None:
        """Train until `minutes` of training time or `steps` steps are reached, both counted over resumed runs."""
        started, before, saved = time.monotonic(), self.elapsed, time.monotonic()
        window: list[dict[str, float]] = []
        self.network.train()
        while (progress := _progress(self.step, self.elapsed, minutes, steps)) < 1.0:
            if progress >= self.config.mine_from and self.mined is None:
                self._mine()
            window.append(self._train_step(progress))
            self.elapsed = before + time.monotonic() - started
            if self.step % LOG_STEPS == 0:
                self._log(window, progress, report)
                window = []
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.save()
                saved = time.monotonic()
        self.save()

    def _draw(self, branch: BranchTraining, rng: np.random.Generator) -> Pair:
        if self.mined and rng.random() < self.config.mined_share:
            return draw_mined_pair(self.pool, self.mined, branch, self.config, rng)
        return draw_pair(self.pool, branch, self.config, rng)

    def _mine(self) -> None:
        """Collect correspondences between patients with the network as it is; a resumed run takes those it has."""
        path = self.output / MINED_NAME
        if not path.exists():
            self.save()
            with tempfile.TemporaryDirectory() as folder:
                bundle = Path(folder) / "half-trained.pt"
                export_bundle(self.average.module, bundle, ModelMetadata(version="half-trained"))
                embedder = Embedder(EmbeddingModel.load(bundle, self.device))
            save_mined(path, mine(self.pool, embedder, np.random.default_rng(self.config.seed)))
        self.mined = load_mined(path)

    def _train_step(self, progress: float) -> dict[str, float]:
        config = self.config
        rng = np.random.default_rng([config.seed, self.step])
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**31)))
        rate = _learning_rate(config, self.step, progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        finite = True
        numbers = {"learning_rate": rate}
        branches = (
            ("fine", self.network.fine_branch, config.fine),
            ("coarse", self.network.coarse_branch, config.coarse),
        )
        for name, network, branch in branches:
            pairs = [self._draw(branch, rng) for _ in range(config.pairs_per_step)]
            outcome = branch_outcome(network, pairs, branch, config, generator)
            outcome.loss.backward()
            # each branch clips on its own: a spike of one must not stop the other
            norm = nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
            finite = finite and bool(torch.isfinite(norm))
            numbers |= {f"{name}_loss": outcome.loss.item(), f"{name}_accuracy": outcome.accuracy.item()}
        self._update(finite)
        self.step += 1
        return numbers

    def _update(self, finite: bool) -> None:
        """Take the step, unless bfloat16 arithmetic broke down in it; ModelError where that goes on and on."""
        self.broken_steps = 0 if finite else self.broken_steps + 1
        if finite:
            self.optimizer.step()
            self.average.update_parameters(self.network)
        elif self.broken_steps >= BROKEN_STEPS:
            raise ModelError(
                f"The gradients were not finite in {BROKEN_STEPS} steps in a row, up to step {self.step}; "
                "train with a lower learning_rate or larger patches."
            )

    def _log(
        self, window: list[dict[str, float]], progress: float, report: Callable[[dict], None] | None
    ) -> None:
        means = {name: float(np.mean([numbers[name] for numbers in window])) for name in window[0]}
        row = {
            "step": self.step,
            "minutes": round(self.elapsed / 60, 2),
            "progress": round(progress, 4),
        } | means
        with (self.output / LOG_NAME).open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        if report is not None:
            report(row)


def read_checkpoint(path: Path, device: torch.device) -> dict:
    """The state that a Trainer saved; ModelError where the file is missing or damaged."""
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged file makes the unpickler raise just about anything
        raise ModelError(f"{path}: no checkpoint that a run can go on from ({error}).") from error


def averaged_network(checkpoint: dict) -> SamNetwork:
    """The network with the moving average of the weights that a checkpoint holds, ready for inference."""
    network = SamNetwork()
    prefix = "module."  # AveragedModel keeps its copy of the network under this name
    average = checkpoint["average"]
    network.load_state_dict(
        {name.removeprefix(prefix): average[name] for name in average if name.startswith(prefix)}
    )
    return network.eval()


def _progress(step: int, elapsed: float, minutes: float | None, steps: int | None) -> float:
    shares = [0.0]
    if minutes is not None:
        shares.append(elapsed / 60 / minutes)
    if steps is not None:
        shares.append(step / steps)
    return max(shares)


def _learning_rate(config: TrainingConfig, step: int, progress: float) -> float:
    """Linear warm-up, then cosine down to one hundredth."""
    warm = min(1.0, (step + 1) / config.warmup_steps)
    return config.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))
