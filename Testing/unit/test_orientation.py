"""Scans that are stored upside down or mirrored under an unchanged header are told, others are not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from SAMLandmarkLib.core.results import Status
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.engine.orientation import (
    FEW_CONSISTENT,
    LEAST_EVIDENCE,
    MOST_CONSISTENT,
    FlippedMiddle,
    flips_of,
    likely_flip,
    mirror_evidence,
    orientation_doubt,
)
from SAMLandmarkLib.utils.errors import VolumeWarning

pytestmark = pytest.mark.slow

FLIPS = flips_of(3)[1:]


@pytest.mark.parametrize("flip", [(2,), (0, 1)], ids=["upside down", "turned"])
def test_a_scan_stored_in_another_order_is_told(
    engine, sample_embeddings, sample_followup, sample_landmarks, flip
):
    array = np.ascontiguousarray(np.flip(sample_followup.array, [2 - axis for axis in flip]))
    target = engine.embed(Volume(array, sample_followup.ijk_to_lps, "flipped"))
    with pytest.warns(VolumeWarning, match=r"flipped: its content fits .* upside down or mirrored"):
        result = engine.transfer(sample_embeddings[0], sample_landmarks, target)
    (told,) = result.provenance["warnings"]["target"]
    assert ", ".join(("L-R", "A-P", "I-S")[axis] for axis in flip) in told


def test_a_mirrored_scan_is_told_as_such_or_as_a_situs_inversus(
    engine, sample_embeddings, sample_followup, sample_landmarks
):
    template, target = sample_embeddings
    array = np.ascontiguousarray(sample_followup.array[:, :, ::-1])
    mirrored = engine.embed(Volume(array, sample_followup.ijk_to_lps, "mirrored"))
    with pytest.warns(
        VolumeWarning, match=r"mirrored: .*left and right \(L-R\) are exchanged.*situs inversus"
    ):
        engine.transfer(template, sample_landmarks, mirrored)
    sound, evidence = (mirror_evidence(template, scan, engine.model) for scan in (target, mirrored))
    assert sound < -3 * LEAST_EVIDENCE
    # the same points are asked, but for those of the target, which are others in its mirror image
    assert evidence == pytest.approx(-sound, abs=0.1)


def test_each_way_of_reversing_axes_but_left_and_right_would_be_seen_and_none_is_told_of_a_sound_scan(
    engine, sample_embeddings, sample_landmarks
):
    template, target = sample_embeddings
    middle = FlippedMiddle(template, target, engine.model)
    agreements = {flip: middle.agreement(flip) for flip in ((), *FLIPS)}
    # what is reversed along some axes fits, reversed along them again, as the sound scan does, and as it is like this;
    # a mirror image from left to right fits too well to be told from the scan by that, as bodies are nearly symmetric
    assert max(agreements[flip] for flip in FLIPS if flip != (0,)) < agreements[()] / 1.6
    for stored in ((), *FLIPS[1:]):
        assert (
            likely_flip({flip: agreements[tuple(sorted({*flip} ^ {*stored}))] for flip in agreements})
            == stored
        )
    assert orientation_doubt(template, target, engine.model, 0.0) == ""
    with warnings.catch_warnings():
        warnings.simplefilter("error", VolumeWarning)
        result = engine.transfer(template, sample_landmarks, target)
    assert result.provenance["warnings"]["target"] == []
    assert result.counts()[Status.FOUND.value] > 10


def test_where_most_points_lead_back_nothing_is_computed(sample_embeddings):
    # without a model it would fail
    assert FEW_CONSISTENT < MOST_CONSISTENT
    assert orientation_doubt(*sample_embeddings, None, MOST_CONSISTENT) == ""
