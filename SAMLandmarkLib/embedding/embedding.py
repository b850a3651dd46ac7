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
class Embedding:
    """What matching needs of a volume.

    The fine vectors are float16, the coarse ones in the format that the device multiplies fastest.
    `anchors_lps` `(m,3)` are random points in tissue, from which a pair's correspondences are made; `seconds` tells
    what the steps took.
    """

    name: str
    fine: Level
    coarse: Level
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
