"""Fitting the confidence: the arithmetic, and one small fit on real scans."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import SimpleITK as sitk

from SAMLandmarkLib.errors import UsageError
from SAMLandmarkLib.evaluation.calibration import CalibrationSettings, calibrate, fit_logistic
from SAMLandmarkLib.evaluation.routes import confirmed
from SAMLandmarkLib.matching.confidence import FEATURES
from SAMLandmarkLib.model.bundle import EmbeddingModel, ModelMetadata, export_bundle, rewrite_metadata
from SAMLandmarkLib.model.network import BranchConfig, SamNetwork
from SAMLandmarkLib.transfer import TransferEngine


def test_fit_recovers_the_probabilities():
    rng = np.random.default_rng(0)
    features = rng.normal((3.0, -1.0), (2.0, 0.5), (4000, 2))
    probability = 1 / (1 + np.exp(-(0.5 - 0.8 * features[:, 0] - 1.5 * features[:, 1])))
    right = rng.random(4000) < probability
    intercept, weights = fit_logistic(features, right, np.ones(4000))
    fitted = 1 / (1 + np.exp(-(intercept + features @ weights)))
    assert np.abs(fitted - probability).mean() < 0.03


def test_fit_survives_separable_answers():
    features = np.linspace(-1, 1, 50)[:, None]
    intercept, weights = fit_logistic(features, features[:, 0] > 0, np.ones(50))
    assert np.isfinite([intercept, *weights]).all()
    assert weights[0] > 0


def test_routes_confirm_reject_and_overrule():
    direct = np.zeros((4, 3))
    far, other = np.array([50.0, 0, 0]), np.array([0, 90.0, 0])
    ends = np.array(
        [
            [[3.0, 0, 0], far, [2.0, 0, 0], [1.0, 0, 0]],  # first route
            [far, other, far, [2.0, 0, 0]],  # second route
            [other, [-70.0, 0, 0], far + 2, far],  # third route
        ]
    )
    # one beside it and no agreement elsewhere; none beside it; two agree elsewhere; two beside it
    assert confirmed(direct, ends).tolist() == [True, False, False, True]


def test_small_fit_on_real_scans_is_stored_in_the_model(tmp_path, sample_template, engine):
    group = tmp_path / "abdomen"
    group.mkdir()
    for number, start in enumerate((60, 70, 80)):
        part = sitk.GetImageFromArray(sample_template.array[:, start : start + 110, 60:190])
        part.SetSpacing(sample_template.spacing_mm.tolist())
        part.SetOrigin(sample_template.lps_from_index([60, start, 0]).tolist())
        sitk.WriteImage(part, group / f"part{number}.nii.gz")
    settings = CalibrationSettings(deformed_scans=1, route_groups=1, scans_per_group=3, points=12)
    fitted = calibrate(engine, tmp_path, settings, "samlandmark calibrate")
    assert set(fitted) == {"fast", "accurate"}
    for profile in fitted.values():
        assert set(profile.weights) == set(FEATURES)
        assert np.isfinite([profile.intercept, *profile.weights.values()]).all()
    assert fitted["fast"].weights["likeness"] == 0.0 != fitted["accurate"].weights["likeness"]

    model = tmp_path / "model.pt"
    small = BranchConfig(channels=(8, 12, 16, 16), blocks=(1, 1, 1, 1), dimension=8)
    export_bundle(SamNetwork(small, small), model, ModelMetadata(version="test"))
    rewrite_metadata(
        model, model, calibration={name: dataclasses.asdict(part) for name, part in fitted.items()}
    )
    assert EmbeddingModel.load(model, "cpu").metadata.version == "test"
    for name, profile in fitted.items():
        assert TransferEngine("cpu", model, profile=name).calibration == profile
    json.dumps(EmbeddingModel.load(model, "cpu").metadata.calibration)


def test_empty_folder_is_refused(tmp_path, engine):
    with pytest.raises(UsageError, match="holds no NIfTI, NRRD or MetaImage scans"):
        calibrate(engine, tmp_path, CalibrationSettings(), "")
