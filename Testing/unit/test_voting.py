"""Votes of several templates: agreement wins and is believed, one answer that went astray is outvoted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from SAMLandmarkLib.core.results import Candidate, Status, TransferredLandmark
from SAMLandmarkLib.matching.confidence import Calibration
from SAMLandmarkLib.matching.decision import FROM_ITS_SURROUNDINGS, OUTSIDE_FIELD_OF_VIEW
from SAMLandmarkLib.matching.voting import DISAGREEMENT, vote, voted

CALIBRATION = Calibration()
HERE, AWAY = np.array([10.0, 20.0, 30.0]), np.array([10.0, 20.0, 110.0])


def answer(place: np.ndarray, confidence: float, uncertainty_mm: float = 3.0) -> TransferredLandmark:
    status = CALIBRATION.status(confidence)
    shown = None if status is Status.MISSING else place
    candidates = (Candidate(place, 0.8),)
    reason = "" if status is Status.FOUND else "low similarity"
    return TransferredLandmark(
        "carina", shown, status, confidence, 0.8, 2.0, candidates, reason, uncertainty_mm
    )


def test_two_that_agree_outvote_a_surer_one():
    places = np.array([AWAY, HERE, HERE + [4.0, 0.0, 0.0]])
    result = vote(places, np.array([0.8, 0.7, 0.7]))
    np.testing.assert_allclose(result.position_lps, HERE + [2.0, 0.0, 0.0], atol=0.05)
    assert result.lead in (1, 2)
    assert result.beside[0] < 0.001 < 0.9 < result.beside[1:].min()
    assert result.spread_mm == pytest.approx(2.0, abs=0.05)


def test_without_agreement_the_surest_one_wins_where_it_is():
    result = vote(np.array([AWAY, HERE]), np.array([0.6, 0.9]))
    np.testing.assert_allclose(result.position_lps, HERE, atol=1e-3)
    assert result.lead == 1


def test_a_vote_of_answers_without_any_confidence_is_still_a_place():
    assert np.isfinite(vote(np.array([AWAY, HERE]), np.zeros(2)).position_lps).all()


def test_agreement_is_believed_and_disagreement_doubted():
    alone = answer(HERE, 0.75)
    agreed = voted([alone, answer(HERE + 1.0, 0.75), answer(HERE - 1.0, 0.75)], CALIBRATION)
    disputed = voted([alone, answer(AWAY, 0.7)], CALIBRATION)
    assert agreed.confidence > alone.confidence > disputed.confidence
    assert agreed.status is Status.FOUND and agreed.reason == ""
    assert len(agreed.candidates) == 1
    assert disputed.status is not Status.FOUND
    np.testing.assert_allclose(disputed.candidates[1].position_lps, AWAY)


@pytest.mark.parametrize("reason", [OUTSIDE_FIELD_OF_VIEW, f"57 {FROM_ITS_SURROUNDINGS}"])
def test_agreement_on_a_place_that_the_surroundings_contradict_is_not_believed(reason):
    """As where the scan ends above a kidney's lower pole, and all take the tip of the spleen for it."""
    apart = [dataclasses.replace(answer(HERE + shift, 0.77), reason=reason) for shift in (0.0, 1.0, 2.0)]
    agreed = voted(apart, CALIBRATION)
    assert agreed.status is Status.DOUBTFUL
    assert agreed.reason == reason
    assert agreed.confidence <= 0.77


def test_sure_answers_to_different_places_are_not_found():
    disputed = voted([answer(HERE, 0.9), answer(AWAY, 0.85)], CALIBRATION)
    assert disputed.status is not Status.FOUND
    assert disputed.reason == DISAGREEMENT


def test_what_all_templates_miss_is_missing_and_one_answer_is_itself():
    gone = [answer(HERE, 0.1), answer(AWAY, 0.15)]
    assert voted(gone, CALIBRATION).position_lps is None
    assert voted(gone[:1], CALIBRATION) is gone[0]
