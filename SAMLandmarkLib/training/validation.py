"""How well the levels find automatic landmarks between patients, by nearest neighbours alone.

Nobody's points are needed: those of CT are extremes of masks, and where a modality has none, random points are
looked up in another patient's image and back again; levels that see parts of such images are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
from torch import Tensor

from ..models.network import EmbeddingBranch
from .config import TrainingConfig
from .modalities import TrainingModality
from .nearest import EmbeddedImage, embedded, nearest
from .pool import TrainingVolume, VolumePool
from .views import cut

CROP_MM = 96.0
"""Levels that do not see whole images are looked at within crops about the true places: telling those apart is their part."""
CYCLE_POINTS = 32


@dataclass(frozen=True)
class ValidationScan:
    """An image of the pool and its landmarks as (x,y,z) at the base spacing."""

    volume: TrainingVolume
    landmarks: Mapping[str, np.ndarray]


class Validation:
    """Fixed images of different patients, all ordered pairs of which are matched."""

    def __init__(
        self, scans: Sequence[ValidationScan], modality: TrainingModality, dtype: torch.dtype
    ) -> None:
        self.scans, self.modality, self.dtype = tuple(scans), modality, dtype

    @classmethod
    def of(cls, pool: VolumePool, config: TrainingConfig, dtype: torch.dtype) -> Validation:
        """With the images that the configuration names; UsageError where the pool does not have one."""
        volumes = [pool.named(name) for name in config.validation_volumes]
        scans = [ValidationScan(volume, _landmarks(volume, pool.modality)) for volume in volumes]
        return cls(scans, pool.modality, dtype)

    @torch.no_grad()
    def errors(
        self, branches: Mapping[str, EmbeddingBranch], spacings: Mapping[str, float]
    ) -> dict[str, float]:
        """Mean and median error in mm of each level by itself, and of all levels that see whole images together."""
        whole = sorted((name for name in branches if self._whole(spacings[name])), key=spacings.__getitem__)
        rows = self._whole_image_errors({name: branches[name] for name in whole}, spacings)
        parts = sorted(set(branches) - set(whole)) if self.modality.find_landmarks else []
        for name in parts:
            rows[name] = self._crop_errors(branches[name], spacings[name])
        return {
            f"{name}_{statistic}_mm": round(float(function(errors)), 2)
            for name, errors in rows.items()
            if errors
            for statistic, function in (("mean", np.mean), ("median", np.median))
        }

    def _whole(self, spacing_mm: float) -> bool:
        return spacing_mm >= self.modality.whole_images_from_mm

    def _whole_image_errors(
        self, branches: Mapping[str, EmbeddingBranch], spacings: Mapping[str, float]
    ) -> dict[str, list[float]]:
        images = [
            {name: self._embedded(scan.volume, branches[name], spacings[name]) for name in branches}
            for scan in self.scans
        ]
        chosen = {name: [name] for name in branches}
        if len(branches) > 1:
            chosen["summed"] = list(branches)
        rows: dict[str, list[float]] = {name: [] for name in chosen}
        for here, there in permutations(range(len(self.scans)), 2):
            for name, levels in chosen.items():
                rows[name] += self._pair_errors(here, there, images, levels)
        return rows

    def _embedded(self, volume: TrainingVolume, branch: EmbeddingBranch, spacing_mm: float) -> EmbeddedImage:
        voxels = spacing_mm / self.modality.base_spacing_mm
        return embedded(branch, volume.values[spacing_mm], voxels, self.modality.padding_value, self.dtype)

    def _pair_errors(
        self, here: int, there: int, images: Sequence[Mapping[str, EmbeddedImage]], levels: Sequence[str]
    ) -> list[float]:
        points, truth = self._shared(here, there)
        if not len(points):
            return []
        found = nearest(points, images[here], images[there], levels)
        if self.modality.find_landmarks is None:
            found, truth = nearest(found, images[there], images[here], levels), points
        return ((found - truth).norm(dim=1) * self.modality.base_spacing_mm).tolist()

    def _shared(self, here: int, there: int) -> tuple[Tensor, Tensor]:
        """Positions `(n,3)` of the landmarks that two images have in common, in both."""
        first, second = self.scans[here].landmarks, self.scans[there].landmarks
        names = sorted(set(first) & set(second))
        return tuple(
            torch.tensor(np.array([marks[name] for name in names]).reshape(-1, 3), dtype=torch.float32)
            for marks in (first, second)
        )

    def _crop_errors(self, branch: EmbeddingBranch, spacing_mm: float) -> list[float]:
        """Errors within crops about the landmarks, those of the template about its own, of the target about the truth."""
        voxels = spacing_mm / self.modality.base_spacing_mm
        middle = torch.full((1, 3), (CROP_MM / self.modality.base_spacing_mm - 1) / 2)
        crops = [
            {
                name: {
                    "crop": embedded(
                        branch, self._crop(scan.volume, place, spacing_mm), voxels, 0.0, self.dtype
                    )
                }
                for name, place in scan.landmarks.items()
            }
            for scan in self.scans
        ]
        errors = [
            nearest(middle, first[name], second[name], ["crop"]) - middle
            for first, second in permutations(crops, 2)
            for name in sorted(set(first) & set(second))
        ]
        return [float(error.norm()) * self.modality.base_spacing_mm for error in errors]

    def _crop(self, volume: TrainingVolume, place: np.ndarray, spacing_mm: float) -> Tensor:
        """A cube about a place (x,y,z), in base voxels, at a level's spacing."""
        scale = self.modality.base_spacing_mm / spacing_mm
        count = round(CROP_MM / spacing_mm)
        offsets = torch.arange(count) - (count - 1) / 2
        z, y, x = torch.meshgrid(offsets, offsets, offsets, indexing="ij")
        center = torch.tensor((place + 0.5) * scale - 0.5, dtype=torch.float32)
        index = torch.stack([x, y, z], dim=-1) + center
        return cut(volume.values[spacing_mm], index, self.modality.padding_value)


def _landmarks(volume: TrainingVolume, modality: TrainingModality) -> Mapping[str, np.ndarray]:
    """The landmarks that the modality finds by itself, else random places of the image, by number."""
    if modality.find_landmarks is None:
        return {str(number): place for number, place in enumerate(volume.body_ijk[:CYCLE_POINTS])}
    base = modality.base_spacing_mm
    return modality.find_landmarks(volume.values[base].cpu().numpy(), base)
