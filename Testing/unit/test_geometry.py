"""Frames and the canonical grid, checked against ITK and over every orientation that a scan can have."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from SAMLandmarkLib.core.geometry import (
    LPS_FROM_RAS,
    CanonicalGrid,
    affine_from_parts,
    spacing_of,
    swap_lps_ras,
    transform_points,
    voxel_edge_bounds,
)


def test_ras_and_lps_differ_by_the_sign_of_the_first_two_coordinates() -> None:
    points = np.array([[1.0, 2.0, 3.0], [-4.0, 5.0, -6.0]])
    expected = [[-1.0, -2.0, 3.0], [4.0, -5.0, -6.0]]
    assert swap_lps_ras(points).tolist() == expected
    assert transform_points(LPS_FROM_RAS, points).tolist() == expected
    assert swap_lps_ras(swap_lps_ras(points)).tolist() == points.tolist()


def test_the_frame_constant_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        LPS_FROM_RAS[0, 0] = 1.0


def test_transform_points_keeps_any_leading_shape_and_nan() -> None:
    affine = affine_from_parts((1, 2, 3), (2, 2, 2), np.eye(3))
    points = np.zeros((4, 5, 3))
    points[0, 0] = np.nan
    moved = transform_points(affine, points)
    assert moved.shape == (4, 5, 3)
    assert np.isnan(moved[0, 0]).all()
    assert moved[1, 1].tolist() == [1.0, 2.0, 3.0]


def test_affine_from_parts_places_voxels_where_itk_does(direction: np.ndarray) -> None:
    image = sitk.Image(10, 20, 30, sitk.sitkInt16)
    image.SetOrigin((-120.5, 33.25, 840.0))
    image.SetSpacing((0.7, 0.9, 2.5))
    image.SetDirection(direction.ravel().tolist())
    affine = affine_from_parts(image.GetOrigin(), image.GetSpacing(), image.GetDirection())
    for index in [(0.0, 0.0, 0.0), (9.0, 0.0, 29.0), (3.25, 17.5, 11.75)]:
        expected = image.TransformContinuousIndexToPhysicalPoint(index)
        assert transform_points(affine, index) == pytest.approx(expected, abs=1e-9)


def test_spacing_does_not_depend_on_the_orientation(axis_direction: np.ndarray) -> None:
    assert spacing_of(affine_from_parts((5, 6, 7), (0.7, 0.9, 2.5), axis_direction)) == pytest.approx(
        (0.7, 0.9, 2.5)
    )


@pytest.mark.parametrize("spacing_mm", [1.0, 2.0, 3.3])
def test_the_grid_covers_every_voxel_and_no_more(direction: np.ndarray, spacing_mm: float) -> None:
    size = (20, 30, 12)
    affine = affine_from_parts((-12.0, 7.5, 100.0), (0.7, 0.9, 2.5), direction)
    grid = CanonicalGrid.covering(affine, size, spacing_mm)
    lower, upper = voxel_edge_bounds(affine, size)
    assert grid.index_from_lps(lower) == pytest.approx((-0.5, -0.5, -0.5), abs=1e-9)
    beyond = np.array(grid.size_ijk) - 0.5 - grid.index_from_lps(upper)
    assert (beyond >= -1e-3).all()
    assert (beyond < 1).all()


def test_the_box_of_a_plain_volume_reaches_half_a_voxel_beyond_the_outer_centres() -> None:
    lower, upper = voxel_edge_bounds(affine_from_parts((10, 20, 30), (1, 2, 4), np.eye(3)), (5, 5, 5))
    assert lower.tolist() == [9.5, 19.0, 28.0]
    assert upper.tolist() == [14.5, 29.0, 48.0]


def test_rounding_errors_add_no_voxel_to_the_grid() -> None:
    affine = affine_from_parts((0.1, 0.2, 0.3), (0.1 + 1e-7, 0.1, 0.1), np.eye(3))
    assert CanonicalGrid.covering(affine, (200, 200, 200), 2.0).size_ijk == (10, 10, 10)


def test_a_volume_smaller_than_one_grid_voxel_still_gets_one() -> None:
    assert CanonicalGrid.covering(np.eye(4), (4, 4, 4), 50.0).size_ijk == (1, 1, 1)


def test_grid_indices_and_points_are_inverse_to_each_other() -> None:
    grid = CanonicalGrid(np.array([-311.7, 42.1, -1200.3]), 2.0, (150, 160, 170))
    points = np.random.default_rng(0).uniform(-1500, 1500, (2, 500, 3))
    assert np.abs(grid.lps_from_index(grid.index_from_lps(points)) - points).max() < 1e-9
    assert np.abs(transform_points(grid.ijk_to_lps, grid.index_from_lps(points)) - points).max() < 1e-9
    assert grid.shape_kji == (170, 160, 150)
