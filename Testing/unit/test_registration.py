"""Whole registrations of the bundled pair, of a scan with itself, and of a scan with a known deformation of itself."""

from __future__ import annotations

import numpy as np
import pytest

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.evaluation.synthetic import SyntheticSettings, synthetic_target
from SAMLandmarkLib.registration.features import ScanFeatures
from SAMLandmarkLib.utils.errors import RegistrationError, UsageError

pytestmark = pytest.mark.slow


def _error_mm(found_lps: np.ndarray, true_lps: np.ndarray) -> np.ndarray:
    return np.linalg.norm(found_lps - true_lps, axis=1)


def _part(volume: Volume, slices: slice) -> Volume:
    ijk_to_lps = volume.ijk_to_lps.copy()
    ijk_to_lps[:3, 3] = volume.lps_from_index([0, 0, slices.start])
    return Volume(volume.array[slices], ijk_to_lps, name="part")


@pytest.fixture(scope="module")
def registration(engine, sample_embeddings):
    return engine.register(*sample_embeddings)


@pytest.fixture(scope="module")
def middle(engine, sample_template):
    """The middle half of the bundled scan, and its embedding."""
    slices = sample_template.array.shape[0]
    volume = _part(sample_template, slice(slices // 4, 3 * slices // 4))
    return volume, engine.embed(volume)


@pytest.fixture(scope="module")
def points(sample_landmarks, sample_truth) -> tuple[np.ndarray, np.ndarray]:
    """The bundled landmarks and the same places in the follow-up."""
    assert sample_landmarks.labels == sample_truth.labels
    return sample_landmarks.positions_lps, sample_truth.positions_lps


def test_the_follow_up_is_registered(registration, points):
    error_mm = _error_mm(registration.apply_points(points[0]), points[1])
    assert error_mm.mean() <= 1.9 and np.median(error_mm) <= 1.6
    assert registration.quality["folded_percent"] <= 0.1
    assert registration.quality["inverse_error_median_mm"] <= 0.5


def test_the_inverse_leads_back(registration, points):
    there = registration.apply_points(points[0])
    assert np.median(_error_mm(registration.apply_points_inverse(there), points[0])) <= 0.5


def test_each_profile_is_better_than_the_one_before(engine, sample_embeddings, registration, points):
    errors_mm = [
        _error_mm(engine.register(*sample_embeddings, profile).apply_points(points[0]), points[1]).mean()
        for profile in ("affine", "fast")
    ]
    errors_mm.append(_error_mm(registration.apply_points(points[0]), points[1]).mean())
    assert errors_mm[0] > errors_mm[1] > errors_mm[2]
    assert errors_mm[0] < 8.0


def test_the_registered_image_looks_like_the_template(registration, sample_template, sample_followup):
    registered = registration.apply(sample_followup)
    assert registered.array.shape == sample_template.array.shape
    np.testing.assert_array_equal(registered.ijk_to_lps, sample_template.ijk_to_lps)
    body = (sample_template.array > -300) & (registered.array > -1000)
    before = registration.apply(sample_template)
    after_hu, before_hu = (
        np.abs(image.array.astype(float) - sample_template.array)[body].mean()
        for image in (registered, before)
    )
    assert after_hu < 0.6 * before_hu


def test_labels_stay_whole(registration, sample_followup):
    labels = Volume((sample_followup.array > 150).astype(np.int16) * 7, sample_followup.ijk_to_lps)
    carried = registration.apply(labels)
    assert set(np.unique(carried.array)) == {0, 7}


def test_a_scan_registers_with_itself(engine, middle):
    volume, embedding = middle
    places = _places_in_body(embedding)
    inside = volume.distance_to_border_mm(places) > 10
    same = engine.register(embedding, embedding)
    assert _error_mm(same.apply_points(places), places)[inside].mean() < 0.2


def test_a_known_deformation_is_found(engine, middle):
    volume, embedding = middle
    places = _places_in_body(embedding)
    landmarks = LandmarkSet.from_points([str(number) for number in range(len(places))], places)
    target = synthetic_target(volume, landmarks, np.random.default_rng(5), SyntheticSettings())
    found = engine.register(embedding, engine.embed(target.volume)).apply_points(places)
    inside = target.distances_to_border_mm > 20
    inside &= volume.distance_to_border_mm(places) > 20
    assert inside.sum() > 50
    assert np.median(_error_mm(found, target.positions_lps)[inside]) <= 0.75


def _places_in_body(embedding) -> np.ndarray:
    image = embedding.image
    return ScanFeatures(image.values, image.grid, (), embedding.field_of_view).points_in_body(300)


def test_other_body_parts_are_refused(engine, sample_template):
    slices = sample_template.array.shape[0]
    upper, lower = (
        _part(sample_template, slice(*ends)) for ends in ((2 * slices // 3, slices), (0, slices // 3))
    )
    with pytest.raises(RegistrationError, match="same part of the body"):
        engine.register(upper, lower)


def test_noise_is_refused(engine, sample_embeddings):
    noise = np.random.default_rng(6).integers(-200, 200, (40, 60, 60)).astype(np.int16)
    with pytest.raises(RegistrationError):
        engine.register(sample_embeddings[0], Volume(noise, np.diag([3.0, 3.0, 3.0, 1.0])))


def test_an_unknown_profile_is_refused(engine, sample_embeddings):
    with pytest.raises(UsageError, match="affine, fast, accurate"):
        engine.register(*sample_embeddings, "best")
