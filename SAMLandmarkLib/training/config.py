"""Settings of a training run, with the defaults that made the bundled model."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UsageError


@dataclass(frozen=True)
class BranchTraining:
    """How one branch is trained.

    `spacing_mm`: voxels the branch sees; `patch_kji`: their number per side; `temperature`: of InfoNCE;
    `softness_mm`: negatives nearer than about this distance to the positive hardly count;
    `hit_mm`: a retrieval within this distance counts as right in the log.
    """

    spacing_mm: float
    patch_kji: tuple[int, int, int]
    temperature: float
    softness_mm: float
    near_spread_mm: float
    hit_mm: float
    elastic_sd_mm: float
    elastic_spacing_mm: float


FINE = BranchTraining(
    spacing_mm=2.0,
    patch_kji=(48, 80, 80),
    temperature=0.1,
    softness_mm=4.0,
    near_spread_mm=10.0,
    hit_mm=5.0,
    elastic_sd_mm=4.0,
    elastic_spacing_mm=40.0,
)
COARSE = BranchTraining(
    spacing_mm=4.0,
    patch_kji=(64, 64, 64),
    temperature=0.1,
    softness_mm=12.0,
    near_spread_mm=30.0,
    hit_mm=16.0,
    elastic_sd_mm=8.0,
    elastic_spacing_mm=80.0,
)


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that, with the data and the seed, determines a run of given length.

    From the share `mine_from` of the run on, `mined_share` of the pairs are points of two patients that the network
    itself found to correspond, taken to be right within `mined_slack_mm`; 1.0 trains on single scans only.
    """

    fine: BranchTraining = FINE
    coarse: BranchTraining = COARSE
    pairs_per_step: int = 2
    anchors: int = 384
    random_negatives: int = 1536
    near_negatives: int = 384
    rotation_degrees: float = 15.0
    log_scale: float = 0.22
    log_anisotropy: float = 0.10
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-2
    warmup_steps: int = 150
    gradient_clip: float = 1.0
    ema_decay: float = 0.998
    mine_from: float = 0.65
    mined_share: float = 0.5
    mined_slack_mm: float = 5.0
    seed: int = 0
    group_weights: dict[str, float] = field(
        default_factory=lambda: {"torso": 0.65, "head-neck": 0.2, "limb": 0.15}
    )

    @classmethod
    def read(cls, path: str | Path) -> TrainingConfig:
        """Read a JSON file that names only what differs from the defaults; UsageError on unknown names."""
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: not a readable JSON training configuration ({error}).") from error
        return _replaced(cls(), values, str(path))

    def as_dict(self) -> dict:
        return dataclasses.asdict(self)


def _replaced(default, values: dict, where: str):
    """Copy of a configuration dataclass with `values` put in, recursively for nested dataclasses."""
    names = {item.name for item in dataclasses.fields(default)}
    unknown = sorted(set(values) - names)
    if unknown:
        raise UsageError(
            f"{where}: unknown setting {', '.join(unknown)}; known are {', '.join(sorted(names))}."
        )
    return dataclasses.replace(
        default,
        **{
            name: _converted(getattr(default, name), value, f"{where}: {name}")
            for name, value in values.items()
        },
    )


def _converted(default, value, where: str):
    if dataclasses.is_dataclass(default):
        return _replaced(default, value, where)
    return tuple(value) if isinstance(default, tuple) else value
