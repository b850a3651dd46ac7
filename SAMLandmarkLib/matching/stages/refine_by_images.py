"""Stage: refinement of the best candidates by the images, NCC and affine alignment."""

from __future__ import annotations

from dataclasses import replace

from ...core.matching_options import MatchingOptions
from ..refinement import refine
from ..state import MatchState, PairContext


def refine_by_images(state: MatchState, context: PairContext, options: MatchingOptions) -> MatchState:
    """Where the images look most alike around the matches; whether that is accepted, the cycle decides."""
    if not options.refinement.enabled:
        return state
    images = context.template.image, context.target.image
    refined = refine(images[0], state.points_lps, images[1], state.best_lps, options)
    return replace(state, refined=refined)
