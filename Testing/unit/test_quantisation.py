"""Weights in 8 bits: small errors, and what was rounded once stays."""

from __future__ import annotations

import pytest
import torch

from SAMLandmarkLib.models.quantisation import packed, unpacked


@pytest.fixture
def weights() -> torch.Tensor:
    """Random weights whose channels differ by ten orders of magnitude, one of them all zero."""
    values = torch.randn(24, 7, 3, 3, 3, generator=torch.Generator().manual_seed(1))
    values *= torch.logspace(-7, 3, 24)[:, None, None, None, None]
    values[5] = 0.0
    return values


def test_each_weight_is_wrong_by_at_most_half_a_percent_of_its_channels_greatest(weights):
    error = (unpacked(*packed(weights)) - weights).abs().amax(dim=(1, 2, 3, 4))
    assert (error <= 0.006 * weights.abs().amax(dim=(1, 2, 3, 4))).all()


def test_packing_again_changes_nothing(weights):
    once = unpacked(*packed(weights))
    assert torch.equal(unpacked(*packed(once)), once)


def test_scales_of_other_weights_are_refused(weights):
    integers, scales = packed(weights)
    with pytest.raises(ValueError, match=r"23,\) scales"):
        unpacked(integers, scales[:-1])
