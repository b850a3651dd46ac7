"""The order of the matching's stages: a new stage is its file in `stages` and its line here."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.matching_options import MatchingOptions
from .stages.check_cycle import check_cycle
from .stages.conclude import conclude
from .stages.estimate_confidence import estimate_confidence
from .stages.find import find
from .stages.fuse import fuse
from .stages.predict import predict
from .stages.refine_by_images import refine_by_images
from .state import MatchState, PairContext, Stage

PIPELINE: tuple[Stage, ...] = (
    predict,
    find,
    refine_by_images,
    check_cycle,
    fuse,
    estimate_confidence,
    conclude,
)


def run(
    state: MatchState, context: PairContext, options: MatchingOptions, stages: Sequence[Stage] = PIPELINE
) -> MatchState:
    """The state after all stages."""
    for stage in stages:
        state = stage(state, context, options)
    return state
