"""A smaller network learns the vectors of a larger one."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_models import toy_model

from SAMLandmarkLib.core.modality import CT
from SAMLandmarkLib.models.network import BranchConfig, EmbeddingBranch
from SAMLandmarkLib.training.config import COARSE, TrainingConfig
from SAMLandmarkLib.training.narrowing import narrowed
from SAMLandmarkLib.training.pairs import draw_pair
from SAMLandmarkLib.training.pool import VolumePool
from SAMLandmarkLib.training.step import level_outcome
from SAMLandmarkLib.training.warm_start import network_of_model_file
from SAMLandmarkLib.utils.errors import UsageError

CPU = torch.device("cpu")
SMALLER = BranchConfig(channels=(12, 16), blocks=(0, 0), dimension=24)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> Path:
    return toy_model(tmp_path_factory.mktemp("teacher"), CT, (2.0, 4.0))


@pytest.fixture(scope="module")
def pool(sample_folder) -> VolumePool:
    return VolumePool.read(sample_folder, {}, CPU, spacings_mm=[4.0])


def outcome_of(teacher: Path, pool: VolumePool, student: EmbeddingBranch, step: int = 0, **changes):
    level = dataclasses.replace(
        COARSE, task="distillation", patch_kji=(24, 32, 32), teacher=str(teacher), network=SMALLER, anchors=64
    )
    level, config = dataclasses.replace(level, **changes), TrainingConfig()
    pair = draw_pair(pool, level, config, np.random.default_rng(step))
    return level_outcome(student, [pair], level, config, torch.Generator(), torch.float32)


def test_the_teacher_itself_has_nothing_to_learn(teacher, pool):
    outcome = outcome_of(teacher, pool, network_of_model_file(teacher).branches[1].float())
    assert outcome.loss < 1e-4
    assert outcome.accuracy > 0.999


def test_a_smaller_network_comes_nearer_to_its_teacher(teacher, pool):
    torch.manual_seed(0)
    student = EmbeddingBranch(SMALLER)
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-2)
    outcome = partial(outcome_of, teacher, pool, student)
    before = outcome(100)
    for step in range(20):
        optimizer.zero_grad()
        outcome(step).loss.backward()
        optimizer.step()
    after = outcome(100)
    assert before.loss > 0.5
    assert after.loss < 0.5 * before.loss
    assert after.accuracy > before.accuracy


def silence(branch: EmbeddingBranch, count: int, outputs: list[str], inputs: list[str]) -> None:
    """Take all weights from some channels that these convolutions give to those."""
    convolutions = dict(branch.named_modules())
    channels = torch.randperm(convolutions[outputs[0]].out_channels)[:count]
    with torch.no_grad():
        for name in outputs:
            convolutions[name].weight[channels] = 0
            convolutions[name].bias[channels] = 0
        for name in inputs:
            convolutions[name].weight[:, channels] = 0


def test_a_student_begins_with_the_weightiest_channels_of_a_wider_branch(teacher):
    torch.manual_seed(0)
    wide = network_of_model_file(teacher).branches[0].float()
    silence(wide, 4, ["stem.0", "laterals.0"], ["downs.0.0", "merge_finest.0"])
    silence(wide, 8, ["downs.0.0"], ["laterals.0"])
    silence(wide, 8, ["merge_finest.0"], ["head"])
    values = torch.rand(1, 1, 16, 16, 16) * 1000 - 500
    with torch.no_grad():
        # the channels that go are those without weights, so nothing changes
        torch.testing.assert_close(narrowed(wide, SMALLER)(values), wide(values))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"channels": (12, 16, 24), "blocks": (0, 0, 0)}, "they are of 2 resolutions, it has 3"),
        ({"blocks": (1, 0)}, "they are of fewer blocks"),
        ({"channels": (20, 24)}, r"stem.0 is of \(16, 24\) channels, it has \(20, 24\)"),
    ],
)
def test_a_student_that_is_larger_somewhere_cannot_begin_so(teacher, changes, reason):
    with pytest.raises(ValueError, match=reason):
        narrowed(network_of_model_file(teacher).branches[0], dataclasses.replace(SMALLER, **changes))


def test_a_teacher_without_such_a_level_or_with_longer_vectors_is_refused(teacher, pool, sample_folder):
    student = EmbeddingBranch(SMALLER)
    with pytest.raises(UsageError, match=r"no level sees voxels of 8 mm; its levels see 2, 4 mm"):
        coarser = VolumePool.read(sample_folder, {}, CPU, spacings_mm=[8.0])
        outcome_of(teacher, coarser, student, spacing_mm=8.0, patch_kji=(16, 24, 24))
    short = dataclasses.replace(SMALLER, dimension=8)
    with pytest.raises(UsageError, match=r"24 numbers, those to be trained 8; set the dimension"):
        outcome_of(teacher, pool, EmbeddingBranch(short), network=short)
