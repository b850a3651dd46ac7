"""Settings of a training run, with the defaults of each modality."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..models.embedding_network import LevelConfig
from ..models.network import BranchConfig
from ..utils.errors import UsageError
from .levels import (
    BODY,
    COARSE,
    FILM_COARSE,
    FILM_FINE,
    FILM_WHOLE,
    FINE,
    HEAD_COARSE,
    HEAD_FINE,
    LevelTraining,
)


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that, with the data and the seed, determines a run of given length.

    `levels` are trained independently of each other. From the share `mine_from` of the run on, `mined_share` of the
    pairs are points of two patients that the network itself found to correspond, taken to be right within
    `mined_slack_mm`; 1.0 trains on single scans only. They are mined `mine_by` "matching", as the product transfers
    points in CT, or "nearest" neighbours of the levels themselves. `validation_volumes` name scans of different patients between
    which automatic landmarks are looked up every `validation_minutes`; they are kept out of the training where
    `hold_out` is set.
    """

    modality: str = "ct"
    levels: Mapping[str, LevelTraining] = field(
        default_factory=lambda: {"fine": FINE, "coarse": COARSE, "body": BODY}
    )
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
    mine_by: str = "matching"
    validation_volumes: tuple[str, ...] = ()
    validation_minutes: float = 10.0
    hold_out: bool = False
    seed: int = 0
    group_weights: dict[str, float] = field(
        default_factory=lambda: {"torso": 0.65, "head-neck": 0.2, "limb": 0.15}
    )

    @classmethod
    def of(cls, modality: str) -> TrainingConfig:
        """The defaults of a modality; UsageError where it is not known."""
        if modality not in _DEFAULTS:
            raise UsageError(f"Unknown modality '{modality}' to train; known are {', '.join(_DEFAULTS)}.")
        return cls(modality=modality, **_DEFAULTS[modality])

    @classmethod
    def read(cls, path: str | Path, modality: str | None = None) -> TrainingConfig:
        """Read a JSON file that names only what differs from the defaults of its modality.

        Levels stand under `levels` or, as in earlier versions, by themselves; null leaves a level out. UsageError on
        unknown names, and where the file is of another modality than the one asked for.
        """
        try:
            values = dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise UsageError(f"{path}: not a readable JSON training configuration ({error}).") from error
        stated = values.get("modality", modality or "ct")
        if modality is not None and stated != modality:
            raise UsageError(f"{path}: the configuration is for {stated}, but {modality} was asked for.")
        default = cls.of(stated)
        own = {name: values.pop(name) for name in list(values) if name in default.levels}
        levels = _levels(default.levels, {**own, **values.pop("levels", {})}, str(path))
        return dataclasses.replace(_replaced(default, values, str(path)), levels=levels)

    def as_dict(self) -> dict:
        return dataclasses.asdict(self)

    def resolved(self, name: str) -> LevelTraining:
        """A level's settings, with those of the run where it has none of its own."""
        level = self.levels[name]
        unset = ("pairs_per_step", "anchors", "learning_rate")
        return dataclasses.replace(
            level, **{item: getattr(self, item) for item in unset if getattr(level, item) is None}
        )

    def network_levels(self, names: Sequence[str]) -> list[LevelConfig]:
        """What a network of some of the levels consists of, the finest first; UsageError on an unknown name."""
        unknown = sorted(set(names) - set(self.levels))
        if unknown:
            known = ", ".join(self.levels)
            raise UsageError(f"Unknown level {', '.join(unknown)}; the configuration has {known}.")
        for name in names:
            _require_network(name, self.levels[name].network)
        chosen = [
            LevelConfig(name, self.levels[name].spacing_mm, self.levels[name].network) for name in names
        ]
        return sorted(chosen, key=lambda level: level.voxel_spacing_mm)


def _require_network(name: str, branch: BranchConfig) -> None:
    depth = len(branch.channels)
    if depth < 2 or len(branch.blocks) != depth:
        raise UsageError(
            f"{name}: channels {list(branch.channels)} and blocks {list(branch.blocks)} are no network; give at least "
            "two resolutions, as many of one as of the other."
        )


_DEFAULTS: dict[str, dict] = {
    "ct": {},
    "radiograph": {
        "levels": {"fine": FILM_FINE, "coarse": FILM_COARSE, "whole": FILM_WHOLE},
        "pairs_per_step": 6,
        "anchors": 96,
        "rotation_degrees": 12.0,
        "log_scale": 0.2,
        "log_anisotropy": 0.08,
        "learning_rate": 2e-3,
        "warmup_steps": 40,
        "ema_decay": 0.995,
        "mine_from": 1.0,
        "mined_slack_mm": 1.5,
        "mine_by": "nearest",
        "group_weights": {},
    },
    "mr-brain": {
        "levels": {"fine": HEAD_FINE, "coarse": HEAD_COARSE},
        "log_scale": 0.18,
        "learning_rate": 1.5e-3,
        "warmup_steps": 50,
        "ema_decay": 0.995,
        "mine_from": 1.0,
        "mined_slack_mm": 3.0,
        "mine_by": "nearest",
        "group_weights": {"label-maps": 0.5, "images": 0.5},
    },
}


def _levels(default: Mapping[str, LevelTraining], values: Mapping, where: str) -> dict[str, LevelTraining]:
    """The levels with `values` put in: changed ones, new ones, and None for those that are left out."""
    levels = dict(default)
    for name, changes in values.items():
        if changes is None:
            levels.pop(name, None)
        elif name in levels:
            levels[name] = _replaced(levels[name], _nested(changes), f"{where}: {name}")
        else:
            levels[name] = _new_level(changes, f"{where}: {name}")
    if not levels:
        raise UsageError(f"{where}: no level is left to train.")
    return levels


def _nested(values: Mapping) -> dict:
    """A level's settings with those of its branch, which may stand among them, put under `network`."""
    own = {item.name for item in dataclasses.fields(BranchConfig)}
    network = dict(values.get("network", {})) | {name: value for name, value in values.items() if name in own}
    rest = {name: value for name, value in values.items() if name not in own and name != "network"}
    return rest | ({"network": network} if network else {})


def _new_level(values: Mapping, where: str) -> LevelTraining:
    """A level that the defaults do not have; it must say everything that has no default."""
    try:
        values = _nested(values)
        network = BranchConfig(**{name: _tuples(value) for name, value in values["network"].items()})
        rest = {name: _tuples(value) for name, value in values.items() if name != "network"}
        return LevelTraining(network=network, **rest)
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{where}: the new level is not fully described ({error}).") from error


def _replaced(default, values: Mapping, where: str):
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
    return _tuples(value) if isinstance(default, tuple) else value


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
