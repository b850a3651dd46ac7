"""A CT volume with its exact place in the patient, and its copy on the canonical grid."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import VolumeWarning
from .geometry import CanonicalGrid, FieldOfView, spacing_of, transform_points
from .resampling import resample_to_grid
from .volume_checks import checked_affine, checked_array, ct_warnings

if TYPE_CHECKING:
    from .volume_files import VolumeContents


@dataclass(frozen=True, eq=False)
class CanonicalVolume:
    """A volume on the canonical grid: float32 `array [z, y, x]`, -1024 to 3071 HU, -1024 outside the scan."""

    array: np.ndarray
    grid: CanonicalGrid


@dataclass(eq=False)
class Volume:
    """A CT volume: HU values `array [z, y, x]` (int16 or float32) and the 4x4 map `ijk_to_lps` to LPS mm.

    The map may turn, flip, stretch and shear. `name` is the file name without its extension (a DICOM folder's
    name), `source` the path it was read from, `warnings` what looked wrong about it. Raises VolumeError where
    the array isn't three-dimensional, has non-finite voxels or fewer than 4 slices, or the map is singular.

    >>> volume = Volume(np.zeros((10, 20, 30), dtype=np.int16), np.diag([1.0, 1.0, 2.5, 1.0]))
    >>> volume.size_ijk, volume.spacing_mm.tolist(), volume.lps_from_index([1, 2, 4]).tolist()
    ((30, 20, 10), [1.0, 1.0, 2.5], [1.0, 2.0, 10.0])
    """

    array: np.ndarray
    ijk_to_lps: np.ndarray
    name: str = "volume"
    source: Path | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        origin = str(self.source or self.name)
        self.array = checked_array(self.array, origin)
        self.ijk_to_lps = checked_affine(self.ijk_to_lps, origin)
        self._lps_to_ijk = np.linalg.inv(self.ijk_to_lps)

    @classmethod
    def read(cls, path: str | os.PathLike) -> Volume:
        """Read a NIfTI, NRRD or MetaImage file, or a folder that holds one DICOM series.

        Raises VolumeError, naming the file, where it can't be read or isn't one scalar 3-D volume. Issues a
        VolumeWarning, kept in `.warnings`, where the values don't look like CT or the header is ambiguous.
        """
        from .volume_files import read_volume_file

        path = Path(path)
        return cls._from_contents(read_volume_file(path), path)

    @classmethod
    def read_series(cls, folder: str | os.PathLike, files: Sequence[str]) -> Volume:
        """Read the DICOM series of which `files`, relative to `folder` and in any order, are the slices.

        What else lies in the folder does not matter. Raises VolumeError and warns as `read` does.
        """
        from .volume_files import read_series_files

        folder = Path(folder)
        return cls._from_contents(read_series_files(folder, files), folder)

    @classmethod
    def _from_contents(cls, contents: VolumeContents, path: Path) -> Volume:
        volume = cls(contents.array, contents.ijk_to_lps, contents.name, path)
        volume.warnings = (*contents.doubts, *ct_warnings(volume.array))
        for message in volume.warnings:
            warnings.warn(f"{path}: {message}", VolumeWarning, stacklevel=3)
        return volume

    @property
    def size_ijk(self) -> tuple[int, int, int]:
        """Number of voxels along i, j and k."""
        return self.array.shape[::-1]

    @property
    def spacing_mm(self) -> np.ndarray:
        """Distance between voxel centres along i, j and k, `(3,)` mm."""
        return spacing_of(self.ijk_to_lps)

    def index_from_lps(self, points_lps: np.ndarray) -> np.ndarray:
        """Fractional index (i, j, k) of points `(..., 3)` in LPS mm."""
        return transform_points(self._lps_to_ijk, points_lps)

    def lps_from_index(self, index_ijk: np.ndarray) -> np.ndarray:
        """LPS mm of fractional indices (i, j, k), `(..., 3)`."""
        return transform_points(self.ijk_to_lps, index_ijk)

    @property
    def field_of_view(self) -> FieldOfView:
        """The region that the voxels cover."""
        return FieldOfView(self.ijk_to_lps, self.size_ijk)

    def distance_to_border_mm(self, points_lps: np.ndarray) -> np.ndarray:
        """Distance in mm from points `(..., 3)` to the nearest end of the volume; see FieldOfView."""
        return self.field_of_view.distance_to_border_mm(points_lps)

    def contains_lps(self, points_lps: np.ndarray) -> np.ndarray:
        """Whether points `(..., 3)` in LPS mm lie inside the volume; bool `(...)`, False for NaN points."""
        return self.distance_to_border_mm(points_lps) > 0

    def canonical(self, spacing_mm: float) -> CanonicalVolume:
        """This volume on the axis-aligned LPS grid of `spacing_mm` that covers it."""
        grid = CanonicalGrid.covering(self.ijk_to_lps, self.size_ijk, spacing_mm)
        return CanonicalVolume(resample_to_grid(self.array, self.ijk_to_lps, grid), grid)
