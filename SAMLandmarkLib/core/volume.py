"""A volume with its exact place in the patient, and its copy on the canonical grid."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..utils.errors import VolumeError, VolumeWarning
from ..utils.translation import _
from .geometry import CanonicalGrid, FieldOfView, spacing_of, transform_points
from .modality import CT, MODALITIES, Modality
from .plausibility import check_geometry, geometry_doubts
from .resampling import resample_to_grid
from .volume_checks import check_in_plane, checked_affine, checked_array, scan_warnings, size_warnings
from .volume_contents import VolumeContents


@dataclass(frozen=True, eq=False)
class CanonicalVolume:
    """A volume on the canonical grid: float32 `array [z, y, x]` within the modality's range, padded outside the scan."""

    array: np.ndarray
    grid: CanonicalGrid
    modality: Modality = CT


@dataclass(eq=False)
class Volume:
    """A volume: intensities `array [z, y, x]` (int16 or float32; HU in CT) and the 4x4 map `ijk_to_lps` to LPS mm.

    The map may turn, flip, stretch and shear. `name` is the file name without its extension (a DICOM folder's
    name), `source` the path it was read from, `warnings` what looked wrong about it, `modality` the kind of image.
    Raises VolumeError where the array isn't three-dimensional, has non-finite voxels or fewer than 4 slices (of a
    modality with two spatial axes: other than one), or the map is singular.

    >>> volume = Volume(np.zeros((10, 20, 30), dtype=np.int16), np.diag([1.0, 1.0, 2.5, 1.0]))
    >>> volume.size_ijk, volume.spacing_mm.tolist(), volume.lps_from_index([1, 2, 4]).tolist()
    ((30, 20, 10), [1.0, 1.0, 2.5], [1.0, 2.0, 10.0])
    """

    array: np.ndarray
    ijk_to_lps: np.ndarray
    name: str = "volume"
    source: Path | None = None
    warnings: tuple[str, ...] = ()
    modality: Modality = CT

    def __post_init__(self) -> None:
        origin = str(self.source or self.name)
        self.array = checked_array(self.array, origin, self.modality.spatial_axes)
        self.ijk_to_lps = checked_affine(self.ijk_to_lps, origin)
        check_geometry(self.ijk_to_lps, self.size_ijk, origin)
        self._lps_to_ijk = np.linalg.inv(self.ijk_to_lps)

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        series: Sequence[str] = (),
        modality: Modality | None = None,
        pixel_spacing_mm: float | None = None,
    ) -> Volume:
        """Read a NIfTI, NRRD or MetaImage file, a folder that holds one DICOM series, or a radiograph.

        Of a folder with several series that are volumes it reads the one whose number or UID is in `series`. Where no
        `modality` is named, the file tells it: radiographs are DICOM images (CR, DX), pictures (PNG, JPEG, TIFF) and
        volumes of one slice. `pixel_spacing_mm` is of radiographs whose files don't say how large a pixel is.

        Raises VolumeError, naming the file, where it can't be read or isn't one scalar 3-D volume. Issues a
        VolumeWarning, kept in `.warnings`, where the values don't look like the modality or the header is ambiguous.
        """
        from ..io.volume_files import read_volume_file

        path = Path(path)
        return cls._from_contents(read_volume_file(path, series, pixel_spacing_mm), path, modality)

    @classmethod
    def read_series(
        cls, folder: str | os.PathLike[str], files: Sequence[str], modality: Modality | None = None
    ) -> Volume:
        """Read the DICOM series of which `files`, relative to `folder` and in any order, are the slices.

        What else lies in the folder does not matter; where no `modality` is named, the series tells it. Raises VolumeError
        and warns as `read` does.
        """
        from ..io.volume_files import read_series_files

        folder = Path(folder)
        return cls._from_contents(read_series_files(folder, files), folder, modality)

    @classmethod
    def _from_contents(cls, contents: VolumeContents, path: Path, modality: Modality | None = None) -> Volume:
        shown = MODALITIES[contents.modality]
        modality = modality or shown
        if shown.spatial_axes == 2 and modality.spatial_axes == 3:
            raise VolumeError(_no_scan(path, shown, modality))
        volume = cls(contents.array, contents.ijk_to_lps, contents.name, path, modality=modality)
        volume.warnings = (*contents.doubts, *volume.doubts())
        for message in volume.warnings:
            warnings.warn(f"{path}: {message}", VolumeWarning, stacklevel=3)
        return volume

    def doubts(self) -> tuple[str, ...]:
        """What looks wrong about the place and the values of this volume, whatever it was read from."""
        return (
            *geometry_doubts(self.ijk_to_lps, self.size_ijk),
            *scan_warnings(self.array, self.modality),
            *size_warnings(self.ijk_to_lps, self.size_ijk, self.modality),
        )

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
        """This volume on the axis-aligned LPS grid of `spacing_mm` that covers it, its intensities normalised.

        Raises VolumeError where an image of one slice does not lie in the plane of L and P, as the grid does.
        """
        axes = self.modality.spatial_axes
        if axes == 2:
            check_in_plane(self.ijk_to_lps, str(self.source or self.name))
        grid = CanonicalGrid.covering(self.ijk_to_lps, self.size_ijk, spacing_mm, axes)
        array = self.modality.normalised(self.array)
        resampled = resample_to_grid(array, self.ijk_to_lps, grid, self.modality)
        return CanonicalVolume(resampled, grid, self.modality)


def _no_scan(path: Path, shown: Modality, wanted: Modality) -> str:
    other = _(
        "{path} is of the modality {shown}, but the model is of {wanted}; choose the model of its modality."
    )
    return other.format(path=str(path), shown=shown.title, wanted=wanted.title)
