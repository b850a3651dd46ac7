"""One level in training: its branch, optimizer, moving average and counters."""

from __future__ import annotations

import math
import zlib
from collections import Counter

import numpy as np
import torch
from torch import Tensor, nn

from ..models.network import EmbeddingBranch
from ..models.precision import precision_name
from ..models.self_similarity import branch_of
from ..utils.errors import ModelError
from .checkpoint import steps_by_precision
from .config import TrainingConfig
from .mining import MinedPair
from .narrowing import narrowed
from .pairs import TrainingPair, draw_mined_pair, draw_pair, images_of
from .pool import VolumePool
from .step import level_outcome
from .warm_start import has_batch_norm, load_unfolded

BROKEN_STEPS = 20
AVERAGE_WARMUP = 10
STATISTICS_PAIRS = 8


class LevelTrainer:
    """Trains the branch of one level, independently of all others.

    Every step draws its random numbers from (seed, level, step), so a resumed run sees the same pairs. `elapsed` are
    the seconds spent in steps, `steps_in` counts the steps made in each precision.
    """

    def __init__(
        self, name: str, pool: VolumePool, config: TrainingConfig, device: torch.device, dtype: torch.dtype
    ) -> None:
        torch.manual_seed(config.seed + zlib.crc32(name.encode()))
        self.name, self.pool, self.config, self.device = name, pool, config, device
        self.level, self.dtype = config.resolved(name), dtype
        self.network = branch_of(self.level.network).to(device, memory_format=torch.channels_last_3d)
        self.average = _copied(self.network.state_dict())
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.level.learning_rate, weight_decay=config.weight_decay
        )
        self.step, self.elapsed, self.broken_steps = 0, 0.0, 0
        self.steps_in: Counter[str] = Counter()

    def state(self) -> dict:
        """All that `load` needs to go on."""
        return {
            "network": self.network.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
            "steps_in": dict(self.steps_in),
        }

    def load(self, state: dict) -> None:
        """Go on from a state; ModelError where it is of a level of another shape."""
        try:
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.average = _copied(state["average"])
            self.step, self.elapsed = int(state["step"]), float(state["elapsed"])
            self.steps_in = Counter(steps_by_precision(state))
        except (KeyError, RuntimeError, ValueError) as error:
            raise ModelError(
                f"The checkpoint's level '{self.name}' does not fit its configuration ({error}); "
                "resume with the configuration it was begun with."
            ) from error

    def start_from(self, branch: EmbeddingBranch) -> None:
        """Begin with the weights of a branch of the same shape or, without batch norm, of a larger one; else ModelError."""
        try:
            if has_batch_norm(branch):
                self.network.load_state_dict(branch.state_dict())
            else:
                smaller = narrowed(branch.float(), self.level.network)
                load_unfolded(self.network, smaller, self._some_images())
        except (RuntimeError, KeyError, ValueError) as error:
            raise ModelError(f"The level '{self.name}' cannot start from these weights ({error}).") from error
        self.average = _copied(self.network.state_dict())

    def train_step(self, progress: float, mined: list[MinedPair] | None) -> dict[str, float]:
        """One step at the learning rate of this part of the run; returns learning rate, loss and accuracy."""
        config = self.config
        rng = np.random.default_rng([config.seed, zlib.crc32(self.name.encode()), self.step])
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**31)))
        rate = learning_rate(self.level.learning_rate, config.warmup_steps, self.step, progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        pairs = [self._draw(mined, rng) for _ in range(self.level.pairs_per_step)]
        outcome = level_outcome(self.network, pairs, self.level, config, generator, self.dtype)
        outcome.loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), config.gradient_clip)
        self._update(bool(torch.isfinite(norm)))
        self.step += 1
        self.steps_in[precision_name(self.dtype)] += 1
        return {
            "learning_rate": rate,
            f"{self.name}_loss": outcome.loss.item(),
            f"{self.name}_accuracy": outcome.accuracy.item(),
        }

    def _some_images(self) -> Tensor:
        rng = np.random.default_rng(self.config.seed)
        pairs = [draw_pair(self.pool, self.level, self.config, rng) for _ in range(STATISTICS_PAIRS)]
        return images_of(pairs)[:, None]

    def _draw(self, mined: list[MinedPair] | None, rng: np.random.Generator) -> TrainingPair:
        if mined and rng.random() < self.config.mined_share:
            return draw_mined_pair(self.pool, mined, self.level, self.config, rng)
        return draw_pair(self.pool, self.level, self.config, rng)

    def _update(self, finite: bool) -> None:
        """Take the step, unless the arithmetic broke down in it; ModelError where that goes on and on."""
        self.broken_steps = 0 if finite else self.broken_steps + 1
        if finite:
            self.optimizer.step()
            self._average()
        elif self.broken_steps >= BROKEN_STEPS:
            raise ModelError(
                f"The gradients of level '{self.name}' were not finite in {BROKEN_STEPS} steps in a row, up to step "
                f"{self.step}; train with a lower learning_rate or larger patches."
            )

    @torch.no_grad()
    def _average(self) -> None:
        # the first steps count less, or a short run would end with the average of its beginning
        decay = min(self.config.ema_decay, (self.step + 1) / (self.step + 1 + AVERAGE_WARMUP))
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)


def learning_rate(greatest: float, warmup_steps: int, step: int, progress: float) -> float:
    """Linear warm-up, then cosine down to one hundredth."""
    warm = min(1.0, (step + 1) / warmup_steps)
    return greatest * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


def _copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}
