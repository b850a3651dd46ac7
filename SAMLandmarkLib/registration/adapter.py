"""From embeddings and matching to the plain inputs of registration; nothing else here knows how those are made."""

from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np

from ..embedding.embedding import Embedding
from ..matching.fusion import match_uncertainty
from ..matching.pair import PairMatcher
from ..matching.search import search
from ..matching.types import Queries
from ..utils.errors import UsageError
from ..utils.progress import Progress
from .correspondences import PointCorrespondences
from .features import ScanFeatures
from .pipeline import DEFAULT_PROFILE, PROFILES, register_features
from .registration import Registration


def features_of(embedding: Embedding) -> ScanFeatures:
    """A scan's image and vectors, on the CPU, where registration computes."""
    levels = [(level.vectors.cpu(), level.grid) for level in embedding.levels]
    image = embedding.image
    return ScanFeatures(image.values.cpu(), image.grid, levels, embedding.field_of_view, embedding.modality)


def matched(matcher: PairMatcher, points_lps: np.ndarray) -> PointCorrespondences:
    """Correspondences of points `(n, 3)` of the template that lead back to where they came from."""
    options = matcher.options
    quick = options.quick.search
    there = search(Queries.at(matcher.template, points_lps), matcher.target, quick)
    back = search(Queries.at(matcher.target, there.best_lps), matcher.template, quick)
    cycle_error_mm = np.linalg.norm(back.best_lps - points_lps, axis=1)
    unknown = np.full(len(points_lps), np.nan)
    sigma_mm = match_uncertainty(cycle_error_mm, there.fine[:, 0], unknown, options.fusion)
    kept = cycle_error_mm <= options.prediction.consistent_mm
    return PointCorrespondences(
        points_lps[kept],
        there.best_lps[kept],
        np.hypot(options.prediction.uncertainty_mm, sigma_mm[kept]),
        len(points_lps),
    )


def fused_matches(matcher: PairMatcher, points_lps: np.ndarray) -> PointCorrespondences:
    """Where points `(n, 3)` of the template lie by their matches and their surroundings together, wherever that is known."""
    options = matcher.options.changed(search={"candidates": 2}, refinement={"enabled": False})
    searching = matcher.with_options(options)
    found = searching.match(points_lps)
    kept = np.isfinite(found.uncertainty_mm) & (found.border_mm > 0)
    return PointCorrespondences(
        points_lps[kept],
        found.matches.best_lps[kept],
        np.hypot(options.prediction.uncertainty_mm, found.uncertainty_mm[kept]),
        len(points_lps),
    )


def register_embeddings(
    matcher: PairMatcher, profile: str = DEFAULT_PROFILE, progress: Progress | None = None
) -> Registration:
    """Register the two scans of a matcher. Raises UsageError for an unknown profile, and RegistrationError."""
    if profile not in PROFILES:
        raise UsageError(f"There is no registration profile {profile!r}; choose {', '.join(PROFILES)}.")
    settings, started = PROFILES[profile], time.perf_counter()
    template, target = features_of(matcher.template), features_of(matcher.target)
    points = template.points_in_body(settings.points)
    consistent = smooth = matched(matcher, points)
    if settings.spline is not None and not consistent.of_one_patient:
        smooth = fused_matches(matcher, points)
    matching = {"correspondences": round(time.perf_counter() - started, 3)}
    maps = register_features(
        template, target, consistent, smooth, matcher.template.finest.grid, settings, progress
    )
    return Registration(
        matcher.template.name,
        matcher.target.name,
        matcher.template.field_of_view,
        matcher.target.field_of_view,
        maps.transform,
        maps.inverse,
        maps.quality,
        matching | maps.seconds,
        {"profile": profile, **asdict(settings)},
    )
