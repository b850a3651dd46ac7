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
from ..landmarks import LandmarkSet
from ..matching.confidence import FEATURES, Calibration, features_of
from ..matching.pair import PairMatcher
from ..matching.queries import PROFILES
from ..transfer import TransferEngine
from ..volume import Volume
from ..volume_paths import volume_files
from .edge_points import edge_points
from .routes import judge_by_routes
from .synthetic import SyntheticTarget, cropped_target, synthetic_target

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
    points: int = 40
    seed: int = 0


EvidenceOfProfiles = dict[str, "Evidence"]


@dataclass(frozen=True)
class Evidence:
    """Features `(n, len(FEATURES))` of matches and whether each is right, `(n,)`."""

    features: np.ndarray
    right: np.ndarray


def calibrate(
    engine: TransferEngine, data: Path, settings: CalibrationSettings, command: str
) -> dict[str, Calibration]:
    """Fit the confidence of each profile on scans below `data`, which should be those the model was trained on.

    Half of the weight goes to deformed and cropped copies of scans, whose answers are known, half to pairs of
    patients, judged by routes over third scans. Raises UsageError where `data` holds too few scans.
    """
    rng = np.random.default_rng(settings.seed)
    known = list(_deformed_evidence(engine, data, settings, rng))
    judged = list(_route_evidence(engine, data, settings, rng))
    return {
        profile: _fitted(_joined(known, profile), _joined(judged, profile), command) for profile in PROFILES
    }


def _fitted(known: Evidence, judged: Evidence, command: str) -> Calibration:
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
) -> Iterator[EvidenceOfProfiles]:
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
            matcher = PairMatcher(embedding, engine.embed(target.volume))
            yield {
                profile: _known_evidence(matcher.with_settings(profile_settings), landmarks, target)
                for profile, profile_settings in PROFILES.items()
            }


def _known_evidence(matcher: PairMatcher, landmarks: LandmarkSet, target: SyntheticTarget) -> Evidence:
    evidence = matcher.match(landmarks.positions_lps)
    error_mm = np.linalg.norm(evidence.matches.best_lps - target.positions_lps, axis=1)
    visible = target.distances_to_border_mm > 0
    return Evidence(features_of(evidence), (error_mm <= RIGHT_MM) & visible)


def _route_evidence(
    engine: TransferEngine, data: Path, settings: CalibrationSettings, rng: np.random.Generator
) -> Iterator[EvidenceOfProfiles]:
    groups = [group for group in _groups(data) if len(group) >= settings.scans_per_group]
    if not groups:
        raise UsageError(
            f"{data}: the calibration needs a folder of at least {settings.scans_per_group} scans in it."
        )
    sizes = np.sqrt([len(group) for group in groups])
    for _ in range(settings.route_groups):
        group = groups[rng.choice(len(groups), p=sizes / sizes.sum())]
        scans = _embedded(engine, [group[number] for number in rng.permutation(len(group))], settings)
        for judged in judge_by_routes(scans, settings.points):
            yield {
                profile: Evidence(features_of(part.evidence), part.right) for profile, part in judged.items()
            }


def _embedded(engine: TransferEngine, paths: list[Path], settings: CalibrationSettings) -> list[Embedding]:
    """The first scans that can be read, as many as a group needs."""
    scans: list[Embedding] = []
    for path in paths:
        if len(scans) < settings.scans_per_group:
            try:
                scans.append(engine.embed(Volume.read(path)))
            except SAMLandmarkError as error:
                logger.warning("left out of the calibration: %s", error)
    return scans


def _groups(data: Path) -> list[list[Path]]:
    """The scans of each folder below `data`."""
    paths = volume_files(data, recursive=True)
    if not paths:
        raise UsageError(f"{data}: holds no NIfTI, NRRD or MetaImage scans to calibrate with.")
    folders = sorted({path.parent for path in paths})
    return [[path for path in paths if path.parent == folder] for folder in folders]


def _joined(parts: Sequence[EvidenceOfProfiles], profile: str) -> Evidence:
    if not parts:
        raise UsageError("No scan could be used for the calibration; give --data a folder of CT.")
    return Evidence(
        np.vstack([part[profile].features for part in parts]),
        np.concatenate([part[profile].right for part in parts]),
    )
