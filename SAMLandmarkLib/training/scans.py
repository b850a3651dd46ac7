"""Images for training, on canonical grids."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..core.geometry import CanonicalGrid
from ..core.modality import Modality
from ..core.resampling import resample_to_grid
from ..core.volume import Volume
from ..io.volume_paths import PICTURE_SUFFIXES, volume_files, volume_name
from ..utils.errors import SAMLandmarkError, UsageError

logger = logging.getLogger(__name__)

LABEL_MAPS = "label-maps"
"""Folder of label maps in FreeSurfer's numbering, of which images of any contrast are made."""


def scans_below(
    directory: Path, modality: Modality, spacing_mm: float, pixel_spacing_mm: float | None = None
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Name, group and values `[z,y,x]` of every image below a folder: int16 HU, float16 grey values of radiographs.

    Unreadable ones are logged and left out. Raises UsageError where pictures are to be read whose pixel spacing is not
    stated.
    """
    kept = np.int16 if modality.stores_integers else np.float16
    for path in volume_files(directory, recursive=True):
        parts = path.relative_to(directory).parts
        if pixel_spacing_mm is None and path.name.lower().endswith(PICTURE_SUFFIXES):
            raise UsageError("Say how large a pixel of the films is: --pixel-spacing MM.")
        try:
            volume = Volume.read(path, modality=modality, pixel_spacing_mm=pixel_spacing_mm)
            array = volume.canonical(spacing_mm).array
        except SAMLandmarkError as error:
            logger.warning("left out of training: %s", error)
            continue
        whole = np.rint(array) if modality.stores_integers else array
        yield volume_name(path), parts[0] if len(parts) > 1 else "", whole.astype(kept)


def heads_below(
    directory: Path, modality: Modality, spacing_mm: float, outside: float
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Name, group and values of every head below a folder: float16 `[contrast,z,y,x]`, int16 labels `[z,y,x]`.

    Files of one folder named PATIENT_CONTRAST are one patient in several contrasts, whose coordinates are the same: all
    are resampled to the grid of the largest, and are `outside` where they do not reach. In the folder LABEL_MAPS lie label
    maps. Unreadable files are logged and left out.
    """
    patients: dict[tuple[Path, str], list[Path]] = {}
    for path in volume_files(directory, recursive=True):
        name = volume_name(path)
        patient = name if path.parent.name == LABEL_MAPS else name.rpartition("_")[0] or name
        patients.setdefault((path.parent, patient), []).append(path)
    for (folder, patient), paths in patients.items():
        parts = (folder / patient).relative_to(directory).parts
        group = parts[0] if len(parts) > 1 else ""
        volumes = [volume for path in paths if (volume := _readable(path, modality)) is not None]
        if not volumes:
            continue
        volumes.sort(key=_extent, reverse=True)
        grid = CanonicalGrid.covering(volumes[0].ijk_to_lps, volumes[0].size_ijk, spacing_mm)
        if group == LABEL_MAPS:
            yield patient, group, labels_on_grid(volumes[0], grid)
        else:
            images = [_on_grid(volume, grid, outside) for volume in volumes]
            yield patient, group, np.stack(images).astype(np.float16)


def labels_on_grid(volume: Volume, grid: CanonicalGrid) -> np.ndarray:
    """The labels `[z,y,x]`, int16, of the voxels nearest to those of a grid; 0 outside."""
    k, j, i = np.indices(grid.shape_kji)
    index = np.rint(volume.index_from_lps(grid.lps_from_index(np.stack([i, j, k], axis=-1)))).astype(int)
    inside = ((index >= 0) & (index < volume.size_ijk)).all(axis=-1)
    x, y, z = np.clip(index, 0, np.array(volume.size_ijk) - 1).transpose(3, 0, 1, 2)
    return np.where(inside, volume.array[z, y, x], 0).astype(np.int16)


def _extent(volume: Volume) -> float:
    return float(np.prod(volume.spacing_mm * volume.size_ijk))


def _on_grid(volume: Volume, grid: CanonicalGrid, outside: float) -> np.ndarray:
    """The normalised values `[z,y,x]` on a grid, and `outside` beyond the volume."""
    values = volume.modality.normalised(volume.array)
    image = resample_to_grid(values, volume.ijk_to_lps, grid, volume.modality)
    k, j, i = np.indices(grid.shape_kji)
    there = volume.contains_lps(grid.lps_from_index(np.stack([i, j, k], axis=-1)))
    return np.where(there, image, outside)


def _readable(path: Path, modality: Modality) -> Volume | None:
    try:
        return Volume.read(path, modality=modality)
    except SAMLandmarkError as error:
        logger.warning("left out of training: %s", error)
        return None
