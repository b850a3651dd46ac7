"""Drawing a match to where its surroundings place it: by how much, and what is left uncertain."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from SAMLandmarkLib.core.matching_options import PROFILES
from SAMLandmarkLib.matching.fusion import fused, match_uncertainty
from SAMLandmarkLib.matching.pair import PairMatcher
from SAMLandmarkLib.matching.prediction import Prediction


def test_the_more_certain_of_match_and_prediction_has_its_way():
    matched = np.zeros((3, 3))
    prediction = Prediction(np.tile([12.0, 0.0, 0.0], (3, 1)), np.array([8.0, 8.0, 8.0]))
    drawn = fused(matched, np.array([0.0, 8.0, 80.0]), prediction)
    np.testing.assert_allclose(drawn.positions_lps[:, 0], [0.0, 6.0, 11.88], atol=0.01)
    # two independent readings of 8 mm make one of 8 / sqrt(2)
    np.testing.assert_allclose(drawn.uncertainty_mm, [0.0, 5.66, 7.96], atol=0.01)


def test_without_a_prediction_the_match_stays():
    matched = np.array([[1.0, 2.0, 3.0]])
    drawn = fused(matched, np.array([7.0]), None)
    np.testing.assert_array_equal(drawn.positions_lps, matched)
    np.testing.assert_array_equal(drawn.uncertainty_mm, [7.0])


@pytest.mark.parametrize("ncc", [0.8, np.nan], ids=["refined", "not refined"])
def test_a_long_way_back_and_unlike_surroundings_are_uncertain(ncc):
    def uncertainty(cycle_error_mm: float, fine: float, ncc: float) -> float:
        return float(match_uncertainty(np.array([cycle_error_mm]), np.array([fine]), np.array([ncc]))[0])

    usual = uncertainty(2.0, 0.8, ncc)
    assert uncertainty(20.0, 0.8, ncc) > usual + 3
    unlike = uncertainty(2.0, 0.3, ncc) if np.isnan(ncc) else uncertainty(2.0, 0.8, 0.2)
    assert unlike > usual + 4
    assert uncertainty(0.0, 1.0, 1.0) == 0.0


@pytest.mark.parametrize("profile", PROFILES)
def test_a_sure_match_ignores_surroundings_that_are_wrong(engine, sample_embeddings, profile):
    """Correspondences that are all off by 30 mm draw the matches of a follow-up by a few millimetres at most."""
    template, followup = sample_embeddings
    matcher = PairMatcher(template, followup, PROFILES[profile])
    points = template.support_points_lps[:40]
    honest = matcher.match(points)
    sure = honest.cycle_error_mm < 1.0
    right = matcher.correspondences
    matcher.correspondences = dataclasses.replace(right, target_lps=right.target_lps + (0.0, 30.0, 0.0))
    misled = matcher.match(points)
    moved_mm = np.linalg.norm(misled.matches.best_lps - honest.matches.best_lps, axis=1)[sure]
    assert sure.sum() >= 10
    assert np.median(moved_mm) < (1.0 if profile == "accurate" else 8.0)
