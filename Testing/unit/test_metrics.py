"""Error statistics, bootstrap intervals and confidence metrics against values worked out otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from SAMLandmarkLib.evaluation.confidence import (
    confidence_quality,
    error_auroc,
    expected_calibration_error,
    reliability_table,
    risk_coverage,
)
from SAMLandmarkLib.evaluation.laterality import mirrored_label
from SAMLandmarkLib.evaluation.metrics import (
    bootstrap_intervals,
    error_statistics,
    landmark_weights,
    patient_weights,
    resampled_statistics,
    scan_weights,
)


@pytest.fixture
def random():
    return np.random.default_rng(7)


@pytest.fixture
def errors(random):
    return random.gamma(2.0, 3.0, size=60)


def test_statistics_of_known_errors():
    statistics = error_statistics(np.array([1.0, 2.0, 5.0, 10.0, 32.0]))
    assert statistics == {
        "n": 5,
        "n_without_position": 0,
        "mean_mm": 10.0,
        "median_mm": 5.0,
        "p90_mm": pytest.approx(23.2),
        "max_mm": 32.0,
        "within_5_mm": pytest.approx(0.6),
        "within_10_mm": pytest.approx(0.8),
    }


def test_a_landmark_without_position_is_not_within_and_not_in_the_millimetres():
    statistics = error_statistics(np.array([2.0, 4.0, np.inf, np.inf]))
    assert (statistics["n"], statistics["n_without_position"]) == (4, 2)
    assert statistics["mean_mm"] == 3.0 and statistics["max_mm"] == 4.0
    assert statistics["within_10_mm"] == 0.5


def test_statistics_of_nothing_are_undefined():
    statistics = error_statistics(np.array([]))
    assert statistics.pop("n") == 0 and statistics.pop("n_without_position") == 0
    assert np.isnan(list(statistics.values())).all()


def test_weighted_statistics_equal_those_of_the_repeated_errors(errors, random):
    errors[[3, 17]] = np.inf
    weights = landmark_weights(len(errors), 25, random)
    resampled = resampled_statistics(errors, weights)
    for row, repeats in enumerate(weights):
        expected = error_statistics(np.repeat(errors, repeats))
        for name, values in resampled.items():
            assert values[row] == pytest.approx(expected[name]), name


def test_a_resample_without_these_errors_is_undefined_and_left_out():
    weights = np.array([[0, 0], [1, 1]])
    assert np.isnan(resampled_statistics(np.array([1.0, 3.0]), weights)["median_mm"][0])
    assert bootstrap_intervals(np.array([1.0, 3.0]), weights)["mean_mm"] == (2.0, 2.0)


def test_interval_of_the_mean_agrees_with_theory(random):
    errors = random.normal(10.0, 2.0, size=400)
    low, high = bootstrap_intervals(errors, landmark_weights(400, 4000, random))["mean_mm"]
    half_width = 1.96 * errors.std() / np.sqrt(400)
    assert high - low == pytest.approx(2 * half_width, rel=0.1)
    assert low < errors.mean() < high


def test_same_seed_gives_the_same_interval(errors):
    intervals = [
        bootstrap_intervals(errors, landmark_weights(60, 200, np.random.default_rng(seed)))
        for seed in (1, 1, 2)
    ]
    assert intervals[0] == intervals[1] != intervals[2]


def test_scans_are_drawn_with_all_their_transfers(random):
    weights = scan_weights(["b", "a", "b", "c"], 50, random)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_patients_are_drawn_on_both_sides_of_a_pair(random):
    templates, targets = ["a", "a", "b", "c"], ["b", "c", "a", "b"]
    weights = patient_weights(templates, targets, 500, random)
    assert (weights[:, 0] == weights[:, 2]).all()
    # Three draws spread as 2, 1, 0 or 1, 1, 1: all four counts are fixed by which patients were drawn.
    assert {tuple(row) for row in weights.tolist()} <= {
        (2, 0, 2, 0),
        (0, 2, 0, 0),
        (0, 0, 0, 2),
        (1, 1, 1, 1),
    }


def test_intervals_over_patients_are_wider_than_over_transfers(random):
    names = [f"patient {index}" for index in range(6)]
    hard = dict(zip(names, (1.0, 1.0, 2.0, 8.0, 15.0, 20.0)))
    pairs = [(one, other) for one in names for other in names if one != other]
    errors = np.array([hard[target] + random.normal(0, 0.1) for _, target in pairs])
    of_patients = patient_weights([pair[0] for pair in pairs], [pair[1] for pair in pairs], 2000, random)
    widths = [
        np.diff(bootstrap_intervals(errors, weights)["mean_mm"])[0]
        for weights in (of_patients, landmark_weights(len(pairs), 2000, random))
    ]
    assert widths[0] > 1.5 * widths[1]


def test_one_patient_can_not_form_pairs(random):
    with pytest.raises(ValueError, match="at least 2"):
        patient_weights(["a"], ["a"], 10, random)


def test_honest_confidence_has_no_calibration_error(random):
    confidences = random.uniform(size=20_000)
    errors = np.where(random.uniform(size=20_000) < confidences, 1.0, 50.0)
    table = reliability_table(confidences, errors)
    assert expected_calibration_error(table) < 0.02
    assert sum(row["n"] for row in table) == 20_000
    for row in table:
        assert row["share_within"] == pytest.approx(row["mean_confidence"], abs=0.05)


def test_boastful_confidence_is_off_by_what_it_boasts():
    table = reliability_table(np.full(10, 1.0), np.array([1.0] * 6 + [11.0] * 3 + [np.inf]))
    assert expected_calibration_error(table) == pytest.approx(0.4)
    assert table[-1]["n"] == 10 and np.isnan(table[0]["mean_confidence"])


def test_auroc_equals_the_share_of_ordered_pairs(random):
    confidences, errors = random.integers(0, 8, size=80) / 8, random.uniform(0, 20, size=80)
    right, wrong = confidences[errors <= 10], confidences[errors > 10]
    ordered = [1.0 if one > other else 0.5 if one == other else 0.0 for one in right for other in wrong]
    assert error_auroc(confidences, errors) == pytest.approx(np.mean(ordered))
    assert np.isnan(error_auroc(confidences, np.zeros(80)))


def test_risk_falls_as_less_is_covered():
    confidences, errors = np.linspace(0.05, 0.95, 10), np.linspace(40.0, 1.0, 10)
    curve = risk_coverage(confidences, errors)
    assert [row["n"] for row in curve] == list(range(1, 11))
    assert (np.diff([row["mean_mm"] for row in curve]) > 0).all()
    assert curve[0]["share_above"] == 0.0 and curve[-1]["share_above"] == pytest.approx(np.mean(errors > 10))


def test_ties_of_confidence_do_not_flatter():
    curve = risk_coverage(np.full(4, 0.5), np.array([1.0, 2.0, 30.0, 40.0]), steps=2)
    assert curve[0]["share_above"] == 1.0


def test_confidence_of_no_landmarks_is_undefined():
    quality = confidence_quality(np.array([]), np.array([]))
    assert np.isnan(quality["auroc"]) and np.isnan(quality["expected_calibration_error"])
    assert quality["risk_coverage"] == []


@pytest.mark.parametrize(
    ("label", "mirrored"),
    [
        ("parotid_left", "parotid_right"),
        ("kidney_lower_pole_right", "kidney_lower_pole_left"),
        ("right_upper_lobe_carina", "left_upper_lobe_carina"),
        ("transverse_process_l1_left_tip", "transverse_process_l1_right_tip"),
        ("carina", None),
        ("leftover", None),
        ("left_to_right", None),
    ],
)
def test_the_other_side_of_a_label(label, mirrored):
    assert mirrored_label(label) == mirrored
