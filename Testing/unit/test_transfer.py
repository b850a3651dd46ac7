"""The engine on the bundled follow-up pair: right places, honest MISSING, any orientation."""

from __future__ import annotations

import numpy as np
import pytest

from SAMLandmarkLib.core.landmarks import Landmark, LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.engine.transfer import Status, TransferEngine, TransferResult
from SAMLandmarkLib.utils.errors import UsageError

pytestmark = pytest.mark.slow


def errors_mm(result: TransferResult, truth: LandmarkSet) -> np.ndarray:
    """Distance of each found landmark to its true place; NaN where MISSING."""
    known = dict(zip(truth.labels, truth.positions_lps, strict=True))
    return np.array(
        [
            np.nan if item.position_lps is None else np.linalg.norm(item.position_lps - known[item.label])
            for item in result
        ]
    )


@pytest.fixture(scope="module")
def result(engine, sample_embeddings, sample_landmarks) -> TransferResult:
    return engine.transfer(sample_embeddings[0], sample_landmarks, sample_embeddings[1])


@pytest.mark.every_processor
def test_real_followup_is_found(result, sample_truth):
    """33 days and 32 mm apart; the margin above the measured 1.2 and 1.4 mm is what tells a regression."""
    error = errors_mm(result, sample_truth)
    assert np.isfinite(error).all()
    assert np.median(error) <= 1.6
    assert np.mean(error) <= 1.9
    assert np.max(error) <= 6.0


def test_refinement_pays(engine, sample_embeddings, sample_landmarks, sample_truth, result):
    fast = TransferEngine(device="cpu", profile="fast")
    unrefined = fast.transfer(sample_embeddings[0], sample_landmarks, sample_embeddings[1])
    assert unrefined.provenance["settings"]["profile"] == "fast"
    plain, refined = errors_mm(unrefined, sample_truth), errors_mm(result, sample_truth)
    assert np.nanmedian(plain) <= 2.2
    assert np.nanmean(refined) < 0.9 * np.nanmean(plain)


def test_unknown_profile_is_refused():
    with pytest.raises(UsageError, match="choose fast or accurate"):
        TransferEngine(device="cpu", profile="exact")


def test_order_labels_and_evidence(result, sample_landmarks):
    assert [item.label for item in result] == list(sample_landmarks.labels)
    for item in result:
        assert 0.0 <= item.confidence <= 1.0
        assert -1.0 <= item.similarity <= 1.0
        assert item.cycle_error_mm >= 0.0
        assert item.candidates
        assert (item.reason == "") == (item.status is Status.FOUND)


def test_candidates_are_separate_places_best_first(result):
    for item in result:
        positions = np.array([candidate.position_lps for candidate in item.candidates])
        gaps = np.linalg.norm(positions[:, None] - positions[None], axis=-1)[
            np.triu_indices(len(positions), 1)
        ]
        assert (gaps >= 10.0).all()
        if item.position_lps is not None:
            np.testing.assert_array_equal(item.position_lps, positions[0])


def test_same_scan_gives_the_same_points(engine, sample_embeddings, sample_landmarks):
    result = engine.transfer(sample_embeddings[0], sample_landmarks, sample_embeddings[0])
    error = errors_mm(result, sample_landmarks)
    assert np.nanmax(error) < 1.0
    assert all(item.status is Status.FOUND for item in result)


def test_repeated_transfer_is_identical(engine, sample_embeddings, sample_landmarks, result):
    again = engine.transfer(sample_embeddings[0], sample_landmarks, sample_embeddings[1])
    for first, second in zip(result, again, strict=True):
        np.testing.assert_array_equal(first.position_lps, second.position_lps)
        assert first.confidence == second.confidence


def test_one_point_alone_goes_where_it_goes_among_others(engine, sample_embeddings, sample_landmarks, result):
    alone = engine.transfer(sample_embeddings[0], LandmarkSet([sample_landmarks[3]]), sample_embeddings[1])
    np.testing.assert_allclose(alone[0].position_lps, result[3].position_lps, atol=0.05)


def test_points_outside_the_template_are_missing(engine, sample_embeddings, sample_landmarks):
    far = Landmark("far", np.array([900.0, 0.0, 0.0]))
    undefined = Landmark("undefined", None)
    result = engine.transfer(
        sample_embeddings[0], LandmarkSet([far, sample_landmarks[0], undefined]), sample_embeddings[1]
    )
    assert [item.status for item in result] == [Status.MISSING, Status.FOUND, Status.MISSING]
    assert [item.reason for item in result] == ["outside template", "", "not defined in the template"]
    assert result[0].position_lps is None and result[0].confidence == 0.0


def test_places_outside_the_target_are_missing_for_that_reason(
    engine, sample_embeddings, sample_followup, sample_landmarks, sample_truth
):
    """The lower half of the follow-up alone: what lies 20 mm or more above the cut must not be found."""
    heights = sample_truth.positions_lps[:, 2]
    cut_lps_z = float(np.median(heights))
    index = round(sample_followup.index_from_lps([0.0, 0.0, cut_lps_z])[2])
    lower = Volume(sample_followup.array[:index], sample_followup.ijk_to_lps, "lower half")
    result = {item.label: item for item in engine.transfer(sample_embeddings[0], sample_landmarks, lower)}
    known = zip(sample_truth.labels, sample_truth.positions_lps, strict=True)
    gone = {label for label, point in known if point[2] > cut_lps_z + 20.0}
    assert len(gone) >= 4
    reasons = {label: result[label].reason for label in gone if result[label].status is Status.MISSING}
    assert len(reasons) >= len(gone) - 1
    assert list(reasons.values()).count("outside field of view") >= len(gone) - 1


@pytest.mark.parametrize("flip", [(0,), (1, 2), (0, 1, 2)], ids=["k", "j and i", "all"])
def test_flipped_storage_of_the_target_gives_the_same_points(
    engine, sample_embeddings, sample_followup, sample_landmarks, result, flip
):
    ijk_to_lps = sample_followup.ijk_to_lps.copy()
    for axis in flip:
        column = 2 - axis
        ijk_to_lps[:3, 3] += ijk_to_lps[:3, column] * (sample_followup.array.shape[axis] - 1)
        ijk_to_lps[:3, column] *= -1
    flipped = Volume(np.ascontiguousarray(np.flip(sample_followup.array, flip)), ijk_to_lps, "flipped")
    moved = engine.transfer(sample_embeddings[0], sample_landmarks, flipped)
    gaps = [
        np.linalg.norm(a.position_lps - b.position_lps)
        for a, b in zip(result, moved, strict=True)
        if a.position_lps is not None and b.position_lps is not None
    ]
    assert len(gaps) >= 18
    assert max(gaps) < 1.0


def test_oblique_copy_of_the_target_gives_turned_points(
    engine, sample_embeddings, sample_followup, sample_landmarks, result
):
    """The patient turned by 8 degrees about a tilted axis and shifted: header only, so the truth is exact."""
    angle = np.deg2rad(8.0)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(0.1), -np.sin(0.1)], [0, np.sin(0.1), np.cos(0.1)]])
    moved_from_lps = np.eye(4)
    moved_from_lps[:3, :3] = tilt @ rotation
    moved_from_lps[:3, 3] = (40.0, -25.0, 300.0)
    turned = Volume(sample_followup.array, moved_from_lps @ sample_followup.ijk_to_lps, "turned")
    moved = engine.transfer(sample_embeddings[0], sample_landmarks, turned)
    gaps = [
        np.linalg.norm(moved_from_lps[:3, :3] @ a.position_lps + moved_from_lps[:3, 3] - b.position_lps)
        for a, b in zip(result, moved, strict=True)
        if a.position_lps is not None and b.position_lps is not None
    ]
    assert len(gaps) >= 17
    assert np.median(gaps) < 2.5


def test_volumes_are_embedded_once(sample_template, sample_followup, sample_landmarks):
    engine = TransferEngine(device="cpu")
    steps: list[str] = []
    for _ in range(2):
        engine.transfer(
            sample_template, sample_landmarks, sample_followup, progress=lambda step, _: steps.append(step)
        )
    assert steps.count("fine embedding") == 2
    assert steps.count("matching") == 2


def test_written_files_hold_the_result(result, tmp_path):
    result.write(tmp_path)
    found = LandmarkSet.read(tmp_path / "followup.mrk.json")
    np.testing.assert_allclose(
        found.positions_lps,
        [np.full(3, np.nan) if item.position_lps is None else item.position_lps for item in result],
        atol=1e-3,
    )


@pytest.fixture(scope="module")
def air(engine):
    array = np.full((40, 60, 60), -1000, dtype=np.int16)
    return engine.embed(Volume(array, np.diag([3.0, 3.0, 3.0, 1.0]), "air"))


def test_nothing_is_found_in_air(engine, sample_embeddings, air, sample_landmarks):
    result = engine.transfer(sample_embeddings[0], sample_landmarks, air)
    assert {item.status for item in result} == {Status.MISSING}
    assert all(item.reason for item in result)


def test_a_template_of_air_gives_no_sure_answer(engine, sample_embeddings, air):
    landmarks = LandmarkSet([Landmark("nowhere", np.array([90.0, 90.0, 60.0]))])
    assert engine.transfer(air, landmarks, sample_embeddings[1])[0].status is not Status.FOUND
