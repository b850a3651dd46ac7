"""What a worker answers is what the engine in this process answers."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.utils.errors import UsageError
from SAMLandmarkLib.utils.translation import Sentence
from SAMLandmarkLib.worker import EmbedReply, ScanData, WorkerTransferRequest

from .conftest import PATIENCE_SECONDS, Told, poll_until, scan_data


@pytest.fixture(scope="module")
def embeddings(engine, template, followup):
    return engine.embed(template), engine.embed(followup)


def assert_same(answers, result) -> None:
    assert len(answers) == len(result)
    for answer, item in zip(answers, result, strict=True):
        assert (answer.label, answer.status, answer.reason) == (item.label, item.status.value, item.reason)
        expected = None if item.position_lps is None else pytest.approx(item.position_lps, abs=0.01)
        assert answer.position_lps == expected
        numbers = (answer.confidence, answer.similarity, answer.cycle_error_mm, answer.uncertainty_mm)
        assert numbers == pytest.approx(
            (item.confidence, item.similarity, item.cycle_error_mm, item.uncertainty_mm),
            abs=1e-3,
            nan_ok=True,
        )
        assert len(answer.candidates) == len(item.candidates)
        for found, candidate in zip(answer.candidates, item.candidates, strict=True):
            assert found.position_lps == pytest.approx(candidate.position_lps, abs=0.01)
            assert found.similarity == pytest.approx(candidate.similarity, abs=1e-3)


def test_transfer_answers_what_the_engine_answers(
    engine, embeddings, sample_landmarks, warm_client, request_for, told
):
    warm_client.transfer(request_for(), **told.callbacks)
    assert warm_client.wait(PATIENCE_SECONDS)
    result = engine.transfer(embeddings[0], sample_landmarks, embeddings[1])
    assert_same(told.result.answers, result)
    assert all(
        np.isfinite(answer.uncertainty_mm)
        for answer in told.result.answers
        if answer.position_lps is not None
    )
    assert {answer.status for answer in told.result.answers} >= {"FOUND", "MISSING"}
    assert told.result.provenance["model"] == result.provenance["model"]
    assert told.result.provenance["notes"] == []


def test_extra_templates_are_asked_as_well(engine, embeddings, sample_landmarks, warm_client, told):
    template, followup = embeddings
    points = sample_landmarks.positions_lps[10:12]
    labels = sample_landmarks.labels[10:12]
    request = WorkerTransferRequest(
        "template", labels, points, "followup", [("followup", labels, points + 5.0)]
    )
    warm_client.transfer(request, **told.callbacks)
    assert warm_client.wait(PATIENCE_SECONDS)
    landmarks = LandmarkSet.from_points(labels, points)
    extra = [(followup, LandmarkSet.from_points(labels, points + 5.0))]
    assert_same(told.result.answers, engine.transfer(template, landmarks, followup, extra_templates=extra))


def test_heat_map_is_the_engines(engine, embeddings, sample_landmarks, warm_client, told):
    point = sample_landmarks.positions_lps[10]
    warm_client.heat_map("template", point, "followup", **told.callbacks)
    assert warm_client.wait(PATIENCE_SECONDS)
    expected = engine.heat_map(embeddings[0], point, embeddings[1])
    np.testing.assert_allclose(told.result.array, expected.array, atol=0.01)
    np.testing.assert_array_equal(told.result.ijk_to_lps, expected.grid.ijk_to_lps)
    assert not list(warm_client.folder.glob("heat*"))


def test_undefined_points_are_missing_and_say_so(warm_client, told):
    points = np.array([[np.nan] * 3, [0.0, 0.0, 5000.0]])
    warm_client.transfer(
        WorkerTransferRequest("template", ["no", "far"], points, "followup"), **told.callbacks
    )
    assert warm_client.wait(PATIENCE_SECONDS)
    no, far = told.result.answers
    assert (no.status, no.position_lps, no.reason) == ("MISSING", None, "not defined in the template")
    assert (far.status, far.position_lps, far.reason) == ("MISSING", None, "outside template")
    assert math.isnan(no.similarity)


def test_prepare_answers_without_a_result(warm_client, told):
    warm_client.prepare("template", "followup", **told.callbacks)
    assert warm_client.wait(PATIENCE_SECONDS)
    assert told.result is None


def test_describe_tells_model_device_and_cache(engine, warm_client, told):
    warm_client.describe(told.done.append, told.failed.append)
    assert warm_client.wait(PATIENCE_SECONDS)
    described = told.result
    assert described["model"]["sha256"] == engine.model.checksum
    assert described["device"] == "cpu"
    assert described["cache"]["bytes"] > 100_000


def test_wrong_requests_fail_with_a_sentence_and_the_worker_goes_on(warm_client, request_for):
    process = warm_client.process_id
    twice, outside, fine = Told(), Told(), Told()
    points = np.zeros((2, 3))
    warm_client.transfer(WorkerTransferRequest("template", ["a", "a"], points, "followup"), **twice.callbacks)
    warm_client.heat_map("template", (0.0, 0.0, 5000.0), "followup", **outside.callbacks)
    warm_client.transfer(request_for(count=1), **fine.callbacks)
    assert warm_client.wait(PATIENCE_SECONDS)
    assert twice.failure.kind == "landmarks"
    assert "'a'" in twice.failure.message
    assert outside.failure.kind == "usage"
    assert fine.result.answers
    assert warm_client.process_id == process


def test_unknown_scans_and_unequal_lists_are_refused_at_once(warm_client, request_for):
    with pytest.raises(UsageError, match="'elsewhere'"):
        warm_client.transfer(request_for("elsewhere"))
    with pytest.raises(UsageError, match="2 labels for 1 points"):
        warm_client.transfer(WorkerTransferRequest("template", ["a", "b"], np.zeros((1, 3)), "followup"))
    assert not warm_client.busy


@pytest.mark.parametrize(
    ("array", "affine", "words"),
    [
        (np.zeros((2, 30, 30), dtype=np.int16), np.eye(4), "too few"),
        (np.zeros((30, 30, 30, 3), dtype=np.int16), np.eye(4), "4 dimensions"),
        (np.full((30, 30, 30), np.nan), np.eye(4), "NaN"),
        (np.zeros((30, 30, 30), dtype=np.int16), np.diag([1.0, 1.0, 0.0, 1.0]), "spacing"),
        (np.zeros((30, 30, 30), dtype=complex), np.eye(4), "complex"),
    ],
)
def test_bad_scans_are_named_and_spoil_nothing(warm_client, told, array, affine, words):
    bad = ScanData("bad", "Chest of May", array, affine)
    waiting = Told()
    warm_client.embed(bad, **told.callbacks)
    warm_client.prepare("template", "bad", **waiting.callbacks)
    assert warm_client.wait(PATIENCE_SECONDS)
    assert told.failure.kind == "volume"
    assert "Chest of May" in told.failure.message
    assert words in told.failure.message
    assert waiting.failed == told.failed
    warm_client.forget("bad")


def test_what_the_worker_says_is_said_in_the_users_language(warm_client, told, monkeypatch):
    monkeypatch.setattr(Sentence, "translator", staticmethod(_shouted))
    warm_client.embed(ScanData("bad", "scan", np.ones((2, 30, 30), np.int16), np.eye(4)), **told.callbacks)
    assert warm_client.wait(PATIENCE_SECONDS)
    assert (
        told.failure.message
        == "scan: 30x30x2 VOXELS ARE TOO FEW; AT LEAST 4 SLICES IN EVERY DIRECTION ARE NEEDED."
    )


def _shouted(context: str, english: str) -> str:
    """A translation into capitals, with the placeholders as they are."""
    return re.sub(r"(\{\w+\})|([a-z]+)", lambda match: match[1] or match[2].upper(), english)


def test_a_scan_larger_than_any_patient_is_refused_before_memory_is_asked_for(warm_client, told):
    array = np.random.default_rng(1).integers(-900, 900, (40, 40, 40)).astype(np.int16)
    scan = ScanData("vast", "A planet", array, np.diag([1e11, 1e11, 1e11, 1.0]))
    warm_client.embed(scan, **told.callbacks)
    assert warm_client.wait(PATIENCE_SECONDS)
    assert told.failure.kind == "volume"
    assert "unit of its spacing is wrong" in told.failure.message
    warm_client.forget("vast")


def test_callbacks_come_on_the_polling_thread_and_only_from_poll(warm_client, request_for):
    threads = []
    warm_client.transfer(request_for(count=1), on_done=lambda reply: threads.append(threading.get_ident()))
    assert threads == []
    poll_until(warm_client, lambda: threads)
    assert threads == [threading.get_ident()]


def test_a_callback_may_ask_again_and_its_exception_loses_no_other_answer(warm_client, request_for):
    order = []

    def ask_again(reply):
        order.append("first")
        warm_client.transfer(request_for(count=1), on_done=lambda reply: order.append("third"))
        raise RuntimeError("a mistake of the program")

    warm_client.transfer(request_for(count=1), on_done=ask_again)
    warm_client.transfer(request_for(count=1), on_done=lambda reply: order.append("second"))
    with pytest.raises(RuntimeError, match="a mistake"):
        warm_client.wait(PATIENCE_SECONDS)
    assert warm_client.wait(PATIENCE_SECONDS)
    assert order == ["first", "second", "third"]


def test_same_key_with_other_voxels_replaces_the_scan(warm_client, template, followup, request_for):
    def distances_mm() -> list[float]:
        told, request = Told(), request_for("copy", count=12)
        warm_client.transfer(request, **told.callbacks)
        assert warm_client.wait(PATIENCE_SECONDS)
        pairs = zip(told.result.answers, request.points_lps, strict=True)
        return [math.dist(answer.position_lps, point) for answer, point in pairs if answer.status == "FOUND"]

    warm_client.embed(scan_data("copy", template))
    same = distances_mm()
    warm_client.embed(scan_data("copy", followup))
    other = distances_mm()
    warm_client.forget("copy")
    assert len(same) >= 3
    assert np.median(same) < 1.0
    assert len(other) >= 3
    assert np.median(other) > 10.0


def test_embed_reply_tells_effort_and_doubts(warm_client, template, told):
    scan = ScanData("no air", "No air", template.array.clip(0), template.ijk_to_lps, modality="ct")
    warm_client.embed(scan, **told.callbacks)
    assert warm_client.wait(PATIENCE_SECONDS)
    reply = told.result
    assert isinstance(reply, EmbedReply)
    assert (reply.key, reply.device, reply.from_cache) == ("no air", "cpu", False)
    assert 100_000 < reply.voxels_2mm < 2_000_000
    assert "none negative" in reply.warnings[0]
    assert [step for key, step, _ in told.progress if key == "no air"][-1] == "fine embedding"
    warm_client.forget("no air")


def test_the_program_needs_neither_torch_nor_simpleitk():
    code = (
        "import sys\n"
        "import SAMLandmarkLib.worker as worker, SAMLandmarkLib.embedding.cache\n"
        "[getattr(worker, name) for name in worker.__all__]\n"
        "print(*{'torch', 'SimpleITK', 'scipy', 'matplotlib', 'typer', 'slicer'} & set(sys.modules))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
