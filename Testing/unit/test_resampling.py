"""The canonical copy of a scan has the right values at the right places, whatever its native grid."""

from __future__ import annotations

import numpy as np
import pytest

from SAMLandmarkLib.core import resampling
from SAMLandmarkLib.core.geometry import CanonicalGrid, transform_points
from SAMLandmarkLib.core.modality import CT
from SAMLandmarkLib.core.resampling import resample_to_grid

BLOBS_LPS = np.array([[12.3, -7.7, 21.4], [-15.2, 9.1, -3.3]])
BLOB_WIDTH_MM = 6.0
TURN = np.array([[np.cos(0.3), -np.sin(0.3), 0.0], [np.sin(0.3), np.cos(0.3), 0.0], [0.0, 0.0, 1.0]])
ANISOTROPIC = (1.1, 0.9, 2.3)
EXTENT_MM = 80.0


def native_grid(direction: np.ndarray, spacing: tuple[float, ...]) -> tuple[tuple[int, ...], np.ndarray]:
    """Size (i, j, k) and `ijk_to_lps` of a volume of about EXTENT_MM, centred near LPS (1.2, 2.3, 8.9)."""
    size = np.round(EXTENT_MM / np.array(spacing)).astype(int)
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = direction * np.array(spacing)
    ijk_to_lps[:3, 3] = np.array([1.234, 2.345, 8.9]) - ijk_to_lps[:3, :3] @ ((size - 1) / 2)
    return tuple(size.tolist()), ijk_to_lps


def voxel_centres_lps(ijk_to_lps: np.ndarray, shape_kji: tuple[int, ...]) -> np.ndarray:
    k, j, i = np.indices(shape_kji)
    return transform_points(ijk_to_lps, np.stack([i, j, k], axis=-1))


def blobs_at(points_lps: np.ndarray) -> np.ndarray:
    """Two Gaussian blobs of 500 HU in air at BLOBS_LPS, as a function of the place in the patient."""
    squares = ((points_lps[..., None, :] - BLOBS_LPS) ** 2).sum(axis=-1)
    return -1000.0 + 1500.0 * np.exp(-squares / (2 * BLOB_WIDTH_MM**2)).sum(axis=-1)


def canonical_blobs(direction: np.ndarray, spacing: tuple[float, ...]) -> tuple[np.ndarray, CanonicalGrid]:
    size, ijk_to_lps = native_grid(direction, spacing)
    array = blobs_at(voxel_centres_lps(ijk_to_lps, size[::-1])).round().astype(np.int16)
    grid = CanonicalGrid.covering(ijk_to_lps, size, 2.0)
    return resample_to_grid(array, ijk_to_lps, grid), grid


def centroids_lps(array: np.ndarray, grid: CanonicalGrid) -> np.ndarray:
    """Centre of mass in LPS mm of each blob, from the voxels within three widths of it."""
    points = voxel_centres_lps(grid.ijk_to_lps, array.shape)
    masses = [
        np.clip(array + 1000, 0, None) * (((points - blob) ** 2).sum(axis=-1) < (3 * BLOB_WIDTH_MM) ** 2)
        for blob in BLOBS_LPS
    ]
    return np.array([(points * mass[..., None]).sum(axis=(0, 1, 2)) / mass.sum() for mass in masses])


def inside(
    direction: np.ndarray, spacing: tuple[float, ...], grid: CanonicalGrid, margin_mm: float
) -> np.ndarray:
    """Which voxels of the grid lie at least `margin_mm` inside the native volume."""
    size, ijk_to_lps = native_grid(direction, spacing)
    points = voxel_centres_lps(grid.ijk_to_lps, grid.shape_kji)
    index = transform_points(np.linalg.inv(ijk_to_lps), points)
    margin = margin_mm / np.array(spacing)
    return ((index > margin - 0.5) & (index < np.array(size) - 0.5 - margin)).all(axis=-1)


def test_blobs_stay_within_a_twentieth_of_a_millimetre(direction: np.ndarray) -> None:
    array, grid = canonical_blobs(direction, ANISOTROPIC)
    assert array.shape == grid.shape_kji
    assert array.dtype == np.float32
    assert np.linalg.norm(centroids_lps(array, grid) - BLOBS_LPS, axis=1).max() < 0.05


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("spacing", [(0.75, 0.75, 1.0), (0.8, 0.8, 5.0), (2.0, 2.0, 2.0), (3.9, 3.9, 2.5)])
def test_blobs_stay_in_place_at_every_native_spacing(spacing: tuple, turned: bool) -> None:
    array, grid = canonical_blobs(TURN if turned else np.eye(3), spacing)
    assert np.linalg.norm(centroids_lps(array, grid) - BLOBS_LPS, axis=1).max() < 0.05


def test_values_are_right_at_every_place(direction: np.ndarray) -> None:
    # The triangles of a 2 mm grid widen a blob by 2²/6 mm² at least, and no more than that is left.
    spacing = (1.0, 1.0, 1.5)
    array, grid = canonical_blobs(direction, spacing)
    expected = blobs_at(voxel_centres_lps(grid.ijk_to_lps, array.shape))
    difference = (array - expected)[inside(direction, spacing, grid, margin_mm=3.0)]
    assert np.abs(difference).max() < 75
    assert np.abs(difference).mean() < 4


def test_a_turned_scan_is_as_sharp_as_one_that_is_not() -> None:
    spreads = []
    for direction in (np.eye(3), TURN):
        array, grid = canonical_blobs(direction, (0.75, 0.75, 0.75))
        spreads.append(spread_of_first_blob(array, grid))
    assert spreads[1] == pytest.approx(spreads[0], abs=0.2)
    # Three times the variance of a triangle of 2 mm, on top of the blob's own.
    assert spreads[0] == pytest.approx(3 * BLOB_WIDTH_MM**2 + 3 * 2.0**2 / 6, abs=0.2)


def spread_of_first_blob(array: np.ndarray, grid: CanonicalGrid) -> float:
    """Mean squared distance in mm² of the first blob's mass from its centre."""
    mass = array + 1000
    distances = ((voxel_centres_lps(grid.ijk_to_lps, array.shape) - BLOBS_LPS[0]) ** 2).sum(axis=-1)
    mass = np.where(distances < (4 * BLOB_WIDTH_MM) ** 2, mass, 0)
    return float((mass * distances).sum() / mass.sum())


def test_outside_the_scan_is_air_and_inside_is_not(direction: np.ndarray) -> None:
    spacing = ANISOTROPIC
    size, ijk_to_lps = native_grid(direction, spacing)
    grid = CanonicalGrid.covering(ijk_to_lps, size, 2.0)
    result = resample_to_grid(np.full(size[::-1], 40, np.int16), ijk_to_lps, grid)
    assert result[inside(direction, spacing, grid, margin_mm=0.01)] == pytest.approx(40, abs=1e-3)
    outside = ~inside(direction, spacing, grid, margin_mm=-0.01)
    assert (result[outside] == CT.padding_value).all()


def test_a_linear_ramp_comes_out_as_the_same_ramp(axis_direction: np.ndarray) -> None:
    size, ijk_to_lps = native_grid(axis_direction, (1.0, 1.0, 1.5))
    slope = np.array([3.0, -4.0, 5.0])
    array = (voxel_centres_lps(ijk_to_lps, size[::-1]) @ slope).astype(np.float32)
    grid = CanonicalGrid.covering(ijk_to_lps, size, 2.0)
    difference = (
        resample_to_grid(array, ijk_to_lps, grid) - voxel_centres_lps(grid.ijk_to_lps, grid.shape_kji) @ slope
    )
    assert np.abs(difference[2:-2, 2:-2, 2:-2]).max() < 1e-3


def test_fine_stripes_are_averaged_and_not_aliased() -> None:
    stripes = np.where(np.arange(120) % 2, 900, -900).astype(np.int16)
    array = np.broadcast_to(stripes, (120, 120, 120))
    ijk_to_lps = np.diag([0.5, 0.5, 0.5, 1.0])
    result = resample_to_grid(array, ijk_to_lps, CanonicalGrid.covering(ijk_to_lps, (120, 120, 120), 2.0))
    assert np.abs(result[:, :, 1:-1]).max() < 1.0


def test_padding_is_clipped_before_it_can_bleed() -> None:
    array = np.full((20, 20, 20), 0, np.int16)
    array[:, :, :10] = -30000
    array[:, :, 15:] = 30000
    result = resample_to_grid(array, np.eye(4), CanonicalGrid.covering(np.eye(4), (20, 20, 20), 1.0))
    assert np.unique(result).tolist() == [-1024.0, 0.0, 3071.0]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_the_type_of_the_voxels_does_not_matter(dtype: type) -> None:
    array = np.random.default_rng(0).integers(0, 200, (10, 11, 12)).astype(dtype)
    grid = CanonicalGrid.covering(np.eye(4), (12, 11, 10), 2.0)
    assert np.array_equal(
        resample_to_grid(array, np.eye(4), grid), resample_to_grid(array.astype(np.int16), np.eye(4), grid)
    )


def test_the_input_is_left_as_it_was() -> None:
    array = np.random.default_rng(0).uniform(-3000, 4000, (10, 11, 12)).astype(np.float32)
    before = array.copy()
    resample_to_grid(array, np.eye(4), CanonicalGrid.covering(np.eye(4), (12, 11, 10), 2.0))
    assert np.array_equal(array, before)


def test_a_grid_of_its_own_returns_the_voxels_themselves() -> None:
    array = np.random.default_rng(0).integers(-1000, 3000, (10, 11, 12)).astype(np.int16)
    result = resample_to_grid(array, np.eye(4), CanonicalGrid.covering(np.eye(4), (12, 11, 10), 1.0))
    assert np.array_equal(result, array)


def test_a_volume_of_many_slabs_is_the_product_of_three_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "_SLAB_BYTES", 7 * 4 * 50 * 40)
    array = np.random.default_rng(1).integers(-1000, 2000, (60, 50, 40)).astype(np.int16)
    ijk_to_lps = np.diag([0.8, -0.9, 1.5, 1.0])
    grid = CanonicalGrid.covering(ijk_to_lps, (40, 50, 60), 2.0)
    weights = [
        triangle_weights(size, ijk_to_lps[lps, lps], grid, lps) for lps, size in enumerate((40, 50, 60))
    ]
    expected = np.einsum("zk,yj,xi,kji->zyx", *reversed(weights), array, optimize=True)
    assert resample_to_grid(array, ijk_to_lps, grid) == pytest.approx(expected, abs=0.01)


def triangle_weights(size: int, step_mm: float, grid: CanonicalGrid, lps: int) -> np.ndarray:
    """The same weights said in other words: voxel by voxel, in mm, as two equations for each row."""
    weights = np.zeros((grid.size_ijk[lps], size))
    half_width = max(grid.spacing_mm, abs(step_mm))
    voxels = np.arange(-10, size + 10)
    for row, weight in enumerate(weights):
        offsets = voxels * step_mm - (grid.origin_lps[lps] + row * grid.spacing_mm)
        triangle = np.maximum(0, 1 - np.abs(offsets) / half_width)
        moments = np.array([[(triangle * offsets ** (i + j)).sum() for j in (0, 1)] for i in (0, 1)])
        constant, slope = np.linalg.solve(moments, (1, 0))
        # Beyond the ends the last voxel goes on.
        np.add.at(weight, np.clip(voxels, 0, size - 1), triangle * (constant + slope * offsets))
    return weights
