"""Matching between one template and one target: correspondences once, then any number of points."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..embedding.embedding import Embedding
from ..threads import torch_threads
from .fusion import fused, match_uncertainty
from .prediction import Correspondences, Prediction
from .queries import Matches, Queries, SearchSettings
from .refinement import Refined, refine
from .search import search

CONSISTENT_MM = 8.0
LEAST_SUPPORT = 10.0
FEW_POINTS = 4
"""So few that handing parts of the work to other threads takes longer than doing it."""
CYCLE_TOLERANCE_MM = 2.0
"""How much longer the cycle of a refined match may be: half the grid that the embeddings lie on."""


@dataclass(frozen=True)
class PointMatches:
    """Matches of n points with their evidence, each `(n,)`.

    The best match is already drawn to the predicted place, as far as both are uncertain; the evidence is of what was
    matched before that. `cycle_mm`: distance after matching there and back; `deviation_mm`: from the predicted place;
    `spread_mm`: its uncertainty; `border_mm`: distance of the predicted place to the target's border, negative
    outside. These three are NaN where nothing can be predicted. `likeness`: how alike the images are around both
    points, from -1 to 1; `moved_mm`: how far the refinement by the images is from the embeddings' match, whether it
    was accepted or not; both NaN where matches are not refined. `uncertainty_mm`: how far the best match may be off;
    `matched_lps` `(n,3)`: where it was before it was drawn.
    """

    matches: Matches
    cycle_mm: np.ndarray
    deviation_mm: np.ndarray
    spread_mm: np.ndarray
    border_mm: np.ndarray
    likeness: np.ndarray
    moved_mm: np.ndarray
    uncertainty_mm: np.ndarray
    matched_lps: np.ndarray


class PairMatcher:
    """Finds template points in a target."""

    def __init__(
        self, template: Embedding, target: Embedding, settings: SearchSettings | None = None
    ) -> None:
        self.template, self.target = template, target
        self.settings = settings or SearchSettings()

    def with_settings(self, settings: SearchSettings) -> PairMatcher:
        """The same pair searched in another way; the correspondences are shared."""
        other = PairMatcher(self.template, self.target, settings)
        other.correspondences = self.correspondences
        return other

    @cached_property
    def correspondences(self) -> Correspondences:
        """The template's anchor points that are found in the target and lead back to where they came from."""
        quick = self.settings.quick
        points = self.template.anchors_lps
        there = search(Queries.at(self.template, points), self.target, quick)
        back_lps = search(Queries.at(self.target, there.best_lps), self.template, quick).best_lps
        cycle_mm = np.linalg.norm(back_lps - points, axis=1)
        uncertainty_mm = match_uncertainty(cycle_mm, there.fine[:, 0], np.full(len(points), np.nan))
        consistent = cycle_mm <= CONSISTENT_MM
        return Correspondences.weighted(
            points[consistent], there.best_lps[consistent], uncertainty_mm[consistent]
        )

    def predict(self, points_lps: np.ndarray) -> Prediction | None:
        """Where the correspondences place points `(n,3)` of the template; None where too few agree."""
        return _predicted(self.correspondences, points_lps)

    def match(self, points_lps: np.ndarray, extra: Sequence[ExtraTemplate] = ()) -> PointMatches:
        """Find points `(n,3)` (LPS mm, inside the template) in the target.

        `extra` are further templates that show some of the points; they are looked for with the mean of all their
        vectors.
        """
        prediction = self.predict(points_lps)
        with torch_threads(1) if len(points_lps) <= FEW_POINTS else nullcontext():
            return self._matched(points_lps, prediction, extra)

    def _matched(
        self, points_lps: np.ndarray, prediction: Prediction | None, extra: Sequence[ExtraTemplate]
    ) -> PointMatches:
        queries = Queries.at(self.template, points_lps)
        for template in extra:
            queries, prediction = template.joined(queries, prediction)
        matches = search(queries, self.target, self.settings, prediction)
        if self.settings.refine:
            return self._refined(points_lps, matches, prediction, extra)
        cycle_mm = np.linalg.norm(self._back(matches.best_lps) - points_lps, axis=1)
        unknown = np.full(len(points_lps), np.nan)
        return self._with_evidence(matches, cycle_mm, unknown, unknown, prediction)

    def _refined(
        self,
        points_lps: np.ndarray,
        matches: Matches,
        prediction: Prediction | None,
        extra: Sequence[ExtraTemplate],
    ) -> PointMatches:
        """The matches, refined by the images where that does not make the cycle longer.

        The cycle of the refined place is the evidence in either case: matches and images err in different ways, so
        where both of them lead back together, the place is right.
        """
        refined = refine(self.template.image, points_lps, self.target.image, matches.best_lps)
        for template in extra:
            refined = template.refined(refined, matches.best_lps)
        # both ways back in one search, since its cost is that of reading all vectors
        back_lps = self._back(np.concatenate([matches.best_lps, refined.positions_lps]))
        match_back_lps, start_lps = np.split(back_lps, 2)
        refined_back = refine(self.target.image, refined.positions_lps, self.template.image, start_lps)
        cycle_mm = np.linalg.norm(refined_back.positions_lps - points_lps, axis=1)
        better = cycle_mm <= np.linalg.norm(match_back_lps - points_lps, axis=1) + CYCLE_TOLERANCE_MM
        moved_mm = np.linalg.norm(refined.positions_lps - matches.best_lps, axis=1)
        matches = matches.with_best(np.where(better[:, None], refined.positions_lps, matches.best_lps))
        return self._with_evidence(matches, cycle_mm, refined.likeness, moved_mm, prediction)

    def _with_evidence(
        self,
        matches: Matches,
        cycle_mm: np.ndarray,
        likeness: np.ndarray,
        moved_mm: np.ndarray,
        prediction: Prediction | None,
    ) -> PointMatches:
        """The matches drawn to their prediction, with the evidence of what they were before."""
        agreement = self._agreement(matches, prediction)
        uncertainty_mm = match_uncertainty(cycle_mm, matches.fine[:, 0], likeness)
        drawn = fused(matches.best_lps, uncertainty_mm, prediction)
        return PointMatches(
            matches.with_best(drawn.positions_lps),
            cycle_mm,
            *agreement,
            likeness,
            moved_mm,
            drawn.uncertainty_mm,
            matches.best_lps,
        )

    def _back(self, found_lps: np.ndarray) -> np.ndarray:
        """Where points `(n,3)` of the target are found in the template.

        The search is drawn to where the correspondences say that the found place belongs, not to the point it came
        from, which would make every cycle look good.
        """
        prediction = _predicted(self.correspondences.reversed, found_lps)
        queries = Queries.at(self.target, found_lps)
        return search(queries, self.template, self.settings, prediction, alternatives=False).best_lps

    def _agreement(
        self, matches: Matches, prediction: Prediction | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Deviation from the prediction, its spread, and its distance to the target's border."""
        if prediction is None:
            unknown = np.full(len(matches.best_lps), np.nan)
            return unknown, unknown, unknown
        deviation_mm = np.linalg.norm(matches.best_lps - prediction.positions_lps, axis=1)
        border_mm = self.target.field_of_view.distance_to_border_mm(prediction.positions_lps)
        return deviation_mm, prediction.spread_mm, border_mm


@dataclass(frozen=True)
class ExtraTemplate:
    """Another scan that shows the same points, at `points_lps` `(n,3)`, NaN for those that it does not show."""

    matcher: PairMatcher
    points_lps: np.ndarray

    @cached_property
    def _shown(self) -> np.ndarray:
        """Which points this template shows, `(n,)`."""
        return np.isfinite(self.points_lps).all(axis=1)

    def joined(self, queries: Queries, prediction: Prediction | None) -> tuple[Queries, Prediction | None]:
        """Queries with this template's vectors added, and the prediction combined with its own."""
        shown = self._shown
        points = self.points_lps[shown]
        if len(points) == 0:
            return queries, prediction
        queries = queries.added(Queries.at(self.matcher.template, points), shown)
        own = self.matcher.predict(points)
        if prediction is None or own is None:
            return queries, prediction
        return queries, prediction.combined(own, shown)

    def refined(self, refined: Refined, start_lps: np.ndarray) -> Refined:
        """With the matches that look more alike in this template refined by it."""
        shown = self._shown
        if not shown.any():
            return refined
        target = self.matcher.target.image
        own = refine(self.matcher.template.image, self.points_lps[shown], target, start_lps[shown])
        return refined.better(own, shown)


def _predicted(correspondences: Correspondences, points_lps: np.ndarray) -> Prediction | None:
    enough = len(correspondences) > 0 and correspondences.support >= LEAST_SUPPORT
    return correspondences.predict(points_lps) if enough else None
