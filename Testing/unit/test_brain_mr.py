"""MR of heads: told from CT by its values, doubted where it shows something else, compared by self-similarity."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from SAMLandmarkLib.core.geometry import CanonicalGrid
from SAMLandmarkLib.core.matching_options import MR_BRAIN_PROFILES
from SAMLandmarkLib.core.modality import CT, MR_BRAIN, modality_of, recognised
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.embedding.embedding import Image
from SAMLandmarkLib.engine.runtime import EngineRuntime
from SAMLandmarkLib.engine.settings import WorkerSettings
from SAMLandmarkLib.matching.refinement import refine
from SAMLandmarkLib.utils.errors import VolumeWarning


def mr_of(ct: np.ndarray) -> np.ndarray:
    """Grey values as of MR, of CT: dark air and bone, and three tissues whose order is another one."""
    return np.interp(
        ct, [-1000, -300, -100, 0, 60, 200, 400, 2000], [5, 40, 900, 500, 700, 450, 60, 20]
    ).round()


@pytest.fixture(scope="module")
def grey(sample_template) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 12, sample_template.array.shape)
    return np.abs(mr_of(sample_template.array) + noise).astype(np.int16)


def test_values_tell_mr_from_ct(sample_template, grey):
    ct = sample_template.array
    assert recognised(ct) is CT and recognised(grey) is MR_BRAIN
    assert recognised((grey / grey.max()).astype(np.float32)) is MR_BRAIN
    assert recognised((grey / 8).astype(np.uint8)) is MR_BRAIN, "8 bits"
    assert recognised((ct + 1024).clip(0)) is CT, "its intercept is missing, which CT's own checks tell"
    assert recognised(grey - 8) is MR_BRAIN, "a few values are below zero after resampling"
    assert recognised((ct > 100).astype(np.int16)) is CT, "a segmentation is no MR"
    assert modality_of("ct", grey) is CT and modality_of("", grey) is MR_BRAIN


def test_a_file_of_mr_is_read_without_a_word_and_ct_named_mr_is_doubted(sample_template, grey, tmp_path):
    volume = Volume(grey[:, ::2, ::2], sample_template.ijk_to_lps @ np.diag([2.0, 2.0, 1.0, 1.0]))
    path = write(tmp_path / "head.nii.gz", volume)
    with warnings.catch_warnings():
        warnings.simplefilter("error", VolumeWarning)
        read = Volume.read(path)
    assert read.modality is MR_BRAIN
    ct = write(tmp_path / "ct.nii.gz", Volume(sample_template.array[:, :200, :200], np.eye(4)))
    with pytest.warns(VolumeWarning, match="far below zero, as in CT; landmarks will be unreliable"):
        assert Volume.read(ct, modality=MR_BRAIN).modality is MR_BRAIN


def write(path: Path, volume: Volume) -> Path:
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing([1.5, 1.5, 2.5])
    sitk.WriteImage(image, str(path))
    return path


def test_what_is_longer_than_a_head_is_doubted(grey):
    body = Volume(grey, np.diag([4.0, 4.0, 9.0, 1.0]), modality=MR_BRAIN)
    (doubt,) = body.doubts()
    assert "more than a head" in doubt


def test_the_user_s_word_counts_before_the_values(sample_template, grey, tmp_path):
    path = write(tmp_path / "scan.nii.gz", Volume(grey, sample_template.ijk_to_lps))
    runtime = EngineRuntime(WorkerSettings(modality="ct", cache_folder=tmp_path))
    with pytest.warns(VolumeWarning, match="none negative"):
        assert runtime.read(path).modality is CT


def test_contrast_and_brightness_do_not_matter(grey):
    normalised = MR_BRAIN.normalised(grey)
    np.testing.assert_allclose(normalised, MR_BRAIN.normalised(grey * 7.5 + 3), atol=2e-3)
    outshone = grey.copy()
    outshone[0, 0, :20] = 30_000
    assert np.abs(normalised - MR_BRAIN.normalised(outshone))[1:].mean() < 0.02


def test_self_similarity_finds_a_place_in_another_contrast(sample_template, sample_landmarks):
    """Where NCC of the intensities is led astray."""
    canonical = sample_template.canonical(2.0)
    shift, points = np.array([6.3, -4.7, 5.1]), sample_landmarks.positions_lps
    ct = np.clip((canonical.array + 200) / 600, 0, 1).astype(np.float32)
    other = (mr_of(canonical.array) / 1000).astype(np.float32)
    moved = CanonicalGrid(canonical.grid.origin_lps + shift, 2.0, canonical.grid.size_ijk)
    template = Image(torch.from_numpy(ct), canonical.grid, MR_BRAIN)
    target = Image(torch.from_numpy(other), moved, MR_BRAIN)
    start = points + shift + np.random.default_rng(0).uniform(-4, 4, points.shape)
    similar = MR_BRAIN_PROFILES["accurate"]
    errors = {
        compared: np.linalg.norm(
            refine(
                template, points, target, start, similar.changed(refinement={"compared": compared})
            ).positions_lps
            - points
            - shift,
            axis=1,
        )
        for compared in ("self_similarity", "intensities")
    }
    assert np.median(errors["self_similarity"]) < 0.6
    assert np.median(errors["self_similarity"]) < np.median(errors["intensities"])
