"""Less memory than needed: the engine goes on with less of it, and says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.embedding.embedding import Level
from SAMLandmarkLib.engine.runtime import SMALLER_LIMITS, EngineRuntime
from SAMLandmarkLib.engine.transfer import TransferEngine
from SAMLandmarkLib.utils.errors import UsageError
from SAMLandmarkLib.utils.failures import describe_exception
from SAMLandmarkLib.worker import WorkerSettings
from SAMLandmarkLib.worker.failures import describe_exit


@pytest.fixture
def runtime(tmp_path) -> EngineRuntime:
    return EngineRuntime(WorkerSettings(device="cpu"), tmp_path)


def failing(runtime: EngineRuntime, times: int, error: Exception):
    """What computes only after some failures; returns the memory limits that were tried."""
    limits = []

    def compute(engine):
        limits.append(runtime.limit)
        if len(limits) <= times:
            raise error
        return limits

    return compute


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_full_memory_is_met_with_smaller_limits_and_a_note(runtime, error):
    assert runtime.attempt(failing(runtime, 2, error)) == [None, *SMALLER_LIMITS]
    assert len(runtime.notes) == 2
    assert "512 MiB" in runtime.notes[1]


def test_memory_that_never_suffices_is_told(runtime):
    with pytest.raises(MemoryError, match="not enough memory"):
        runtime.attempt(failing(runtime, 9, MemoryError()))


def test_other_errors_are_not_tried_again(runtime):
    tried = []
    with pytest.raises(UsageError):
        runtime.attempt(lambda engine: tried.append(1) or (_ for _ in ()).throw(UsageError("no")))
    assert tried == [1]


def test_landmarks_found_after_the_change_are_the_same_and_carry_the_note(
    runtime, template, followup, sample_landmarks
):
    landmarks = LandmarkSet(list(sample_landmarks)[8:14])
    scans = runtime.embed_volume(template), runtime.embed_volume(followup)
    before = runtime.transfer(scans[0], landmarks, scans[1])
    runtime.attempt(failing(runtime, 1, MemoryError()))
    after = runtime.transfer(scans[0], landmarks, scans[1])
    assert before.provenance["notes"] == []
    assert after.provenance["notes"] == runtime.notes
    assert len(runtime.notes) == 1
    for first, second in zip(before, after, strict=True):
        assert (first.status, first.confidence) == (second.status, second.confidence)


class Unusable:
    """Makes engines, but none with a GPU, as where there is an old driver, or none with memory left."""

    def __init__(self, error: Exception) -> None:
        self.error, self.asked = error, []

    def __call__(self, device: str, *arguments: object) -> TransferEngine:
        self.asked.append(device)
        if device != "cpu":
            raise self.error
        return TransferEngine(device, *arguments)


@pytest.mark.parametrize(
    ("device", "error"),
    [
        ("auto", RuntimeError("CUDA error: no kernel image is available for execution on the device\nmore")),
        ("auto", torch.OutOfMemoryError("CUDA out of memory.")),
        ("cuda", torch.OutOfMemoryError("CUDA out of memory.")),
    ],
)
def test_gpu_that_cannot_be_used_leaves_the_cpu(tmp_path, device, error):
    make_engine = Unusable(error)
    runtime = EngineRuntime(WorkerSettings(device=device), tmp_path, make_engine)
    assert make_engine.asked == [device, "cpu"]
    assert runtime.engine.model.device.type == "cpu"
    (note,) = runtime.notes
    assert note.startswith("The GPU can't be used (CUDA")
    assert "\n" not in note


def test_gpu_that_was_asked_for_and_is_broken_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="no kernel image"):
        EngineRuntime(
            WorkerSettings(device="cuda"), tmp_path, Unusable(RuntimeError("CUDA error: no kernel image"))
        )


def test_embedding_moves_to_where_the_engine_computes(runtime, template):
    scan = runtime.embed_volume(template)
    fine, coarse = scan.embedding.levels
    other = torch.float32 if coarse.vectors.dtype == torch.bfloat16 else torch.bfloat16
    scan.embedding = replace(scan.embedding, levels=(fine, Level(coarse.vectors.to(other), coarse.grid)))
    moved = scan.on_device_of(runtime.engine.model)
    assert moved.searched.vectors.dtype == runtime.engine.model.dtype
    assert scan.on_device_of(runtime.engine.model) is moved, "what is known of pairs goes by the object"


@pytest.mark.parametrize(
    ("code", "started", "kind", "words"),
    [
        (-9, True, "memory", "memory ran out"),
        (137, True, "memory", "memory ran out"),
        (-4, True, "installation", "processor"),
        (0xC000001D, False, "installation", "processor"),
        (-11, True, "crash", "SIGSEGV"),
        (0xC0000005, True, "crash", "0xc0000005"),
        (1, False, "start", "exit code 1"),
        (-200, True, "crash", "signal 200"),
    ],
)
def test_exit_codes_become_sentences(code, started, kind, words):
    found, sentence = describe_exit(code, started, "python")
    assert found == kind
    assert words in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            "installation",
            "PyTorch is not installed",
        ),
        (
            ImportError("DLL load failed while importing _C", name="torch._C"),
            "installation",
            "can't be loaded",
        ),
        (OSError(28, "No space left on device"), "disk", "No space left"),
        (ZeroDivisionError("division by zero"), "internal", "ZeroDivisionError: division by zero"),
        (ImportError("libtorch.so: failed to map segment from shared object"), "memory", "not enough memory"),
    ],
)
def test_exceptions_become_sentences(error, kind, words):
    found, sentence = describe_exception(error)
    assert found == kind
    assert words in sentence
    assert sentence.endswith(".")
