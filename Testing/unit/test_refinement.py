"""Refinement by the images: it finds a known place, and leaves alone what it cannot tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from SAMLandmarkLib.core.geometry import CanonicalGrid
from SAMLandmarkLib.embedding.embedding import Image
from SAMLandmarkLib.matching.refinement import refine


def image_of(volume, shift_lps=(0.0, 0.0, 0.0)) -> Image:
    canonical = volume.canonical(2.0)
    grid = CanonicalGrid(canonical.grid.origin_lps + shift_lps, 2.0, canonical.grid.size_ijk)
    return Image(torch.from_numpy(np.rint(canonical.array).astype(np.int16)), grid)


@pytest.fixture(scope="module")
def image(sample_template) -> Image:
    return image_of(sample_template)


def test_finds_a_shifted_copy_to_a_fraction_of_a_voxel(image, sample_template, sample_landmarks):
    shift = np.array([11.3, -7.7, 5.1])
    points = sample_landmarks.positions_lps
    start = points + shift + np.random.default_rng(0).uniform(-4, 4, points.shape)
    refined = refine(image, points, image_of(sample_template, shift), start)
    error = np.linalg.norm(refined.positions_lps - points - shift, axis=1)
    assert np.median(error) < 0.25
    assert error.max() < 0.6
    assert refined.ncc.min() > 0.95


def test_one_point_alone_goes_where_it_goes_among_many(image, sample_followup, sample_landmarks):
    target = image_of(sample_followup)
    points = np.repeat(sample_landmarks.positions_lps, 5, axis=0)
    together = refine(image, points, target, points + (0.0, 0.0, 32.0))
    alone = refine(image, points[42:43], target, points[42:43] + (0.0, 0.0, 32.0))
    np.testing.assert_allclose(alone.positions_lps[0], together.positions_lps[42], atol=1e-3)


def test_nothing_to_compare_moves_nothing_far_and_is_not_alike(image, sample_landmarks):
    flat = Image(
        torch.full((60, 80, 80), -1000, dtype=torch.int16), CanonicalGrid(np.zeros(3), 2.0, (80, 80, 60))
    )
    start = np.full((1, 3), 60.0)
    refined = refine(image, sample_landmarks.positions_lps[:1], flat, start)
    assert np.isfinite(refined.positions_lps).all()
    assert np.abs(refined.positions_lps - start).max() <= 17.0
    assert abs(refined.ncc[0]) < 0.1


def test_cubes_are_the_scan_itself_and_repeat_its_border(image, sample_template):
    index = np.array([[40, 50, 30]])
    cube = image.cubes(image.grid.lps_from_index(index), 2, 2.0)[0]
    expected = image.values[28:33, 48:53, 38:43].float()
    torch.testing.assert_close(cube, expected, atol=1e-2, rtol=0)
    corner = image.cubes(image.grid.lps_from_index([[-5, -5, -5]]), 1, 2.0)[0]
    assert torch.equal(corner, torch.full((3, 3, 3), float(image.values[0, 0, 0])))


def test_cubes_between_voxels_are_their_mean(image):
    index = np.array([[40.5, 50.0, 30.0]])
    value = image.cubes(image.grid.lps_from_index(index), 0, 2.0)[0, 0, 0, 0]
    assert value == pytest.approx(float(image.values[30, 50, 40:42].float().mean()), abs=0.01)
