"""The scores of the benchmark on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from SAMLandmarkLib.evaluation.lesion_metrics import PairingScore, hits, pairing_score

# Errors along x of 4, 8, 12 and 20 mm, and one that was not found.
TRUE = np.zeros((5, 3))
FOUND = np.array([[4.0, 0, 0], [8.0, 0, 0], [12.0, 0, 0], [20.0, 0, 0], [np.nan] * 3])


def scores(long_mm: float, box: tuple[float, float, float]):
    count = len(TRUE)
    return hits(FOUND, TRUE, np.full(count, long_mm), np.tile(box, (count, 1)))


def test_dlt_takes_half_the_long_diameter_and_at_most_10_mm():
    small, large = scores(12.0, (12, 12, 12)), scores(50.0, (50, 50, 50))
    assert (small["DLT"].at_10, small["DLT"].at_radius) == (0.2, 0.2)
    assert (large["DLT"].at_10, large["DLT"].at_radius) == (0.4, 0.8)


def test_tlt_takes_the_diagonal_of_the_box():
    # the diagonal of a cube of 12 mm is 20.8 mm
    score = scores(12.0, (12, 12, 12))["TLT"]
    assert (score.at_10, score.at_radius) == (0.4, 0.8)
    # and that of a cube of 3 mm is 5.2 mm
    score = scores(3.0, (3, 3, 3))["TLT"]
    assert (score.at_10, score.at_radius) == (0.2, 0.2)


def test_uae_asks_for_10_mm_and_for_the_box():
    score = scores(12.0, (26, 2, 2))["UAE"]
    assert (score.at_10, score.at_radius) == (0.4, 0.6)


def test_limits_are_where_the_definitions_have_them():
    at = lambda error, long: hits(
        np.array([[error, 0, 0]]), np.zeros((1, 3)), np.array([long]), np.array([[long] * 3])
    )
    # at exactly the radius: within 10 mm counts, within the radius does not
    assert (at(8.0, 16.0)["DLT"].at_10, at(8.0, 16.0)["DLT"].at_radius) == (1.0, 0.0)
    assert at(8.0, 16.0)["UAE"].at_radius == 1.0
    assert at(10.0, 60.0)["DLT"].at_10 == 1.0 and at(10.1, 60.0)["DLT"].at_10 == 0.0


def test_pairs_new_and_vanished_ones_are_counted():
    score = pairing_score(
        said={0: 0, 1: 2, 3: 4}, true={0: 0, 1: 1, 2: 2}, called_new=[3, 5], new=[3], gone=[3, 4]
    )
    assert (score.right, score.wrong, score.missed) == (1, 2, 2)
    # 1 was given what belongs to 2; what 3 was given belongs to nobody
    assert score.switched == 1
    assert (score.new_found, score.new, score.new_false) == (1, 1, 1)
    assert (score.gone_found, score.gone) == (1, 2)
    assert score.f1 == pytest.approx(2 / 6)


def test_scores_of_scans_are_added():
    one = pairing_score({0: 0}, {0: 0}, [1], [1], [])
    total = one + one + PairingScore()
    assert (total.right, total.new, total.scans, total.f1) == (2, 2, 2, 1.0)
    assert (total.new_sensitivity, total.new_false_per_scan) == (1.0, 0.0)
