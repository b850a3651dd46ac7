"""Settings of a training with pretext tasks on slices of exams."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from ..models.network import BranchConfig
from ..utils.errors import UsageError
from .config import LevelTraining
from .slice_samples import USUAL_AUGMENTATION, Augmentation
from .slices import SLICE
from .tasks.lines import HEAT

LEVEL_NAME = "slices"
TASKS = {
    "lines": ("lines",),
    "location": ("location",),
    "both": ("lines", "location"),
    "contrastive": ("contrastive",),
}
SLICE_LEVEL = LevelTraining(
    spacing_mm=2.0,
    patch_kji=(1, 128, 128),
    temperature=0.1,
    softness_mm=4.0,
    near_spread_mm=20.0,
    hit_mm=8.0,
    elastic_sd_mm=0.0,
    elastic_spacing_mm=60.0,
    network=BranchConfig((16, 32, 64, 96), (1, 1, 1, 1), 32, SLICE.normalisation.windows, 2),
    hidden_voxels=(8, 30),
    anchors=96,
)


@dataclass(frozen=True)
class PretrainConfig:
    """All that determines a run with its data: `tasks`, the level, rates, and the `views` that lines are asked for."""

    tasks: tuple[str, ...]
    views: tuple[str, ...]
    level: LevelTraining = SLICE_LEVEL
    target: str = HEAT
    augmentation: Augmentation = USUAL_AUGMENTATION
    batch: int = 12
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    warmup_steps: int = 50
    gradient_clip: float = 1.0
    seed: int = 0

    def as_dict(self) -> dict:
        """In the types that JSON knows."""
        return json.loads(json.dumps(dataclasses.asdict(self)))


def tasks_of(text: str) -> tuple[str, ...]:
    """The tasks that a command names, joined by +; UsageError on an unknown one.

    >>> tasks_of("both+contrastive")
    ('lines', 'location', 'contrastive')
    """
    names = text.split("+")
    if unknown := sorted(set(names) - set(TASKS)):
        known = ", ".join(TASKS)
        raise UsageError(f"Unknown task {', '.join(unknown)}; known are {known}, also joined by +.")
    return tuple(dict.fromkeys(task for name in names for task in TASKS[name]))
