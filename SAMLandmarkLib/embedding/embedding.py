"""The embedding of one volume: unit vectors on two grids, and the volume's place in the patient."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..geometry import CanonicalGrid, FieldOfView


@dataclass(frozen=True)
class Level:
    """Unit vectors `[D,H,W,C]` on a canonical grid."""

    vectors: Tensor
    grid: CanonicalGrid

    def at(self, points_lps: np.ndarray) -> Tensor:
        """Unit vectors `(n,C)` float32, interpolated trilinearly at points `(n,3)` in LPS mm."""
        index = torch.as_tensor(
            self.grid.index_from_lps(points_lps), dtype=torch.float32, device=self.vectors.device
        )
        return functional.normalize(_trilinear(self.vectors, index), dim=1)


@dataclass(frozen=True)
class Image:
    """HU int16 `[D,H,W]` on a canonical grid."""

    hu: Tensor
    grid: CanonicalGrid

    def cubes(self, centers_lps: np.ndarray, half: int, step_mm: float) -> Tensor:
        """HU `[n,s,s,s]` float32 around points `(n,3)` (LPS mm), `half` steps to each side, interpolated trilinearly.

        Beyond the border the HU of the border are repeated.
        """
        device = self.hu.device
        center = torch.as_tensor(self.grid.index_from_lps(centers_lps), dtype=torch.float32, device=device)
        steps = torch.arange(-half, half + 1, device=device) * (step_mm / self.grid.spacing_mm)
        index, fraction = zip(
            *(
                _neighbors(center[:, axis, None] + steps, size)
                for axis, size in zip((2, 1, 0), self.hu.shape, strict=True)
            ),
            strict=True,
        )
        z, y, x = index
        cubes = self.hu[z[:, :, None, None], y[:, None, :, None], x[:, None, None, :]].float()
        for part in fraction:
            # the axes take turns at being the first, so after three times they are in order again
            pairs = cubes.unflatten(1, (-1, 2)).movedim(1, -1)
            cubes = torch.lerp(pairs[:, 0], pairs[:, 1], part[:, None, None, :])
        return cubes


@dataclass(frozen=True, eq=False)
class Embedding:
    """What matching needs of a volume.

    The fine vectors are float16, the coarse ones in the format that the device multiplies fastest; the image is what
    was embedded.
    `anchors_lps` `(m,3)` are random points in tissue, from which a pair's correspondences are made; `seconds` tells
    what the steps took.
    """

    name: str
    fine: Level
    coarse: Level
    image: Image
    anchors_lps: np.ndarray
    field_of_view: FieldOfView
    source: str | None = None
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


def _trilinear(vectors: Tensor, index: Tensor) -> Tensor:
    """Interpolate `[D,H,W,C]` at fractional indices `(n,3)` (x,y,z), clamped to the grid."""
    size = index.new_tensor(vectors.shape[2::-1])
    index = torch.minimum(index.clamp(min=0), size - 1)
    low = torch.minimum(index.floor(), (size - 2).clamp(min=0))
    fraction = index - low
    result = index.new_zeros(len(index), vectors.shape[3])
    for corner in range(8):
        step = index.new_tensor([corner & 1, corner >> 1 & 1, corner >> 2])
        weight = torch.where(step > 0, fraction, 1 - fraction).prod(dim=1, keepdim=True)
        x, y, z = torch.minimum(low + step, size - 1).long().T
        result += weight * vectors[z, y, x].float()
    return result


def _neighbors(index: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The two cells around each fractional index `(n,s)`, side by side `(n,2s)`, and the weight of the second one."""
    index = index.clamp(0, size - 1)
    low = index.floor()
    pairs = torch.stack([low, (low + 1).clamp(max=size - 1)], dim=-1)
    return pairs.flatten(1).long(), index - low
