"""What a user did to the points of a follow-up, and which places are the same."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..review import Point

# Files round coordinates, and non-linear transforms are inverted to 0.01 mm.
SAME_PLACE_MM = 0.02


@dataclass(frozen=True)
class Move:
    """The user put a landmark of a follow-up somewhere: `position_lps` LPS mm, None where it was taken away."""

    label: str
    position_lps: Point | None


def is_same_place(one: Point | None, other: Point | None) -> bool:
    """Whether two positions (LPS mm) are the same, as far as files and transforms keep them; so are two missing ones."""
    if one is None or other is None:
        return one is other
    return math.dist(one, other) <= SAME_PLACE_MM
