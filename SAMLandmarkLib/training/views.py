"""Views: patches cut from a volume through a known smooth map, so that correspondences between views are exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional

from .config import LevelTraining, TrainingConfig

INVERSION_STEPS = 8


@dataclass(frozen=True)
class PatchMap:
    """Smooth map from patch to volume: v = center + linear p + elastic(p).

    p are voxels (x,y,z) from the patch centre, v volume indices (x,y,z); `elastic` `[1,3,d,h,w]` is a displacement in
    voxels on control points spread over the patch. The elastic part is a contraction, so that the inverse exists.
    """

    patch_kji: tuple[int, int, int]
    center: Tensor
    linear: Tensor
    elastic: Tensor

    @property
    def half_extent(self) -> Tensor:
        return (self.center.new_tensor(self.patch_kji[::-1]) - 1) / 2

    def grid(self) -> Tensor:
        """Volume index `[D,H,W,3]` of every patch voxel."""
        axes = [torch.arange(n, device=self.center.device) - (n - 1) / 2 for n in self.patch_kji]
        z, y, x = torch.meshgrid(*axes, indexing="ij")
        elastic = functional.interpolate(
            self.elastic, size=self.patch_kji, mode="trilinear", align_corners=True
        )
        return torch.stack([x, y, z], dim=-1) @ self.linear.T + self.center + elastic[0].permute(1, 2, 3, 0)

    def to_patch(self, volume_index: Tensor) -> Tensor:
        """Patch index `(n,3)` (x,y,z) of volume indices `(n,3)`, by fixed-point iteration."""
        inverse = torch.linalg.inv(self.linear).T
        offset = (volume_index - self.center) @ inverse
        half_extent = self.half_extent.clamp(min=0.5)  # a single slice has none
        for _ in range(INVERSION_STEPS):
            where = (offset / half_extent).clamp(-1, 1)[None, :, None, None, :]
            elastic = functional.grid_sample(self.elastic, where, align_corners=True, padding_mode="border")
            offset = (volume_index - self.center - elastic[0, :, :, 0, 0].T) @ inverse
        return offset + self.half_extent


def random_map(
    center: np.ndarray,
    level: LevelTraining,
    config: TrainingConfig,
    rng: np.random.Generator,
    device: torch.device,
) -> PatchMap:
    """Random rotation, scale, anisotropy and elastic displacement about a volume index (x,y,z).

    Patches of one slice stay in the plane of that slice.
    """
    flat = np.array(level.patch_kji) == 1
    angles = rng.uniform(-1, 1, 3) * config.rotation_degrees
    rotation = Rotation.from_euler("xyz", np.where(flat[0], [0.0, 0.0, angles[2]], angles), degrees=True)
    scale = np.exp(rng.uniform(-1, 1) * config.log_scale + rng.uniform(-1, 1, 3) * config.log_anisotropy)
    extent_mm = np.array(level.patch_kji) * level.spacing_mm
    control = np.maximum(np.rint(extent_mm / level.elastic_spacing_mm).astype(int) + 1, 3)
    sd = rng.uniform(0, level.elastic_sd_mm) / level.spacing_mm
    elastic = rng.normal(0, sd, (1, 3, *np.where(flat, 1, control)))
    elastic[:, flat[::-1]] = 0.0

    def to_tensor(array: np.ndarray) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=device)

    linear = rotation.as_matrix() * scale
    return PatchMap(level.patch_kji, to_tensor(center), to_tensor(linear), to_tensor(elastic))


def cut(values: Tensor, volume_index: Tensor, padding_value: float) -> Tensor:
    """Trilinear look-up of `[z,y,x]` at indices `[D,H,W,3]` (x,y,z); the padding value outside the volume."""
    size = volume_index.new_tensor(values.shape[::-1])
    flat = volume_index.reshape(-1, 3)
    low = torch.minimum(flat.amin(0).floor().clamp(min=0), size - 2).clamp(min=0)
    high = torch.minimum(torch.maximum(flat.amax(0).ceil() + 1, low + 2), size)
    (x0, y0, z0), (x1, y1, z1) = low.long().tolist(), high.long().tolist()
    box = values[z0:z1, y0:y1, x0:x1].float() - padding_value
    where = (volume_index - low) / (high - low - 1).clamp(min=1) * 2 - 1
    sampled = functional.grid_sample(box[None, None], where[None], align_corners=True, padding_mode="zeros")
    return sampled[0, 0] + padding_value
