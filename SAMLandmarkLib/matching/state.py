"""What goes through the stages of the matching pipeline, and what they may look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ..core.matching_options import MatchingOptions, OrganEndOptions
from ..core.results import TransferredLandmark
from ..embedding.embedding import Embedding, Image
from .organ_ends import with_organ_ends
from .prediction import Correspondences, Prediction
from .refinement import Refined
from .types import Matches, Queries

if TYPE_CHECKING:
    from .confidence import Calibration

Value = TypeVar("Value")


@dataclass(frozen=True)
class PointMatches:
    """Matches of n points with their evidence, each `(n,)`.

    The best match is already fused with the prediction, by the precision of both; the evidence is of what was matched
    before that. `cycle_error_mm`: cycle-consistency error; `deviation_mm`: distance from the prediction;
    `prediction_sigma_mm`: its uncertainty; `border_mm`: distance of the predicted place to the target's border, negative
    outside. These three are NaN where nothing can be predicted. `ncc`: normalised cross-correlation of the images around
    both points, from -1 to 1; `moved_mm`: how far the refinement by the images is from the embeddings' match, whether it
    was accepted or not; both NaN where matches are not refined. `uncertainty_mm`: how far the best match may be off;
    `matched_lps` `(n,3)`: where it was before the fusion; `coarse_gap_mm`: how far that is from where the coarser levels
    alone, without any prediction, place the point.
    """

    matches: Matches
    cycle_error_mm: np.ndarray
    deviation_mm: np.ndarray
    prediction_sigma_mm: np.ndarray
    border_mm: np.ndarray
    ncc: np.ndarray
    moved_mm: np.ndarray
    uncertainty_mm: np.ndarray
    matched_lps: np.ndarray
    coarse_gap_mm: np.ndarray


@dataclass(frozen=True)
class MatchState:
    """What is known of points `(n,3)` (LPS mm, inside the template) so far; None what no stage has filled in.

    `coarse_lps` `(n,3)`: where the coarser levels alone place them; `moved_mm` and `cycle_error_mm` are what
    PointMatches says of them, `evidence` is all of it.
    """

    points_lps: np.ndarray
    labels: tuple[str, ...] = ()
    prediction: Prediction | None = None
    queries: Queries | None = None
    matches: Matches | None = None
    coarse_lps: np.ndarray | None = None
    refined: Refined | None = None
    cycle_error_mm: np.ndarray | None = None
    moved_mm: np.ndarray | None = None
    evidence: PointMatches | None = None
    confidence: np.ndarray | None = None
    decisions: tuple[TransferredLandmark, ...] = ()

    @property
    def best_lps(self) -> np.ndarray:
        """The best matches, `(n,3)`."""
        return needed(self.matches, "search").best_lps


@dataclass(frozen=True)
class PairContext:
    """What the stages may look at beside the state.

    `correspondences` are the pair's, None where nothing shall be predicted; without a `calibration` nothing is decided.
    """

    template: Embedding
    target: Embedding
    correspondences: Correspondences | None
    calibration: Calibration | None = None
    organ_ends: OrganEndOptions = field(default_factory=OrganEndOptions)

    def predict(self, points_lps: np.ndarray) -> Prediction | None:
        """Where the correspondences place points `(n,3)` of the template; None where too few agree."""
        return self._predicted(self.correspondences, points_lps, self.template.image, self.target.image)

    def predict_back(self, found_lps: np.ndarray) -> Prediction | None:
        """Where the correspondences place points `(n,3)` of the target in the template."""
        known = None if self.correspondences is None else self.correspondences.reversed
        return self._predicted(known, found_lps, self.target.image, self.template.image)

    def _predicted(
        self, known: Correspondences | None, points_lps: np.ndarray, of: Image, there: Image
    ) -> Prediction | None:
        if known is None or not known.are_enough:
            return None
        return with_organ_ends(known.predict(points_lps), points_lps, of, there, self.organ_ends)


Stage = Callable[[MatchState, PairContext, MatchingOptions], MatchState]
"""One step of matching: the state with more filled in. It changes neither the state it is given nor the context."""


def needed(value: Value | None, stage: str) -> Value:
    """A value that an earlier stage must have filled in."""
    if value is None:
        raise RuntimeError(f"The pipeline lacks the stage that comes before: {stage}.")
    return value
