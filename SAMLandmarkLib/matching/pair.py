"""Matching between one template and one target: correspondences once, then any number of points."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import cached_property

import numpy as np

from ..core.matching_options import PROFILES, MatchingOptions
from ..core.results import TransferredLandmark
from ..embedding.embedding import Embedding
from ..utils.threads import torch_threads
from .confidence import Calibration
from .decision import lost, withheld
from .fusion import match_uncertainty
from .pipeline import PIPELINE, run
from .prediction import Correspondences, Prediction
from .search import search
from .state import MatchState, PairContext, PointMatches, Stage, needed
from .types import Queries

FEW_POINTS = 4
"""So few that handing parts of the work to other threads takes longer than doing it."""


class PairMatcher:
    """Finds template points in a target, by the stages of a pipeline with one set of options."""

    def __init__(
        self,
        template: Embedding,
        target: Embedding,
        options: MatchingOptions = PROFILES["fast"],
        stages: Sequence[Stage] = PIPELINE,
    ) -> None:
        self.template, self.target = template, target
        self.options, self.stages = options, tuple(stages)

    def with_options(self, options: MatchingOptions, stages: Sequence[Stage] | None = None) -> PairMatcher:
        """The same pair matched in another way; the correspondences are shared."""
        other = PairMatcher(self.template, self.target, options, self.stages if stages is None else stages)
        other.correspondences = self.correspondences
        return other

    @cached_property
    def correspondences(self) -> Correspondences:
        """The template's support points that are found in the target and lead back to where they came from."""
        quick, options = self.options.quick.search, self.options.prediction
        points = self.template.support_points_lps[: options.support_points]
        there = search(Queries.at(self.template, points), self.target, quick)
        back_lps = search(Queries.at(self.target, there.best_lps), self.template, quick).best_lps
        cycle_error_mm = np.linalg.norm(back_lps - points, axis=1)
        uncertainty_mm = match_uncertainty(
            cycle_error_mm, there.fine[:, 0], np.full(len(points), np.nan), self.options.fusion
        )
        consistent = cycle_error_mm <= options.consistent_mm
        return Correspondences.weighted(
            points[consistent], there.best_lps[consistent], uncertainty_mm[consistent], options
        )

    @property
    def consistent_part(self) -> float:
        """Which part of the template's support points is found in the target and leads back, from 0 to 1."""
        return len(self.correspondences) / self._asked

    @property
    def agreeing_part(self) -> float:
        """Which part of them agrees on one affine map of the body, by weight, from 0 to 1."""
        return self.correspondences.support / self._asked if len(self.correspondences) else 0.0

    @property
    def _asked(self) -> int:
        return max(1, min(len(self.template.support_points_lps), self.options.prediction.support_points))

    @property
    def is_unlike(self) -> bool:
        """Whether too little of the template is found in the target for anything to be called found."""
        least = self.options.decision.least_consistent
        return self.options.prediction.enabled and self.consistent_part < least

    def context(self, calibration: Calibration | None = None) -> PairContext:
        """What the stages may look at."""
        known = self.correspondences if self.options.prediction.enabled else None
        return PairContext(self.template, self.target, known, calibration, self.options.organ_ends)

    def predict(self, points_lps: np.ndarray) -> Prediction | None:
        """Where the correspondences place points `(n,3)` of the template; None where too few agree."""
        return self.context().predict(points_lps)

    def match(self, points_lps: np.ndarray) -> PointMatches:
        """Find points `(n,3)` (LPS mm, inside the template) in the target."""
        return needed(self._run(MatchState(points_lps), self.context()).evidence, "fusion")

    def decide(
        self, labels: Sequence[str], points_lps: np.ndarray, calibration: Calibration
    ) -> tuple[TransferredLandmark, ...]:
        """The answer for each of n landmarks, matched as by `match`."""
        state = MatchState(points_lps, tuple(labels))
        state = self._run(state, self.context(calibration))
        if not self.options.prediction.enabled:
            return state.decisions
        # what is found all by itself, in air for example, is not to be believed however well it leads back
        if not len(self.correspondences):
            return tuple(lost(answer, calibration) for answer in state.decisions)
        if state.prediction is None or self.is_unlike:
            return tuple(withheld(answer, calibration) for answer in state.decisions)
        return state.decisions

    def _run(self, state: MatchState, context: PairContext) -> MatchState:
        with torch_threads(1) if len(state.points_lps) <= FEW_POINTS else nullcontext():
            return run(state, context, self.options, self.stages)
