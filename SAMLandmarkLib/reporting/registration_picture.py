"""A picture of how well two scans fit after registration: checkerboard and difference in three planes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..core.crops import sample_linear
from ..core.geometry import voxel_edge_bounds
from ..core.grey_windows import GreyWindow
from ..core.volume import Volume
from ..utils.errors import OutputError
from ..utils.files import atomic_path

PIXELS = 320
TILE_PIXELS = 32
GAP_PIXELS = 4
MOST_DIFFERENT = 0.4
"""The difference that is shown black or white, as a part of the window."""
_PLANES = (
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
)
"""Of axial, coronal and sagittal cuts the directions of columns and rows, LPS."""


def write_registration_picture(path: Path, template: Volume, registered: Volume) -> None:
    """Write a PNG of axial, coronal and sagittal cuts through the middle of the template.

    The rows show the template, the registered target, a checkerboard of both, and their difference (grey: none).
    `registered` lies on any voxels in the template's frame. Raises OutputError.
    """
    import SimpleITK as sitk

    cuts = list(_cuts(template, registered))
    window = template.modality.overview_of(np.concatenate([own for own, _other in cuts]))
    columns = [np.concatenate(list(_panels(*pair, window))) for pair in cuts]
    image = sitk.GetImageFromArray(np.concatenate(columns, axis=1))
    with atomic_path(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary))
        except RuntimeError as error:
            raise OutputError(f"{path} can't be written; check the folder and its permissions.") from error


def _cuts(template: Volume, registered: Volume) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same cut of both volumes `[rows, columns]`, NaN outside, for each plane."""
    lower, upper = voxel_edge_bounds(template.ijk_to_lps, template.size_ijk)
    width_mm = float((upper - lower).max())
    offsets = ((np.arange(PIXELS) + 0.5) / PIXELS - 0.5) * width_mm
    for across, down in _PLANES:
        places = (lower + upper) / 2 + offsets[:, None, None] * down + offsets[None, :, None] * across
        yield sample_linear(template, places), sample_linear(registered, places)


def _panels(template: np.ndarray, registered: np.ndarray, window: GreyWindow) -> Iterator[np.ndarray]:
    rows, columns = np.indices(template.shape) // TILE_PIXELS
    checkerboard = np.where((rows + columns) % 2 == 0, template, registered)
    width = window.white - window.black
    for values in (template, registered, checkerboard):
        yield _framed((values - window.black) / width)
    yield _framed(0.5 + (registered - template) / (2 * MOST_DIFFERENT * width))


def _framed(shares: np.ndarray) -> np.ndarray:
    """Grey levels `[rows, columns]` uint8 of values from 0 to 1, black where there are none, with a gap around."""
    grey = np.nan_to_num(np.clip(shares, 0, 1)) * 255
    return np.pad(grey.astype(np.uint8), GAP_PIXELS)
