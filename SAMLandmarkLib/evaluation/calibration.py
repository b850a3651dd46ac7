"""Fitting the confidence: evidence of matches whose answers are known, or judged without labels, to a probability."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..core.landmarks import LandmarkSet
from ..engine.embedded_files import EmbeddedFiles
from ..engine.runtime import EngineRuntime
from ..engine.scans import EmbeddedScan
from ..engine.transfer import TransferEngine
from ..io.volume_paths import volume_files
from ..matching.confidence import FITTED, Calibration, features_of
from ..matching.pair import PairMatcher
from ..utils.errors import SAMLandmarkError, UsageError
from .edge_points import edge_points
from .loop_consistency import CheckedMatches, check_by_loops
from .synthetic import SyntheticTarget, cropped_target, synthetic_target

logger = logging.getLogger(__name__)

RIDGE = 1.0
NEWTON_STEPS = 30


@dataclass(frozen=True)
class CalibrationSettings:
    """How much evidence is gathered: deformed scans, groups of scans of different patients, points in each."""

    deformed_scans: int = 8
    route_groups: int = 3
    scans_per_group: int = 4
    points: int = 24
    seed: int = 0


EvidenceOfProfiles = dict[str, "Evidence"]


@dataclass(frozen=True)
class Evidence:
    """Features `(n, len(FITTED))` of matches and whether each is right, `(n,)`."""

    features: np.ndarray
    right: np.ndarray


def calibrate(
    runtime: EngineRuntime, data: Path, settings: CalibrationSettings, command: str
) -> dict[str, Calibration]:
    """Fit the confidence of each profile on scans below `data`, which should be those the model was trained on.

    Half of the weight goes to deformed and cropped copies of scans, whose answers are known, half to pairs of
    patients, checked by loops over third scans. Raises UsageError where `data` holds too few scans.
    """
    rng = np.random.default_rng(settings.seed)
    known = list(_deformed_evidence(runtime, data, settings, rng))
    judged = list(_route_evidence(runtime, data, settings, rng))
    return {
        profile: _fitted(_joined(known, profile), _joined(judged, profile), command)
        for profile in runtime.engine.model.metadata.matching
    }


def _fitted(known: Evidence, judged: Evidence, command: str) -> Calibration:
    logger.info("%d known answers, %d checked by loops", len(known.right), len(judged.right))
    weight = np.concatenate([np.full(len(part.right), 0.5 / len(part.right)) for part in (known, judged)])
    both = Evidence(np.vstack([known.features, judged.features]), np.concatenate([known.right, judged.right]))
    intercept, weights = fit_logistic(both.features, both.right, weight * len(weight))
    return dataclasses.replace(
        Calibration(),
        intercept=intercept,
        weights=dict(zip(FITTED, weights.tolist(), strict=True)),
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
    runtime: EngineRuntime, data: Path, settings: CalibrationSettings, rng: np.random.Generator
) -> Iterator[EvidenceOfProfiles]:
    paths = [path for group in _groups(data) for path in group]
    for path in rng.permutation(np.array(paths, dtype=object))[: settings.deformed_scans]:
        try:
            template = runtime.read(path)
            landmarks = edge_points(template, settings.points, rng)
        except SAMLandmarkError as error:
            logger.warning("left out of the calibration: %s", error)
            continue
        whole = synthetic_target(template, landmarks, rng)
        scan = runtime.embed_volume(template)
        runtime.keep(scan)
        for target in (whole, cropped_target(whole, rng)):
            pair = scan, runtime.embed_volume(target.volume)
            yield runtime.attempt(partial(_known_evidence, pair, landmarks, target), template.modality)


def _known_evidence(
    pair: tuple[EmbeddedScan, EmbeddedScan],
    landmarks: LandmarkSet,
    target: SyntheticTarget,
    engine: TransferEngine,
) -> EvidenceOfProfiles:
    metadata = engine.model.metadata
    matcher = PairMatcher(*(scan.on_device_of(engine.model) for scan in pair), engine.options)
    return {
        profile: _known_evidence_of(matcher.with_options(options), landmarks, target, metadata.error_limit_mm)
        for profile, options in metadata.matching.items()
    }


def _known_evidence_of(
    matcher: PairMatcher, landmarks: LandmarkSet, target: SyntheticTarget, error_limit_mm: float
) -> Evidence:
    evidence = matcher.match(landmarks.positions_lps)
    error_mm = np.linalg.norm(evidence.matches.best_lps - target.positions_lps, axis=1)
    visible = target.distances_to_border_mm > 0
    features = features_of(evidence, matcher.options.decision, FITTED)
    return Evidence(features, (error_mm <= error_limit_mm) & visible)


def _route_evidence(
    runtime: EngineRuntime, data: Path, settings: CalibrationSettings, rng: np.random.Generator
) -> Iterator[EvidenceOfProfiles]:
    groups = [group for group in _groups(data) if len(group) >= settings.scans_per_group]
    if not groups:
        raise UsageError(
            f"{data}: the calibration needs a folder of at least {settings.scans_per_group} scans in it."
        )
    embedded = EmbeddedFiles(runtime, kept_in_memory=settings.scans_per_group)
    for turn in range(settings.route_groups):
        # each region in turn: what tells right from wrong differs between them
        group = groups[turn % len(groups)]
        paths = [group[number] for number in rng.permutation(len(group))]
        scans = _readable(embedded, paths, settings.scans_per_group)
        model = runtime.engine.model
        for judged in runtime.attempt(partial(_checked, scans, settings.points), model.modality):
            yield {
                profile: Evidence(
                    features_of(part.evidence, model.metadata.matching[profile].decision, FITTED), part.right
                )
                for profile, part in judged.items()
            }


def _checked(
    scans: Sequence[EmbeddedScan], points: int, engine: TransferEngine
) -> list[dict[str, CheckedMatches]]:
    embeddings = [scan.on_device_of(engine.model) for scan in scans]
    return check_by_loops(embeddings, points, engine.model.metadata)


def _readable(embedded: EmbeddedFiles, paths: list[Path], count: int) -> list[EmbeddedScan]:
    """The first `count` scans that can be read."""
    scans: list[EmbeddedScan] = []
    for path in paths:
        if len(scans) < count:
            try:
                scans.append(embedded[path])
            except SAMLandmarkError as error:
                logger.warning("left out of the calibration: %s", error)
    return scans


def _groups(data: Path) -> list[list[Path]]:
    """The scans of each folder below `data`."""
    paths = volume_files(data, recursive=True)
    if not paths:
        raise UsageError(
            f"{data}: holds no NIfTI, NRRD or MetaImage scans and no radiographs to calibrate with."
        )
    folders = sorted({path.parent for path in paths})
    return [[path for path in paths if path.parent == folder] for folder in folders]


def _joined(parts: Sequence[EvidenceOfProfiles], profile: str) -> Evidence:
    if not parts:
        raise UsageError("No scan could be used for the calibration; give --data a folder of scans.")
    return Evidence(
        np.vstack([part[profile].features for part in parts]),
        np.concatenate([part[profile].right for part in parts]),
    )
