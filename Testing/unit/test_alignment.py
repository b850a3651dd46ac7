"""Affine alignment: it follows what is stretched and turned, and keeps its hands off other tissue."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform

from SAMLandmarkLib.core.geometry import CanonicalGrid
from SAMLandmarkLib.core.matching_options import MatchingOptions
from SAMLandmarkLib.embedding.embedding import Image
from SAMLandmarkLib.matching.alignment import align
from SAMLandmarkLib.matching.refinement import refine

LINEAR = np.array([[1.10, 0.10, 0.00], [-0.08, 0.94, 0.04], [0.00, 0.05, 1.06]])
"""Stretched, turned and sheared as organs are by a deep breath, LPS."""


def image_of(array: np.ndarray) -> Image:
    size = array.shape[::-1]
    origin = -1.0 * (np.array(size) - 1)  # the middle of the scan is the origin, at 2 mm
    return Image(torch.from_numpy(np.rint(array).astype(np.int16)), CanonicalGrid(origin, 2.0, size))


@pytest.fixture(scope="module")
def array(sample_template) -> np.ndarray:
    return sample_template.canonical(2.0).array


@pytest.fixture(scope="module")
def image(array) -> Image:
    return image_of(array)


@pytest.fixture(scope="module")
def stretched(array) -> Image:
    """The scan with everything at x moved to LINEAR x."""
    inverse = np.linalg.inv(LINEAR)[::-1, ::-1]
    middle = (np.array(array.shape) - 1) / 2
    return image_of(affine_transform(array, inverse, middle - inverse @ middle, order=1, cval=-1024))


@pytest.fixture(scope="module")
def points(image, sample_template, sample_landmarks) -> np.ndarray:
    canonical = sample_template.canonical(2.0).grid
    return image.grid.lps_from_index(canonical.index_from_lps(sample_landmarks.positions_lps))


def test_a_stretched_neighbourhood_is_found_to_a_fraction_of_a_voxel(image, stretched, points):
    truth = points @ LINEAR.T
    start = truth + np.random.default_rng(0).uniform(-2, 2, truth.shape)
    aligned = align(image, points, stretched, start)
    error = np.linalg.norm(aligned.positions_lps - truth, axis=1)
    assert np.median(error) < 0.2
    assert np.median(np.linalg.norm(start - truth, axis=1)) > 1.5
    assert np.median(aligned.ncc) > 0.98
    assert (aligned.ncc >= aligned.ncc_before).all()


def test_refinement_ends_with_it_and_so_errs_less_than_its_cross_correlation(image, stretched, points):
    truth = points @ LINEAR.T
    refined = refine(image, points, stretched, truth + (2.0, -2.0, 1.0))
    assert np.median(np.linalg.norm(refined.positions_lps - truth, axis=1)) < 0.3


def test_tissue_that_is_not_the_same_stays_where_cross_correlation_put_it(image, points):
    """Other landmarks' surroundings, though an affine map makes any two neighbourhoods more alike."""
    others = np.roll(points, 3, axis=0)
    refined = refine(image, points, image, others)
    not_aligned = MatchingOptions().changed(alignment={"enabled": False})
    correlated = refine(image, points, image, others, not_aligned)
    far = np.linalg.norm(points - others, axis=1) > 60.0
    assert far.sum() >= 10
    same = np.isclose(refined.positions_lps, correlated.positions_lps).all(axis=1)
    assert same[far].mean() > 0.8


def test_nothing_to_see_is_not_alike(image, points):
    flat = image_of(np.full((60, 80, 80), -1000))
    for template, target in ((image, flat), (flat, image), (flat, flat)):
        aligned = align(template, points[:3], target, np.zeros((3, 3)))
        assert np.isfinite(aligned.positions_lps).all()
        assert np.abs(aligned.ncc).max() < 0.1


def test_the_scan_between_voxels_is_the_same_one_by_one_as_in_cubes(image, points):
    steps = torch.arange(-2, 3) * 1.3
    offsets = torch.cartesian_prod(steps, steps, steps).flip(1).repeat(len(points), 1, 1)
    outside = points + (0.0, 0.0, 500.0)
    for centers in (points, outside):
        torch.testing.assert_close(
            image.around(centers, offsets), image.cubes(centers, 2, 1.3).flatten(1), atol=0.5, rtol=0
        )
