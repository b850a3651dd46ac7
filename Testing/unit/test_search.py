"""The search: near the predicted place it finds what the whole target would give, and many points what few give."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from SAMLandmarkLib.core.matching_options import PROFILES
from SAMLandmarkLib.embedding.embedding import Embedding
from SAMLandmarkLib.matching.pair import PairMatcher
from SAMLandmarkLib.matching.prediction import Prediction
from SAMLandmarkLib.matching.search import search
from SAMLandmarkLib.matching.types import Queries
from SAMLandmarkLib.utils.threads import side_by_side, torch_threads

FAST = PROFILES["fast"]
POINTS = 300


@pytest.fixture(scope="module")
def template(sample_embeddings) -> Embedding:
    return sample_embeddings[0]


@pytest.fixture(scope="module")
def followup(sample_embeddings) -> Embedding:
    return sample_embeddings[1]


@pytest.fixture(scope="module")
def matcher(template, followup) -> PairMatcher:
    return PairMatcher(template, followup, FAST)


@pytest.fixture(scope="module")
def points(template) -> np.ndarray:
    return template.support_points_lps[:POINTS] + 1.7


def test_near_its_predicted_place_a_point_is_found_where_the_whole_search_finds_it(
    template, followup, matcher, points
):
    queries, prediction = Queries.at(template, points), matcher.predict(points)
    near = search(queries, followup, FAST.search, prediction)
    whole = FAST.changed(search={"near_reaches_cells": ()})
    everywhere = search(queries, followup, whole.search, prediction)
    apart_mm = np.linalg.norm(near.best_lps - everywhere.best_lps, axis=1)
    # the whole search follows four coarse peaks only, so in some places the near one finds better
    assert np.mean(apart_mm < 0.01) > 0.95
    differing = apart_mm >= 0.01
    assert (near.score[differing, 0] >= everywhere.score[differing, 0] - 0.01).all()


def test_a_place_far_from_a_wrong_prediction_still_wins(template, followup, matcher, points):
    """A prediction may be wrong: a much better match beyond its reach must be found all the same."""
    predicted = matcher.predict(points)
    right = search(Queries.at(template, points), followup, FAST.search, predicted)
    convincing = right.score[:, 0] > 1.5
    assert convincing.sum() >= 20
    wrong = Prediction(predicted.positions_lps[convincing] + [0.0, 70.0, 0.0], np.full(convincing.sum(), 3.0))
    found = search(Queries.at(template, points[convincing]), followup, FAST.search, wrong)
    apart_mm = np.linalg.norm(found.best_lps - right.best_lps[convincing], axis=1)
    assert np.mean(apart_mm < 2.0) > 0.7


def test_a_place_predicted_beside_the_scan_is_looked_for_in_all_of_it(template, followup, points):
    beside = Prediction(np.full((3, 3), 5000.0), np.full(3, 3.0))
    found = search(Queries.at(template, points[:3]), followup, FAST.search, beside)
    assert np.isfinite(found.best_lps).all() and np.isfinite(found.score[:, 0]).all()


def test_many_points_are_found_where_few_are(template, followup, matcher, points):
    together = matcher.match(points)
    for start in (0, 150, POINTS - 3):
        few = matcher.match(points[start : start + 3])
        np.testing.assert_allclose(
            together.matches.best_lps[start : start + 3], few.matches.best_lps, atol=0.05
        )
        np.testing.assert_allclose(together.cycle_error_mm[start : start + 3], few.cycle_error_mm, atol=0.1)
        # the other candidates too: the confidence knows how much worse the next one is
        np.testing.assert_allclose(together.matches.margin[start : start + 3], few.matches.margin, atol=0.02)


def test_pooled_vectors_are_means_of_eight(template):
    fine, fine_pooled = template.finest.vectors, template.fine_pooled.vectors
    assert fine_pooled.shape[:3] == template.searched.vectors.shape[:3]
    mean = fine[2:4, 4:6, 6:8].float().mean(dim=(0, 1, 2))
    torch.testing.assert_close(fine_pooled[1, 2, 3].float(), mean, atol=2e-3, rtol=0)


def test_parts_come_back_in_order_from_threads_of_their_own():
    def part(number: int) -> tuple[int, int, int]:
        return number, threading.get_ident(), torch.get_num_threads()

    cpu = torch.device("cpu")
    with torch_threads(2):
        done = side_by_side(part, range(6), cpu)
        assert torch.get_num_threads() == 2
    assert [number for number, *_ in done] == list(range(6))
    assert {count for *_, count in done} == {1}
    assert threading.get_ident() not in {thread for _, thread, _ in done}
    with torch_threads(1):
        assert {thread for _, thread, _ in side_by_side(part, range(6), cpu)} == {threading.get_ident()}
