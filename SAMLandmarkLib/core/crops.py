"""Axial and coronal crops around a point."""

from __future__ import annotations

import numpy as np

from .volume import Volume


def axial_crop(volume: Volume, centre_lps: np.ndarray, width_mm: float, pixels: int) -> np.ndarray:
    """A square axial cut through `centre_lps` (LPS mm), `width_mm` wide, as float32 in the unit of the volume `[pixels, pixels]`.

    Rows run from anterior to posterior and columns from the patient's right to left, as radiologists look at
    axial slices. Linear interpolation; NaN outside the volume.
    """
    return _crop(volume, centre_lps, width_mm, pixels, (0.0, 1.0, 0.0))


def coronal_crop(volume: Volume, centre_lps: np.ndarray, width_mm: float, pixels: int) -> np.ndarray:
    """The same for a coronal cut: rows run from superior to inferior, columns from the patient's right to left."""
    return _crop(volume, centre_lps, width_mm, pixels, (0.0, 0.0, -1.0))


def _crop(
    volume: Volume, centre_lps: np.ndarray, width_mm: float, pixels: int, down_lps: tuple[float, float, float]
) -> np.ndarray:
    offsets = ((np.arange(pixels) + 0.5) / pixels - 0.5) * width_mm
    rows, columns = offsets[:, None, None] * down_lps, offsets[None, :, None] * (1.0, 0.0, 0.0)
    return sample_linear(volume, centre_lps + rows + columns)


def sample_linear(volume: Volume, points_lps: np.ndarray) -> np.ndarray:
    """Linear interpolation at `points_lps` `(..., 3)` mm, float32 `(...)`; NaN outside the volume."""
    size = np.array(volume.size_ijk)
    index = np.clip(volume.index_from_lps(points_lps), 0, size - 1)
    lower = np.minimum(index.astype(int), size - 2)
    upper_share = (index - lower).astype(np.float32)
    shares = (1 - upper_share, upper_share)
    values = np.zeros(index.shape[:-1], dtype=np.float32)
    for corner in np.ndindex(2, 2, 2):
        share_i, share_j, share_k = (shares[step][..., axis] for axis, step in enumerate(corner))
        i, j, k = (lower[..., axis] + step for axis, step in enumerate(corner))
        values += share_i * share_j * share_k * volume.array[k, j, i]
    return np.where(volume.contains_lps(points_lps), values, np.float32(np.nan))
