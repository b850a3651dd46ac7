"""Predicting a point from the correspondences around it."""

from __future__ import annotations

import numpy as np
import pytest

from SAMLandmarkLib.matching.prediction import Correspondences


def bent(points: np.ndarray) -> np.ndarray:
    """A smooth map of the body: turned, scaled, shifted and bent by up to 10 mm."""
    linear = np.array([[0.98, 0.12, 0.0], [-0.12, 1.02, 0.05], [0.0, -0.05, 1.1]])
    return points @ linear.T + (20, -35, 60) + 10 * np.sin(points[:, [1, 2, 0]] / 90)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def correspondences(rng: np.random.Generator, count: int, wrong: float = 0.0) -> Correspondences:
    template = rng.uniform((-150, -100, -200), (150, 100, 200), (count, 3))
    target = bent(template)
    outliers = rng.random(count) < wrong
    target[outliers] += rng.normal(0, 80, (int(outliers.sum()), 3))
    return Correspondences(template, target, np.ones(count))


def test_follows_a_bent_map(rng):
    points = rng.uniform(-90, 90, (40, 3))
    prediction = correspondences(rng, 500).predict(points)
    error = np.linalg.norm(prediction.positions_lps - bent(points), axis=1)
    assert np.median(error) < 2.0
    assert error.max() < 6.0


def test_is_not_misled_by_a_third_of_wrong_matches(rng):
    points = rng.uniform(-90, 90, (40, 3))
    prediction = correspondences(rng, 500, wrong=0.33).predict(points)
    error = np.linalg.norm(prediction.positions_lps - bent(points), axis=1)
    assert np.median(error) < 3.0
    assert error.max() < 10.0


def test_spread_grows_where_correspondences_end(rng):
    prediction = correspondences(rng, 200).predict(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 420.0]]))
    assert prediction.prediction_sigma_mm[1] > 2 * prediction.prediction_sigma_mm[0]


def test_few_correspondences_still_give_the_shift(rng):
    template = rng.uniform(-40, 40, (12, 3))
    prediction = Correspondences(template, template + (5, 6, 7), np.ones(12)).predict(
        np.array([[10.0, 0.0, 0.0]])
    )
    np.testing.assert_allclose(prediction.positions_lps, [[15.0, 6.0, 7.0]], atol=0.5)


def test_many_unsure_matches_of_a_region_that_the_target_lacks_do_not_outvote_fewer_sure_ones(rng):
    shown, gone = rng.uniform(-80, 80, (60, 3)), rng.uniform(-80, 80, (140, 3)) + (0, 0, 160)
    template = np.vstack([shown, gone])
    target = template + np.repeat([[0.0, 0.0, 5.0], [0.0, 0.0, -85.0]], [60, 140], axis=0)
    uncertainty_mm = np.repeat([2.0, 5.0], [60, 140])
    found = Correspondences.weighted(template, target, uncertainty_mm)
    prediction = found.predict(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 120.0]]))
    np.testing.assert_allclose(prediction.positions_lps, [[0, 0, 5], [0, 0, 125]], atol=3.0)
    assert 0 < found.support < 200
    assert len(Correspondences.weighted(template[:0], target[:0], uncertainty_mm[:0])) == 0
