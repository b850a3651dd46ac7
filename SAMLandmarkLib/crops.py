"""Axial and coronal crops around a point, and the grey-level window that shows them well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .volume import Volume


@dataclass(frozen=True)
class Window:
    """A grey-level window: its name, and the HU that are shown black and white."""

    name: str
    black_hu: float
    white_hu: float


SOFT_TISSUE = Window("soft tissue", -160.0, 240.0)
LUNG = Window("lung", -1350.0, 150.0)
# For bone, and for vessels full of contrast medium: calcifications stay apart from both.
WIDE = Window("wide", -250.0, 750.0)
BONE = Window("bone", -500.0, 1300.0)

# Aerated lung; the air around the patient is darker.
_LUNG_HU = (-950.0, -500.0)
_BRIGHT_HU = (200.0, np.inf)


def axial_crop(volume: Volume, centre_lps: np.ndarray, width_mm: float, pixels: int) -> np.ndarray:
    """A square axial cut through `centre_lps` (LPS mm), `width_mm` wide, as float32 HU `[pixels, pixels]`.

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


def window_for(crop: np.ndarray) -> Window:
    """The window for a crop, judged by its centre: lung, bright (bone, contrast medium) or soft tissue.

    >>> window_for(np.full((100, 100), -850.0)).name
    'lung'
    """
    if _share_between(_central_part(crop, 0.3), *_LUNG_HU) > 0.4:
        return LUNG
    return WIDE if _share_between(_central_part(crop, 0.12), *_BRIGHT_HU) > 0.15 else SOFT_TISSUE


def _share_between(crop: np.ndarray, low_hu: float, high_hu: float) -> float:
    return float(np.mean((crop > low_hu) & (crop < high_hu)))


def _central_part(crop: np.ndarray, share: float) -> np.ndarray:
    margins = [round(size * (1 - share) / 2) for size in crop.shape]
    return crop[tuple(slice(margin, size - margin) for margin, size in zip(margins, crop.shape, strict=True))]
