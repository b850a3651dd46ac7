"""Images of two modalities that the library does not know, cut out of one texture, so that every answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.modality import BodyRule, InputNormalisation, Modality
from SAMLandmarkLib.core.volume import Volume

FILM = Modality(
    name="film",
    title="toy radiograph",
    spatial_axes=2,
    unit="‰",
    normalisation=InputNormalisation(windows=((0.0, 1000.0),), percentiles=(1.0, 99.0)),
    intensity_range=(0.0, 1000.0),
    padding_value=0.0,
    body=BodyRule(threshold=None),
)
SOLID = replace(
    FILM,
    name="solid",
    title="toy volume",
    spatial_axes=3,
    body=BodyRule(threshold=50.0, margin_mm=8.0, least_voxels=5),
)
SHIFT_LPS = {2: np.array([16.0, -8.0, 0.0]), 3: np.array([8.0, -8.0, 16.0])}


def texture(spatial_axes: int, seed: int = 3) -> np.ndarray:
    """Smooth noise `[z,y,x]` of which scans are cut out."""
    shape = (1, 160, 160) if spatial_axes == 2 else (64, 72, 72)
    noise = np.random.default_rng(seed).normal(size=shape)
    sigma = (0, 3, 3) if spatial_axes == 2 else 3
    smooth = gaussian_filter(noise, sigma)
    return (100 * (smooth - smooth.min()) / smooth.std()).astype(np.float32)


def scans(modality: Modality) -> tuple[Volume, Volume]:
    """Two cuts of one texture, at 2 mm: what lies at p in the first lies at p + shift in the second."""
    whole = texture(modality.spatial_axes)
    cells = (SHIFT_LPS[modality.spatial_axes] / 2).astype(int)
    size = np.array(whole.shape[::-1]) - np.abs(cells)
    starts = np.maximum(cells, 0), np.maximum(-cells, 0)
    cut = [
        whole[tuple(slice(a, a + n) for a, n in zip(start[::-1], size[::-1], strict=True))]
        for start in starts
    ]
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    template, target = (
        Volume(part, affine, name, modality=modality) for part, name in zip(cut, "ab", strict=True)
    )
    return template, target


def landmarks_of(modality: Modality, template: Volume) -> LandmarkSet:
    """Six points in the middle of the first scan."""
    low, high = np.array(template.size_ijk) * 0.35, np.array(template.size_ijk) * 0.65
    index = np.random.default_rng(5).uniform(low, high, (6, 3))
    if modality.spatial_axes == 2:
        index[:, 2] = 0
    return LandmarkSet.from_points([f"p{number}" for number in range(6)], template.lps_from_index(index))
