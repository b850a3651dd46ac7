"""bfloat16 where the hardware multiplies it, float32 elsewhere, unless somebody says otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from SAMLandmarkLib.engine.transfer import TransferEngine
from SAMLandmarkLib.models import precision
from SAMLandmarkLib.models.bundle import EmbeddingModel
from SAMLandmarkLib.models.precision import compute_dtype, instruction_set, precision_name
from SAMLandmarkLib.utils.errors import UsageError
from SAMLandmarkLib.utils.threads import torch_threads

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
VARIABLES = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")


@pytest.fixture
def processor(monkeypatch):
    """A function that makes the processor one of an architecture with some capabilities, and nothing held down."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def become(machine: str, **capabilities: bool) -> None:
        monkeypatch.setattr(precision.platform, "machine", lambda: machine)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)

    return become


@pytest.mark.parametrize(
    ("machine", "capabilities", "expected"),
    [
        ("x86_64", {"avx2": True, "avx512_bf16": False}, torch.float32),
        ("x86_64", {"avx2": True, "avx512_bf16": True}, torch.bfloat16),
        ("AMD64", {"avx512_bf16": True, "amx_bf16": True}, torch.bfloat16),
        ("aarch64", {"bf16": True}, torch.float32),
        ("arm64", {}, torch.float32),
    ],
)
def test_instructions_decide(processor, machine, capabilities, expected):
    processor(machine, **capabilities)
    assert compute_dtype(CPU) is expected


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("ONEDNN_MAX_CPU_ISA", "AVX2", torch.float32),
        ("ONEDNN_MAX_CPU_ISA", "avx512_core_vnni", torch.float32),
        ("DNNL_MAX_CPU_ISA", "AVX512_CORE", torch.float32),
        ("ATEN_CPU_CAPABILITY", "avx2", torch.float32),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16", torch.bfloat16),
        ("ONEDNN_MAX_CPU_ISA", "ALL", torch.bfloat16),
        ("ATEN_CPU_CAPABILITY", "avx512", torch.bfloat16),
    ],
)
def test_a_process_held_down_by_the_environment_has_no_bfloat16(
    processor, monkeypatch, variable, value, expected
):
    processor("x86_64", avx512_bf16=True)
    monkeypatch.setenv(variable, value)
    assert compute_dtype(CPU) is expected


def test_versions_of_torch_that_do_not_tell_are_asked_in_the_old_way(processor, monkeypatch):
    processor("x86_64", avx512_bf16=True)
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    for name in precision._OLD_PROBES:
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert compute_dtype(CPU) is torch.float32
    monkeypatch.setattr(torch.cpu, precision._OLD_PROBES[0], lambda: True)
    assert compute_dtype(CPU) is torch.bfloat16


def test_what_is_asked_for_overrides(processor, caplog):
    processor("x86_64", avx512_bf16=True)
    assert compute_dtype(CPU, "fp32") is torch.float32
    assert compute_dtype(CPU, "bf16") is torch.bfloat16
    assert caplog.text == ""
    processor("x86_64", avx512_bf16=False)
    assert compute_dtype(CPU, "bf16") is torch.bfloat16
    assert "emulated, which may take fifty times as long as fp32" in caplog.text
    with pytest.raises(UsageError, match="Unknown precision 'fp8'; use auto, bf16 or fp32"):
        compute_dtype(CPU, "fp8")
    with pytest.raises(UsageError, match="bf16 is not to be had on the device mps; choose auto or fp32"):
        compute_dtype(torch.device("mps"), "bf16")
    assert compute_dtype(torch.device("mps")) is torch.float32


@pytest.mark.every_processor
def test_results_say_what_they_were_computed_in(sample_template, sample_landmarks, sample_followup, engine):
    expected = precision_name(compute_dtype(CPU))
    assert ("bfloat16" in instruction_set()) == (expected == "bf16")
    settings = engine.transfer(sample_template, sample_landmarks, sample_followup).provenance["settings"]
    assert settings["precision"] == expected == EmbeddingModel.load(device="cpu").precision


@pytest.mark.every_processor
def test_the_number_of_threads_moves_no_point_by_more_than_is_promised(
    engine, sample_template, sample_landmarks, sample_followup
):
    """docs/study.md: with another number of threads within 0.05 mm, with the same status."""
    results = []
    for count in (1, 2):
        with torch_threads(count):
            scans = engine.embed(sample_template), engine.embed(sample_followup)
        with torch_threads(1):
            results.append(engine.transfer(scans[0], sample_landmarks, scans[1]))
    for one, other in zip(*results, strict=True):
        assert one.status is other.status
        assert one.confidence == pytest.approx(other.confidence, abs=1e-3)
        if one.position_lps is not None:
            np.testing.assert_allclose(one.position_lps, other.position_lps, atol=0.05)


def test_float32_on_demand_finds_the_same_places(sample_template, sample_landmarks, sample_followup, engine):
    usual = engine.transfer(sample_template, sample_landmarks, sample_followup)
    exact = TransferEngine(device="cpu", precision="fp32")
    result = exact.transfer(sample_template, sample_landmarks, sample_followup)
    assert result.provenance["settings"]["precision"] == "fp32"
    apart_mm = [
        np.linalg.norm(one.position_lps - other.position_lps)
        for one, other in zip(usual, result, strict=True)
        if one.position_lps is not None and other.position_lps is not None
    ]
    assert np.median(apart_mm) < 0.1
