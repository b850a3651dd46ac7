"""The training volumes, resident in memory as int16 on canonical grids."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..errors import SAMLandmarkError, UsageError
from ..volume import Volume
from ..volume_paths import volume_files, volume_name

logger = logging.getLogger(__name__)

BASE_SPACING_MM = 2.0
BODY_THRESHOLD_HU = -950.0
BODY_SAMPLES = 20_000


@dataclass(frozen=True)
class TrainingVolume:
    """One scan: `hu` int16 `[z,y,x]` at each spacing, and random body voxels `(n,3)` as (x,y,z) at 2 mm."""

    name: str
    group: str
    hu: Mapping[float, Tensor]
    body_ijk: np.ndarray


class VolumePool:
    """All training volumes, drawn by group weight and then by the square root of their size.

    Groups are the first-level folders of the data directory; a folder that `group_weights` does not name weighs
    as much as the mean of those it names, so any folder of CT can be trained on.
    """

    def __init__(self, volumes: list[TrainingVolume], group_weights: Mapping[str, float]) -> None:
        if not volumes:
            raise UsageError(
                "There is no volume to train on; give --data a folder with NIfTI, NRRD or MHA files."
            )
        self.volumes = volumes
        self.probabilities = _probabilities(volumes, group_weights)

    @classmethod
    def read(
        cls, directory: str | Path, group_weights: Mapping[str, float], device: torch.device
    ) -> VolumePool:
        """Read every volume below `directory`, or a file made by `pack`; unreadable ones are logged and left out."""
        directory = Path(directory)
        scans = _unpacked(directory) if directory.suffix == ".npz" else _scans_below(directory)
        return cls([_training_volume(name, group, hu, device) for name, group, hu in scans], group_weights)

    def draw(self, rng: np.random.Generator) -> TrainingVolume:
        return self.volumes[rng.choice(len(self.volumes), p=self.probabilities)]


def pack(directory: str | Path, path: str | Path) -> None:
    """Write all volumes below `directory` as int16 at 2 mm into one compressed file."""
    np.savez_compressed(path, **{f"{group}/{name}": hu for name, group, hu in _scans_below(Path(directory))})


def _scans_below(directory: Path):
    for path in volume_files(directory, recursive=True):
        parts = path.relative_to(directory).parts
        try:
            array = Volume.read(path).canonical(BASE_SPACING_MM).array
        except SAMLandmarkError as error:
            logger.warning("left out of training: %s", error)
            continue
        yield volume_name(path), parts[0] if len(parts) > 1 else "", np.rint(array).astype(np.int16)


def _unpacked(path: Path):
    with np.load(path) as archive:
        for key in archive.files:
            group, _, name = key.rpartition("/")
            yield name, group, archive[key]


def _training_volume(name: str, group: str, hu: np.ndarray, device: torch.device) -> TrainingVolume:
    base = torch.from_numpy(hu)
    pooled = functional.avg_pool3d(base[None, None].float(), 2, ceil_mode=True, count_include_pad=False)[0, 0]
    kji = np.argwhere(hu > BODY_THRESHOLD_HU)
    chosen = np.random.default_rng(len(kji)).choice(len(kji), min(BODY_SAMPLES, len(kji)), replace=False)
    levels = {
        BASE_SPACING_MM: base.to(device),
        2 * BASE_SPACING_MM: pooled.round().to(torch.int16).to(device),
    }
    return TrainingVolume(name, group, levels, kji[chosen][:, ::-1].astype(np.float32))


def _probabilities(volumes: list[TrainingVolume], group_weights: Mapping[str, float]) -> np.ndarray:
    groups = sorted({volume.group for volume in volumes})
    usual = float(np.mean(list(group_weights.values()))) if group_weights else 1.0
    sizes = np.array([volume.hu[BASE_SPACING_MM].numel() ** 0.5 for volume in volumes])
    result = np.zeros(len(volumes))
    for group in groups:
        member = np.array([volume.group == group for volume in volumes])
        result[member] = group_weights.get(group, usual) * sizes[member] / sizes[member].sum()
    return result / result.sum()
