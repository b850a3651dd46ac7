"""The longest diameter of a flat region and the longest one perpendicular to it."""

from __future__ import annotations

import numpy as np

_EDGE = np.array([(0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5)])


def longest_diameter(mask: np.ndarray, pixel_mm: float | np.ndarray) -> np.ndarray:
    """Ends `(2, 2)` (column, row) in mm of the longest line between two edges of a mask `[rows, columns]`.

    Counted from the centre of the first pixel. `pixel_mm` is the side of a pixel, or its sides along columns and rows; a
    pixel reaches half of it to each side of its centre.
    """
    rows, columns = np.nonzero(mask)
    points = (np.stack([columns, rows], axis=1)[:, None] + _EDGE).reshape(-1, 2) * pixel_mm
    hull = _outermost(points)
    distance = np.linalg.norm(hull[:, None] - hull[None], axis=-1)
    first, second = np.unravel_index(distance.argmax(), distance.shape)
    ends: np.ndarray = hull[[first, second]]
    return ends


def perpendicular_diameter(
    mask: np.ndarray, pixel_mm: float | np.ndarray, long_ends_mm: np.ndarray
) -> np.ndarray:
    """Ends `(2, 2)` (column, row) in mm of the longest chord of a mask perpendicular to its longest diameter."""
    step = (long_ends_mm[1] - long_ends_mm[0]) / np.linalg.norm(long_ends_mm[1] - long_ends_mm[0])
    across = np.array([-step[1], step[0]])
    rows, columns = np.nonzero(mask)
    points = np.stack([columns, rows], axis=1) * pixel_mm
    side_mm = float(np.max(pixel_mm))
    along_mm, across_mm = points @ step, points @ across
    bins = np.floor((along_mm - along_mm.min()) / side_mm).astype(int)
    low, high = np.full(bins.max() + 1, np.inf), np.full(bins.max() + 1, -np.inf)
    np.minimum.at(low, bins, across_mm)
    np.maximum.at(high, bins, across_mm)
    best = int((high - low).argmax())
    middle = step * float(along_mm[bins == best].mean())
    half = side_mm / 2
    ends: np.ndarray = np.stack([middle + across * (low[best] - half), middle + across * (high[best] + half)])
    return ends


def _outermost(points: np.ndarray) -> np.ndarray:
    """The points that are farthest in one of many directions: all that a longest line can end in, but for a hair."""
    angles = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    projected = points @ np.stack([np.cos(angles), np.sin(angles)])
    corners: np.ndarray = points[np.unique(projected.argmax(axis=0))]
    return corners
