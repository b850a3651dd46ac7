"""Where a volume is and what it shows, to be compared with what it was."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from vtk.util.numpy_support import vtk_to_numpy

from ..core.geometry import LPS_FROM_RAS
from .mrml import TransformNode, VolumeNode
from .volumes import ijk_to_ras

_SAMPLED_VOXELS = 1 << 16


@dataclass(frozen=True)
class SavedPlace:
    """The part of a volume's place that is saved with a review: its map (16 numbers) and its size in voxels."""

    ijk_to_ras: tuple[float, ...]
    size_ijk: tuple[int, ...]

    @classmethod
    def of(cls, place: VolumePlace) -> SavedPlace:
        """The part of a place that can be saved."""
        return cls(place.ijk_to_ras, place.size_ijk)

    @classmethod
    def read(cls, values: object) -> SavedPlace | None:
        """What `to_json` gave; None where that is missing or damaged."""
        try:
            numbers = {name: tuple(values[name]) for name in ("ijk_to_ras", "size_ijk")}  # type: ignore[index]
        except (TypeError, KeyError):
            return None
        lengths = [len(numbers["ijk_to_ras"]), len(numbers["size_ijk"])]
        finite = all(isinstance(n, (int, float)) and np.isfinite(n) for row in numbers.values() for n in row)
        return cls(**numbers) if lengths == [16, 3] and finite else None

    def to_json(self) -> dict[str, list[float]]:
        """Plain lists."""
        return {"ijk_to_ras": list(self.ijk_to_ras), "size_ijk": list(self.size_ijk)}


@dataclass(frozen=True)
class VolumePlace(SavedPlace):
    """Where a volume is and what it shows: also a checksum of its voxels, and its parent transform.

    The checksum is that of a sample, so that it takes no time; it tells the frames of a sequence apart, whose voxels
    Slicer copies whenever another frame is shown. `modified` is the voxels' modification time.
    """

    voxels: int
    transform: TransformNode | None
    modified: int = field(default=0, compare=False)

    @classmethod
    def of_volume(cls, volume_node: VolumeNode, known: VolumePlace | None = None) -> VolumePlace:
        """The place of a volume now; `known` is an earlier one, whose checksum is used again where it holds."""
        image = volume_node.GetImageData()
        modified = 0 if image is None else image.GetMTime()
        is_known = known is not None and known.modified == modified
        return cls(
            ijk_to_ras=tuple(ijk_to_ras(volume_node).ravel().tolist()),
            size_ijk=(0, 0, 0) if image is None else tuple(image.GetDimensions()),
            voxels=known.voxels if known is not None and is_known else _checksum(image),
            transform=volume_node.GetParentTransformNode(),
            modified=modified,
        )

    def lps_move_since(self, before: SavedPlace) -> np.ndarray:
        """The 4x4 map in LPS mm of own frames that takes a voxel's place before to its place now."""
        maps = [np.reshape(place.ijk_to_ras, (4, 4)) for place in (self, before)]
        return np.asarray(LPS_FROM_RAS @ maps[0] @ np.linalg.inv(maps[1]) @ LPS_FROM_RAS)


def _checksum(image: Any) -> int:
    scalars = None if image is None else image.GetPointData().GetScalars()
    if scalars is None:
        return 0
    voxels = vtk_to_numpy(scalars).ravel()
    return zlib.crc32(np.ascontiguousarray(voxels[:: max(1, voxels.size // _SAMPLED_VOXELS)]).tobytes())
