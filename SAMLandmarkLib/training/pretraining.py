"""Training a network for slices with the pretext tasks: lines, locations, contrast, or several of them at once."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..models.embedding_network import EmbeddingNetwork, LevelConfig
from ..models.encoder import EmbeddingEncoder
from ..models.encoder_file import EncoderSource
from ..utils.errors import ModelError, UsageError
from .checkpoint import CHECKPOINT_NAME, read_checkpoint, write_checkpoint
from .config import TrainingConfig
from .level_trainer import learning_rate
from .pairs import TrainingPair, images_of
from .pretrain_config import LEVEL_NAME, PretrainConfig
from .slice_samples import SliceSample, draw_sample, draw_slices, draw_two_views
from .slices import SLICE, SlicePool
from .tasks import Outcome, SliceFeatures, contrastive, slice_task_named

logger = logging.getLogger(__name__)

LOG_NAME = "log.jsonl"
CHECKPOINT_SECONDS = 120.0
LOG_STEPS = 50
FEWEST_ANCHORS, TRIES = 16, 20
AVERAGE, AVERAGE_WARMUP = 0.995, 10


class SliceTrainer:
    """Trains one network with one or more pretext tasks; what the tasks have of their own is thrown away in the end.

    Every step draws from (seed, step), so a resumed run sees the same slices.
    """

    def __init__(self, pool: SlicePool, config: PretrainConfig, output: Path, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.config, self.device, self.output = config, device, output
        level = LevelConfig(LEVEL_NAME, config.level.spacing_mm, config.level.network)
        self.network = EmbeddingEncoder.new(level, EncoderSource(SLICE)).to(device)
        self.heads = self._heads(config).to(device)
        self.pools = {task: _pool_for(task, pool) for task in config.tasks}
        self.optimizer = torch.optim.AdamW(
            [*self.network.parameters(), *self.heads.parameters()],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
        )
        self.average = _copied(self._weights())
        self.step, self.elapsed = 0, 0.0
        self.network_config = EmbeddingNetwork([level]).network_config()

    def _heads(self, config: PretrainConfig) -> nn.ModuleDict:
        channels, decoded = self.network.channels, self.network.decoded_channels
        made = {}
        for task in config.tasks:
            if task != "contrastive":
                options = {"target": config.target} if task == "lines" else {}
                made[task] = slice_task_named(task).Head(channels, decoded, len(config.views), **options)
        return nn.ModuleDict(made)

    def _weights(self) -> dict[str, Tensor]:
        own = {f"network.{name}": value for name, value in self.network.branch.state_dict().items()}
        return own | {f"heads.{name}": value for name, value in self.heads.state_dict().items()}

    def resume(self) -> None:
        """Go on from the checkpoint in the output folder; ModelError where there is none or it does not fit."""
        state = read_checkpoint(self.output / CHECKPOINT_NAME, self.device)
        try:
            own = state["levels"][LEVEL_NAME]
            if own["asked"] != self._asked():
                raise ValueError(f"{own['asked']} there, {self._asked()} here")
            self.network.branch.load_state_dict(own["network"])
            self.heads.load_state_dict(own["heads"])
            self.optimizer.load_state_dict(own["optimizer"])
            self.average = {f"network.{name}": value.clone() for name, value in own["average"].items()}
            self.average |= {f"heads.{name}": value.clone() for name, value in own["average_heads"].items()}
            self.step, self.elapsed = int(own["step"]), float(own["elapsed"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise ModelError(
                f"{self.output / CHECKPOINT_NAME}: a run with other tasks, views or another network ({error}); resume "
                "with the same --task and --data."
            ) from error

    def _asked(self) -> dict[str, list[str] | str]:
        """What the network is asked, which a run must not change on its way."""
        config = self.config
        return {"tasks": list(config.tasks), "views": list(config.views), "target": config.target}

    def save(self) -> None:
        """Write the checkpoint atomically."""
        state = {
            "network": self.network.branch.state_dict(),
            "heads": self.heads.state_dict(),
            "average": _part(self.average, "network."),
            "average_heads": _part(self.average, "heads."),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
            "steps_in": {"fp32": self.step},
            "asked": self._asked(),
        }
        write_checkpoint(self.output / CHECKPOINT_NAME, {LEVEL_NAME: state}, self.network_config, "fp32")

    def run(self, steps: int, report: Callable[[dict], None] | None = None) -> None:
        """Train until `steps` steps, counted over resumed runs."""
        saved, window = time.monotonic(), []
        while self.step < steps:
            started = time.monotonic()
            window.append(self.train_step(steps))
            self.elapsed += time.monotonic() - started
            if self.step % LOG_STEPS == 0 or self.step == steps:
                self._log(window, report)
                window = []
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.save()
                saved = time.monotonic()
        self.save()

    def train_step(self, steps: int) -> dict[str, float]:
        """One step of all tasks; returns losses and accuracies."""
        config = self.config
        rng = np.random.default_rng([config.seed, self.step])
        torch.manual_seed(int(rng.integers(2**31)))
        rate = learning_rate(config.learning_rate, config.warmup_steps, self.step, self.step / steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.network.train()
        self.heads.train()
        self.optimizer.zero_grad(set_to_none=True)
        told: dict[str, float] = {}
        for task, outcome in self._outcomes(rng).items():
            outcome.loss.backward()
            told |= {f"{task}_loss": outcome.loss.item(), f"{task}_accuracy": float(outcome.accuracy)}
        weights = [*self.network.parameters(), *self.heads.parameters()]
        if torch.isfinite(nn.utils.clip_grad_norm_(weights, config.gradient_clip)):
            self.optimizer.step()
            self._average()
        self.step += 1
        return told

    def _outcomes(self, rng: np.random.Generator) -> dict[str, Outcome]:
        """The outcome of each task, each with slices of its own; the sum of their gradients trains the network."""
        config, found = self.config, {}
        for task, pool in self.pools.items():
            if task == "contrastive":
                found[task] = self._contrastive(rng)
                continue
            samples = [
                draw_sample(part, config.views, config.level, config.augmentation, rng)
                for part in draw_slices(pool, config.batch, rng)
            ]
            found[task] = slice_task_named(task).outcome(self.features(samples), samples, self.heads[task])
        return found

    def features(self, samples: Sequence[SliceSample]) -> SliceFeatures:
        """What the network makes of samples."""
        scales = self.network(torch.stack([sample.image for sample in samples])[:, None].to(self.device))
        return SliceFeatures(scales, self.network.decoded(scales))

    def _contrastive(self, rng: np.random.Generator) -> Outcome:
        level = self.config.level
        pairs = self._pairs(rng)
        features = self.network.branch(images_of(pairs)[:, None]).unbind(0)
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**31)))
        settings = TrainingConfig(random_negatives=4 * level.anchors, near_negatives=level.anchors)
        return contrastive.outcome(features, pairs, level, settings, generator)

    def _pairs(self, rng: np.random.Generator) -> list[TrainingPair]:
        """Two views each of half as many slices as other tasks see; slices without tissue are passed over."""
        config, pairs = self.config, []
        wanted = max(1, config.batch // 2)
        for part in draw_slices(self.pools["contrastive"], TRIES * wanted, rng):
            pair = draw_two_views(part, config.level, config.augmentation, config.level.anchors, rng)
            if len(pair.index_a) >= FEWEST_ANCHORS:
                parts = (pair.image_a, pair.image_b, pair.index_a, pair.index_b)
                pairs.append(TrainingPair(*(part.to(self.device) for part in parts)))
            if len(pairs) == wanted:
                return pairs
        raise UsageError(
            f"Of {TRIES * wanted} slices only {len(pairs)} showed enough that is brighter than their background; give "
            "exams with more anatomy in their pictures."
        )

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(AVERAGE, (self.step + 1) / (self.step + 1 + AVERAGE_WARMUP))
        for name, value in self._weights().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def averaged(self) -> tuple[EmbeddingEncoder, nn.ModuleDict]:
        """Network and heads with the moving average of the weights, for inference."""
        network = EmbeddingEncoder.new(self.network.level, self.network.source)
        network.branch.load_state_dict(_part(self.average, "network."))
        heads = self._heads(self.config)
        heads.load_state_dict(_part(self.average, "heads."))
        return network.eval(), heads.eval()

    def _log(self, window: list[dict[str, float]], report: Callable[[dict], None] | None) -> None:
        means = {name: float(np.mean([row[name] for row in window])) for name in window[0]} if window else {}
        row = {"step": self.step, "minutes": round(self.elapsed / 60, 2)} | means
        with (self.output / LOG_NAME).open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        if report is not None:
            report(row)


def _pool_for(task: str, pool: SlicePool) -> SlicePool:
    if task == "lines":
        return pool.with_lines()
    return pool.with_locations() if task == "location" else pool


def _part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}
