"""Fitting the confidence: the arithmetic, and one small fit on real scans."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import SimpleITK as sitk

from SAMLandmarkLib.core.results import Status
from SAMLandmarkLib.engine.runtime import EngineRuntime
from SAMLandmarkLib.engine.settings import WorkerSettings
from SAMLandmarkLib.engine.transfer import TransferEngine
from SAMLandmarkLib.evaluation.calibration import CalibrationSettings, calibrate, fit_logistic
from SAMLandmarkLib.evaluation.loop_consistency import confirmed
from SAMLandmarkLib.matching.confidence import FITTED, Calibration
from SAMLandmarkLib.models.bundle import EmbeddingModel, ModelMetadata, export_bundle, rewrite_metadata
from SAMLandmarkLib.models.network import BranchConfig, SamNetwork
from SAMLandmarkLib.utils.errors import ModelError, UsageError


@pytest.fixture
def runtime(engine, tmp_path):
    """What the command computes with, around the engine that all tests share."""
    return EngineRuntime(
        WorkerSettings(device="cpu"), tmp_path / "cache", make_engine=lambda *_, **__: engine
    )


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


@pytest.mark.slow
def test_small_fit_on_real_scans_is_stored_in_the_model(tmp_path, sample_template, runtime):
    group = tmp_path / "scans" / "abdomen"
    group.mkdir(parents=True)
    for number, start in enumerate((60, 70, 80)):
        part = sitk.GetImageFromArray(sample_template.array[:, start : start + 110, 60:190])
        part.SetSpacing(sample_template.spacing_mm.tolist())
        part.SetOrigin(sample_template.lps_from_index([60, start, 0]).tolist())
        sitk.WriteImage(part, group / f"part{number}.nii.gz")
    settings = CalibrationSettings(deformed_scans=1, route_groups=1, scans_per_group=3, points=12)
    fitted = calibrate(runtime, tmp_path / "scans", settings, "samlandmark calibrate")
    assert set(fitted) == {"fast", "accurate"}
    for profile in fitted.values():
        assert set(profile.weights) == set(FITTED)
        assert np.isfinite([profile.intercept, *profile.weights.values()]).all()
        assert profile.weights["log_cycle"] < 0
    assert fitted["fast"].weights != fitted["accurate"].weights

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


@pytest.mark.every_processor
@pytest.mark.parametrize(
    ("confidence", "status"),
    [
        (0.79994, Status.DOUBTFUL),
        (0.79996, Status.FOUND),
        (0.8, Status.FOUND),
        (0.19994, Status.MISSING),
        (0.19996, Status.DOUBTFUL),
    ],
)
def test_status_is_decided_on_the_digits_that_tables_show(confidence, status):
    assert Calibration(found=0.8, missing=0.2).status(confidence) is status


def test_empty_folder_is_refused(tmp_path, runtime):
    with pytest.raises(UsageError, match="holds no NIfTI, NRRD or MetaImage scans"):
        calibrate(runtime, tmp_path, CalibrationSettings(), "")


def test_a_calibration_may_speak_of_any_known_feature_and_of_no_other():
    older = {
        "intercept": 1.0,
        "weights": {"log_moved": -0.4, "log_cycle": -0.1},
        "found": 0.8,
        "missing": 0.2,
    }
    assert Calibration.from_json(older).weights == older["weights"]
    with pytest.raises(ModelError, match="weights: must be of the features .*, not luck"):
        Calibration.from_json(older | {"weights": {"luck": 1.0}})
    with pytest.raises(ModelError, match="vote: must be of the features .*, not luck"):
        Calibration.from_json(older | {"vote": {"luck": 1.0}})
