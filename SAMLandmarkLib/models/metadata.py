"""What a model file says about itself, checked field by field; needs no torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ..core.matching_options import PROFILES, MatchingOptions
from ..core.modality import CT, Modality
from ..core.records import bounded, checked, from_json, to_json
from ..utils.errors import ModelError

FORMAT_VERSION = 3
GREATEST_LEVELS = 8
GREATEST_RATIO = 64
LONGEST_TRAINING = 1 << 22
"""Letters of JSON that the training's provenance may take."""


@dataclass(frozen=True)
class LevelInfo:
    """One level of the embedding: the spacing in mm of the voxels it sees and of the cells it gives a vector to.

    `stride`: voxels per cell and axis; `dimension`: of the vectors; `halo`: voxels of margin with which a slab gives the
    values of the whole volume.
    """

    name: str
    voxel_spacing_mm: float = bounded(1e-3, 100.0)
    cell_spacing_mm: float = bounded(1e-3, 1000.0)
    dimension: int = bounded(1, 4096)
    halo: int = bounded(0, 1024, 16)
    stride: int = bounded(1, 16, 2)

    def __post_init__(self) -> None:
        if not (self.name.isidentifier() and self.name.isascii()):
            raise ModelError(f"levels: a name must be letters, digits and underscores, not {self.name!r}.")
        if not math.isclose(self.cell_spacing_mm, self.voxel_spacing_mm * self.stride, rel_tol=1e-6):
            raise ModelError(
                f"levels: the cells of level '{self.name}' must be {self.stride} voxels of "
                f"{self.voxel_spacing_mm:g} mm long, not {self.cell_spacing_mm:g} mm."
            )


@dataclass(frozen=True)
class ModelMetadata:
    """What a model file says about itself.

    `levels`, finest first, are those of the network; `matching` and `calibration` hold an entry for each profile;
    `error_limit_mm` is the error that the confidence speaks of; `training` tells how the weights were made. Raises
    ModelError where the fields contradict each other.
    """

    version: str
    modality: Modality = CT
    levels: tuple[LevelInfo, ...] = ()
    matching: dict[str, MatchingOptions] = field(default_factory=lambda: dict(PROFILES))
    error_limit_mm: float = bounded(0.1, 1000.0, 10.0)
    calibration: dict[str, dict[str, Any]] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        _check_levels(self.levels)
        if not self.matching:
            raise ModelError("matching: at least one profile is needed.")
        for profile in self.calibration:
            if profile not in self.matching:
                raise ModelError(f"calibration: there is no profile {profile!r} of the matching.")

    @property
    def spacing_mm(self) -> float:
        """Spacing of the grid that images are resampled to: that of the finest level's voxels."""
        return self.levels[0].voxel_spacing_mm

    def voxels_per_voxel(self, level: LevelInfo) -> int:
        """How many voxels of the finest level one of a level's voxels is long."""
        return round(level.voxel_spacing_mm / self.spacing_mm)

    @property
    def size_divisor(self) -> int:
        """Of the voxels along each searched axis of an image that the network can embed."""
        return max(4, round(self.levels[-1].cell_spacing_mm / self.spacing_mm)) if self.levels else 4

    def to_json(self) -> dict[str, Any]:
        """All fields in the types that JSON knows."""
        values: dict[str, Any] = to_json(self)
        return values

    @classmethod
    def from_json(cls, values: object) -> ModelMetadata:
        """The metadata that `to_json` described; ModelError names a field that is wrong."""
        values = _group(values, "metadata")
        known = ("version", "modality", "levels", "matching", "error_limit_mm", "calibration", "training")
        for name in (*known, "format_version"):
            if name not in values:
                raise ModelError(f"metadata: the field {name!r} is missing.")
        if unknown := sorted(map(str, set(values) - {*known, "format_version"})):
            raise ModelError(f"metadata: unknown field {unknown[0][:100]!r}; known: {', '.join(known)}.")
        return cls(
            version=checked(str, values["version"], "version"),
            modality=Modality.from_json(values["modality"]),
            levels=checked(tuple[LevelInfo, ...], values["levels"], "levels"),
            matching={
                _profile(name): MatchingOptions.from_json(options, f"matching.{name}")
                for name, options in _group(values["matching"], "matching").items()
            },
            error_limit_mm=checked(float, values["error_limit_mm"], "error_limit_mm", (0.1, 1000.0)),
            calibration={
                _profile(name): _calibration(part, f"calibration.{name}")
                for name, part in _group(values["calibration"], "calibration").items()
            },
            training=_training(values["training"]),
            format_version=checked(int, values["format_version"], "format_version", (2, FORMAT_VERSION)),
        )


@dataclass(frozen=True)
class _Thresholds:
    """A calibration but for its weights; which features these are for, the matching knows."""

    intercept: float
    found: float = bounded(0.0, 1.0)
    missing: float = bounded(0.0, 1.0)
    source: str = ""


def _check_levels(levels: Sequence[LevelInfo]) -> None:
    if len(levels) > GREATEST_LEVELS:
        raise ModelError(f"levels: must be at most {GREATEST_LEVELS}, not {len(levels)}.")
    if len({level.name for level in levels}) < len(levels):
        raise ModelError("levels: two of them have one name.")
    for finer, coarser in pairwise(levels):
        _check_ratio(coarser.cell_spacing_mm / finer.cell_spacing_mm, 2, f"cells of level '{coarser.name}'")
    for level in levels:
        ratio = level.voxel_spacing_mm / levels[0].voxel_spacing_mm
        _check_ratio(ratio, 1, f"voxels of level '{level.name}'")
        _check_ratio(level.cell_spacing_mm / levels[0].voxel_spacing_mm, 1, f"cells of level '{level.name}'")


def _check_ratio(ratio: float, least: int, what: str) -> None:
    """Levels are averaged from each other, so their grids nest."""
    whole = round(ratio)
    if not (abs(ratio - whole) < 1e-6 and least <= whole <= GREATEST_RATIO):
        raise ModelError(
            f"levels: the {what} must be {least} to {GREATEST_RATIO} times as long as those of the finer level, a whole "
            f"number, not {ratio:g} times."
        )


def _group(values: object, where: str) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise ModelError(f"{where}: must be a group of fields, not {repr(values)[:100]}.")
    return values


def _profile(name: str) -> str:
    if not (name.isidentifier() and len(name) <= 40):
        raise ModelError(f"matching: a profile's name must be letters and digits, not {name[:40]!r}.")
    return name


def _calibration(values: object, where: str) -> dict[str, Any]:
    rest = dict(_group(values, where))
    numbers = {"weights": _weights(rest.pop("weights", None), f"{where}.weights")}
    if "vote" in rest:
        numbers["vote"] = _weights(rest.pop("vote"), f"{where}.vote")
    return {**to_json(from_json(_Thresholds, rest, where)), **numbers}


def _weights(values: object, where: str) -> dict[str, float]:
    return {name: checked(float, value, f"{where}.{name}") for name, value in _group(values, where).items()}


def _training(values: object) -> dict[str, Any]:
    training = dict(_group(values, "training"))
    try:
        length = len(json.dumps(training, allow_nan=False))
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"training: holds what JSON does not know ({error}).") from error
    if length > LONGEST_TRAINING:
        raise ModelError(f"training: takes {length} letters, more than the {LONGEST_TRAINING} allowed.")
    return training
