"""Of which landmarks a report shows pictures: they take nearly all of its time and size."""

from __future__ import annotations

from enum import Enum

from ..review.item import ReviewItem


class Pictures(str, Enum):
    """The landmarks that are shown in both scans.

    >>> Pictures.DOUBTFUL.include(ReviewItem.of("a", "FOUND", 0.9)), Pictures.ALL.include(ReviewItem.of("a", "FOUND", 1))
    (False, True)
    """

    ALL = "all"
    DOUBTFUL = "doubtful"
    NONE = "none"

    def include(self, item: ReviewItem) -> bool:
        """Whether this landmark is shown: DOUBTFUL are those the engine was not sure of or the user has changed."""
        if self is Pictures.DOUBTFUL:
            return item.status != "FOUND" or item.position_lps != item.transferred_lps
        return self is Pictures.ALL
