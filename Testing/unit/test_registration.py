"""Whole registrations of a part of the bundled pair, of a scan with itself, and of a scan with a known deformation of itself."""

from __future__ import annotations

import numpy as np
import pytest
from sample_parts import LOWER_TRUNK, part_of

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.evaluation.synthetic import SyntheticSettings, synthetic_target
from SAMLandmarkLib.registration.features import ScanFeatures
from SAMLandmarkLib.utils.errors import RegistrationError, UsageError

pytestmark = pytest.mark.slow


def _error_mm(found_lps: np.ndarray, true_lps: np.ndarray) -> np.ndarray:
    return np.linalg.norm(found_lps - true_lps, axis=1)


def _slices(volume: Volume, start: float, stop: float) -> tuple[slice, slice, slice]:
    """The lower trunk's rows and columns, and slices from one part of the height to another."""
    count = volume.array.shape[0]
    return slice(round(start * count), round(stop * count)), *LOWER_TRUNK["template"][1:]


@pytest.fixture(scope="module")
def pair(sample_template, sample_followup) -> dict[str, Volume]:
    """The lower trunk of the bundled scans."""
    scans = {"template": sample_template, "followup": sample_followup}
    return {name: part_of(scan, LOWER_TRUNK[name], name) for name, scan in scans.items()}


@pytest.fixture(scope="module")
def embeddings(engine, pair):
    return engine.embed(pair["template"]), engine.embed(pair["followup"])


@pytest.fixture(scope="module")
def registration(engine, embeddings):
    return engine.register(*embeddings)


@pytest.fixture(scope="module")
def points(pair, sample_landmarks, sample_truth) -> tuple[np.ndarray, np.ndarray]:
    """The bundled landmarks that both parts show, and the same places in the follow-up."""
    assert sample_landmarks.labels == sample_truth.labels
    found, truth = sample_landmarks.positions_lps, sample_truth.positions_lps
    shown = pair["template"].contains_lps(found) & pair["followup"].contains_lps(truth)
    assert shown.sum() >= 15
    return found[shown], truth[shown]


def test_the_follow_up_is_registered(registration, points):
    error_mm = _error_mm(registration.apply_points(points[0]), points[1])
    assert error_mm.mean() <= 2.3 and np.median(error_mm) <= 1.8
    assert registration.quality["folded_percent"] <= 0.1
    assert registration.quality["inverse_error_median_mm"] <= 0.5


def test_the_inverse_leads_back(registration, points):
    there = registration.apply_points(points[0])
    assert np.median(_error_mm(registration.apply_points_inverse(there), points[0])) <= 0.5


def test_each_profile_is_better_than_the_one_before(engine, embeddings, registration, points):
    errors_mm = [
        _error_mm(engine.register(*embeddings, profile).apply_points(points[0]), points[1]).mean()
        for profile in ("affine", "fast")
    ]
    errors_mm.append(_error_mm(registration.apply_points(points[0]), points[1]).mean())
    assert errors_mm[0] > errors_mm[1] > errors_mm[2]
    assert errors_mm[0] < 8.0


def test_the_registered_image_looks_like_the_template(registration, pair):
    template = pair["template"]
    registered = registration.apply(pair["followup"])
    assert registered.array.shape == template.array.shape
    np.testing.assert_array_equal(registered.ijk_to_lps, template.ijk_to_lps)
    body = (template.array > -300) & (registered.array > -1000)
    before = registration.apply(template)
    after_hu, before_hu = (
        np.abs(image.array.astype(float) - template.array)[body].mean() for image in (registered, before)
    )
    assert after_hu < 0.6 * before_hu


def test_labels_stay_whole(registration, pair):
    labels = Volume((pair["followup"].array > 150).astype(np.int16) * 7, pair["followup"].ijk_to_lps)
    carried = registration.apply(labels)
    assert set(np.unique(carried.array)) == {0, 7}


def test_a_scan_registers_with_itself(engine, pair, embeddings):
    volume, embedding = pair["template"], embeddings[0]
    places = _places_in_body(embedding)
    inside = volume.distance_to_border_mm(places) > 10
    same = engine.register(embedding, embedding)
    assert _error_mm(same.apply_points(places), places)[inside].mean() < 0.2


def test_a_known_deformation_is_found(engine, pair, embeddings):
    volume, embedding = pair["template"], embeddings[0]
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
    upper, lower = (
        part_of(sample_template, _slices(sample_template, *ends)) for ends in ((0.66, 1), (0, 0.33))
    )
    with pytest.raises(RegistrationError, match="same part of the body"):
        engine.register(upper, lower)


def test_noise_is_refused(engine, embeddings):
    noise = np.random.default_rng(6).integers(-200, 200, (24, 36, 36)).astype(np.int16)
    with pytest.raises(RegistrationError):
        engine.register(embeddings[0], Volume(noise, np.diag([3.0, 3.0, 3.0, 1.0])))


def test_an_unknown_profile_is_refused(engine, embeddings):
    with pytest.raises(UsageError, match="affine, fast, accurate"):
        engine.register(*embeddings, "best")
