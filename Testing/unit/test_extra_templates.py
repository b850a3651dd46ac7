"""Several templates asked together, and the map of similarity."""

from __future__ import annotations

import numpy as np
import pytest

from SAMLandmarkLib.core.landmarks import Landmark, LandmarkSet
from SAMLandmarkLib.engine.atlas import Atlas
from SAMLandmarkLib.engine.atlas_build import MarkedScan, build_atlas
from SAMLandmarkLib.engine.transfer import Status
from SAMLandmarkLib.evaluation.records import best_position
from SAMLandmarkLib.matching.pair import PairMatcher
from SAMLandmarkLib.utils.errors import UsageError


def test_a_landmark_that_only_the_extra_template_shows_is_found(
    engine, sample_embeddings, sample_landmarks, sample_truth
):
    template, followup = sample_embeddings
    label = sample_truth.labels[0]
    marked = LandmarkSet([Landmark(label, np.array([900.0, 0.0, 0.0])), sample_landmarks[1]])
    alone = engine.transfer(template, marked, followup)
    assert alone[0].reason == "outside template"
    extra = (followup, LandmarkSet([sample_truth[0]]))
    helped = engine.transfer(template, marked, followup, extra_templates=[extra])
    assert helped[0].status is Status.FOUND
    np.testing.assert_allclose(helped[0].position_lps, sample_truth[0].position_lps, atol=1.0)
    np.testing.assert_allclose(helped[1].position_lps, alone[1].position_lps, atol=1e-6)
    assert helped.provenance["extra_templates"] == [followup.name]


def test_a_template_that_knows_the_answer_pulls_towards_it(
    engine, sample_embeddings, sample_landmarks, sample_truth
):
    """The target itself as an extra template: its own vectors are the best description of the place."""
    template, followup = sample_embeddings
    plain = engine.transfer(template, sample_landmarks, followup)
    helped = engine.transfer(template, sample_landmarks, followup, extra_templates=[(followup, sample_truth)])

    def mean_error(result):
        return np.mean(
            [
                np.linalg.norm(item.position_lps - point)
                for item, point in zip(result, sample_truth.positions_lps, strict=True)
            ]
        )

    assert mean_error(helped) < 0.8 * mean_error(plain)


def test_heat_map_is_hottest_where_the_landmark_was_found(engine, sample_embeddings, sample_landmarks):
    template, followup = sample_embeddings
    landmark = sample_landmarks[0]
    found = engine.transfer(template, LandmarkSet([landmark]), followup)[0]
    heat_map = engine.heat_map(template, landmark.position_lps, followup)
    assert heat_map.array.shape == heat_map.grid.shape_kji == followup.finest.vectors.shape[:3]
    assert heat_map.array.min() >= -1.0 and heat_map.array.max() <= 1.001
    k, j, i = np.unravel_index(heat_map.array.argmax(), heat_map.array.shape)
    hottest_lps = heat_map.grid.lps_from_index([i, j, k])
    assert np.linalg.norm(hottest_lps - found.position_lps) < 8.0


def test_heat_map_of_a_point_outside_the_template_is_refused(engine, sample_embeddings):
    with pytest.raises(UsageError, match="outside the template"):
        engine.heat_map(sample_embeddings[0], np.array([900.0, 0.0, 0.0]), sample_embeddings[1])


def test_an_atlas_of_the_template_finds_what_the_template_finds(
    engine, sample_embeddings, sample_landmarks, sample_truth
):
    """Without voxels, so it is compared with matches that were not refined by the images."""
    template, followup = sample_embeddings
    contents = build_atlas(engine, "sample", [MarkedScan(template, sample_landmarks)])
    located = engine.locate(followup, Atlas.of(contents, engine.model))
    fast = PairMatcher(template, followup, engine.model.metadata.matching["fast"])
    plain_lps = fast.match(sample_landmarks.positions_lps).matches.best_lps
    found_lps = np.array([best_position(item) for item in located])
    assert np.median(np.linalg.norm(found_lps - plain_lps, axis=1)) < 0.5
    error_mm = np.linalg.norm(found_lps - sample_truth.positions_lps, axis=1)
    assert error_mm.mean() < np.linalg.norm(plain_lps - sample_truth.positions_lps, axis=1).mean() + 0.5
    assert located.counts()["FOUND"] >= 0.9 * len(located)
