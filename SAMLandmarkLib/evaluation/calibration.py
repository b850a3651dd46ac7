"""Fitting the confidence: evidence of matches whose answers are known, or judged without labels, to a probability."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..embedding.embedding import Embedding
from ..errors import SAMLandmarkError, UsageError
from ..matching.confidence import FEATURES, Calibration, features_of
from ..matching.pair import PairMatcher
from ..transfer import TransferEngine
from ..volume import Volume
from ..volume_paths import volume_files
from .edge_points import edge_points
from .routes import judge_by_routes
from .synthetic import cropped_target, synthetic_target

logger = logging.getLogger(__name__)

RIGHT_MM = 10.0
RIDGE = 1.0
NEWTON_STEPS = 30


@dataclass(frozen=True)
class CalibrationSettings:
    """How much evidence is gathered: deformed scans, groups of scans of different patients, points in each."""

    deformed_scans: int = 10
    route_groups: int = 4
    scans_per_group: int = 5
    points: int = 60
    seed: int = 0


@dataclass(frozen=True)
class Evidence:
    """Features `(n, len(FEATURES))` of matches and whether each is right, `(n,)`."""

    features: np.ndarray
    right: np.ndarray


def calibrate(engine: TransferEngine, data: Path, settings: CalibrationSettings, command: str) -> Calibration:
    """Fit the confidence on scans below `data`, which should be those the model was trained on.

    Half of the weight goes to deformed and cropped copies of scans, whose answers are known, half to pairs of
    patients, judged by routes over third scans. Raises UsageError where `data` holds too few scans.
    """
    rng = np.random.default_rng(settings.seed)
    known = _joined(_deformed_evidence(engine, data, settings, rng))
    judged = _joined(_route_evidence(engine, data, settings, rng))
    logger.info("%d known answers, %d judged by routes", len(known.right), len(judged.right))
    weight = np.concatenate([np.full(len(part.right), 0.5 / len(part.right)) for part in (known, judged)])
    both = Evidence(np.vstack([known.features, judged.features]), np.concatenate([known.right, judged.right]))
    intercept, weights = fit_logistic(both.features, both.right, weight * len(weight))
    return dataclasses.replace(
        Calibration(),
        intercept=intercept,
        weights=dict(zip(FEATURES, weights.tolist(), strict=True)),
        source=command,
    )


def fit_logistic(features: np.ndarray, right: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """Intercept and weights of a logistic regression with a ridge on standardised features, by Newton's method."""
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(features)), (features - mean) / scale])
    ridge = np.diag([0.0, *np.full(features.shape[1], RIDGE)])
    solution = np.zeros(design.shape[1])
    for _ in range(NEWTON_STEPS):
        probability = 1 / (1 + np.exp(-design @ solution))
        gradient = design.T @ (weight * (right - probability)) - ridge @ solution
        curvature = (design * (weight * probability * (1 - probability))[:, None]).T @ design + ridge
        solution = solution + np.linalg.solve(curvature + 1e-9 * np.eye(len(solution)), gradient)
    weights = solution[1:] / scale
    return float(solution[0] - weights @ mean), weights


def _deformed_evidence(
    engine: TransferEngine, data: Path, settings: CalibrationSettings, rng: np.random.Generator
) -> Iterator[Evidence]:
    paths = [path for group in _groups(data) for path in group]
    for path in rng.permutation(np.array(paths, dtype=object))[: settings.deformed_scans]:
        try:
            template = Volume.read(path)
            landmarks = edge_points(template, settings.points, rng)
        except SAMLandmarkError as error:
            logger.warning("left out of the calibration: %s", error)
            continue
        whole = synthetic_target(template, landmarks, rng)
        embedding = engine.embed(template)
        for target in (whole, cropped_target(whole, rng)):
            evidence = PairMatcher(embedding, engine.embed(target.volume)).match(landmarks.positions_lps)
            error_mm = np.linalg.norm(evidence.matches.best_lps - target.positions_lps, axis=1)
            visible = target.distances_to_border_mm > 0
            yield Evidence(features_of(evidence), (error_mm <= RIGHT_MM) & visible)


def _route_evidence(
    engine: TransferEngine, data: Path, settings: CalibrationSettings, rng: np.random.Generator
) -> Iterator[Evidence]:
    groups = [group for group in _groups(data) if len(group) >= settings.scans_per_group]
    if not groups:
        raise UsageError(
            f"{data}: the calibration needs a folder of at least {settings.scans_per_group} scans in it."
        )
    sizes = np.sqrt([len(group) for group in groups])
    for _ in range(settings.route_groups):
        group = groups[rng.choice(len(groups), p=sizes / sizes.sum())]
        chosen = rng.choice(len(group), settings.scans_per_group, replace=False)
        scans: Sequence[Embedding] = [engine.embed(Volume.read(group[number])) for number in chosen]
        for judged in judge_by_routes(scans, settings.points):
            yield Evidence(features_of(judged.evidence), judged.right)


def _groups(data: Path) -> list[list[Path]]:
    """The scans of each folder below `data`."""
    paths = volume_files(data, recursive=True)
    if not paths:
        raise UsageError(f"{data}: holds no NIfTI, NRRD or MetaImage scans to calibrate with.")
    folders = sorted({path.parent for path in paths})
    return [[path for path in paths if path.parent == folder] for folder in folders]


def _joined(parts: Iterator[Evidence]) -> Evidence:
    collected = list(parts)
    if not collected:
        raise UsageError("No scan could be used for the calibration; give --data a folder of CT.")
    return Evidence(
        np.vstack([part.features for part in collected]), np.concatenate([part.right for part in collected])
    )
