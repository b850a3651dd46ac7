"""Scans of any size from a small one, to measure time and memory with."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.volume import Volume


def tiled_volume(
    volume: Volume, size_ijk: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> Volume:
    """The voxels of a scan repeated until they fill a grid of `size_ijk`, and taken to lie `spacing_mm` apart."""
    repeats = [-(-wanted // have) for wanted, have in zip(size_ijk[::-1], volume.array.shape, strict=True)]
    array = np.tile(volume.array, repeats)[tuple(slice(0, size) for size in size_ijk[::-1])]
    return Volume(np.ascontiguousarray(array), np.diag([*spacing_mm, 1.0]), volume.name)


def write_uncompressed(path: Path, volume: Volume) -> None:
    """Write an axis-aligned volume as it is."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetOrigin(volume.ijk_to_lps[:3, 3].tolist())
    sitk.WriteImage(image, str(path), useCompression=False)
