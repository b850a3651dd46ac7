"""Matching between one template and one target: correspondences once, then any number of points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..embedding.embedding import Embedding
from .prediction import Correspondences, Prediction
from .queries import Matches, Queries, SearchSettings
from .search import search

CONSISTENT_MM = 8.0
LEAST_SUPPORT = 10.0


@dataclass(frozen=True)
class PointMatches:
    """Matches of n points with their evidence, each `(n,)` in mm.

    `cycle_mm`: distance after matching there and back; `deviation_mm`: from the predicted place; `spread_mm`: its
    uncertainty; `border_mm`: distance of the predicted place to the target's border, negative outside. The last three
    are NaN where nothing can be predicted.
    """

    matches: Matches
    cycle_mm: np.ndarray
    deviation_mm: np.ndarray
    spread_mm: np.ndarray
    border_mm: np.ndarray


class PairMatcher:
    """Finds template points in a target."""

    def __init__(
        self, template: Embedding, target: Embedding, settings: SearchSettings | None = None
    ) -> None:
        self.template, self.target = template, target
        self.settings = settings or SearchSettings()

    @cached_property
    def correspondences(self) -> Correspondences:
        """The template's anchor points that are found in the target and lead back to where they came from."""
        quick = replace(self.settings, candidates=1, reach_cells=2)
        points = self.template.anchors_lps
        if len(points) == 0:
            return Correspondences(points, points)
        there = search(Queries.at(self.template, points), self.target, quick).best_lps
        back = search(Queries.at(self.target, there), self.template, quick).best_lps
        consistent = np.linalg.norm(back - points, axis=1) <= CONSISTENT_MM
        return Correspondences(points[consistent], there[consistent])

    def predict(self, points_lps: np.ndarray) -> Prediction | None:
        """Where the correspondences place points `(n,3)` of the template; None where too few agree."""
        return _predicted(self.correspondences, points_lps)

    def match(self, points_lps: np.ndarray, extra: Sequence[ExtraTemplate] = ()) -> PointMatches:
        """Find points `(n,3)` (LPS mm, inside the template) in the target.

        `extra` are further templates that show some of the points; they are looked for with the mean of all their
        vectors. The way back is drawn to where the correspondences say that the found place belongs, not to the
        point itself, which would make every cycle look good.
        """
        queries, prediction = Queries.at(self.template, points_lps), self.predict(points_lps)
        for template in extra:
            queries, prediction = template.joined(queries, prediction)
        matches = search(queries, self.target, self.settings, prediction)
        returning = _predicted(self.correspondences.reversed, matches.best_lps)
        back = search(Queries.at(self.target, matches.best_lps), self.template, self.settings, returning)
        cycle_mm = np.linalg.norm(back.best_lps - points_lps, axis=1)
        if prediction is None:
            return PointMatches(matches, cycle_mm, *(np.full(len(points_lps), np.nan) for _ in range(3)))
        deviation_mm = np.linalg.norm(matches.best_lps - prediction.positions_lps, axis=1)
        border_mm = self.target.field_of_view.distance_to_border_mm(prediction.positions_lps)
        return PointMatches(matches, cycle_mm, deviation_mm, prediction.spread_mm, border_mm)


@dataclass(frozen=True)
class ExtraTemplate:
    """Another scan that shows the same points, at `points_lps` `(n,3)`, NaN for those that it does not show."""

    matcher: PairMatcher
    points_lps: np.ndarray

    def joined(self, queries: Queries, prediction: Prediction | None) -> tuple[Queries, Prediction | None]:
        """Queries with this template's vectors added, and the prediction combined with its own."""
        shown = np.isfinite(self.points_lps).all(axis=1)
        points = self.points_lps[shown]
        if len(points) == 0:
            return queries, prediction
        queries = queries.added(Queries.at(self.matcher.template, points), shown)
        own = self.matcher.predict(points)
        if prediction is None or own is None:
            return queries, prediction
        return queries, prediction.combined(own, shown)


def _predicted(correspondences: Correspondences, points_lps: np.ndarray) -> Prediction | None:
    enough = len(correspondences) > 0 and correspondences.support >= LEAST_SUPPORT
    return correspondences.predict(points_lps) if enough else None
