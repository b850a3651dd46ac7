"""Whether values look like magnetic resonance: grey values of no fixed unit, which begin at black air."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SAMPLES = 1 << 18
# Ringing and resampling leave values a little below zero; of a CT whole tissues lie deep there.
_DEEPEST_NEGATIVE = 0.1
_FEWEST_VALUES = 48
"""A segmentation has fewer different values, an image of 8 bits more."""
# CT whose intercept of -1024 was left out: soft tissue is one narrow peak, whatever the region of the body.
_SOFT_TISSUE, _TISSUE = (880.0, 1200.0), (600.0, 4000.0)
_LEAST_SOFT_TISSUE = 0.7


def looks_like_mr(array: NDArray[Any]) -> bool:
    """Whether voxels `[z,y,x]` can be MR: none lies far below zero, they are no labels, and no CT without its intercept.

    >>> looks_like_mr(np.arange(1000.0).reshape(10, 10, 10)), looks_like_mr(np.full((5, 5, 5), -1000.0))
    (True, False)
    """
    values = array.reshape(-1)[:: max(1, array.size // _SAMPLES)]
    if not values.size or values.min() == values.max():
        return False
    low, high = np.percentile(values, (0.1, 99.9))
    if low < -_DEEPEST_NEGATIVE * high:
        return False
    return len(np.unique(values)) >= _FEWEST_VALUES and not _lacks_an_intercept(values)


def _lacks_an_intercept(values: NDArray[Any]) -> bool:
    tissue = values[(values > _TISSUE[0]) & (values < _TISSUE[1])]
    if len(tissue) < 0.05 * len(values):
        return False
    soft = (tissue > _SOFT_TISSUE[0]) & (tissue < _SOFT_TISSUE[1])
    return float(soft.mean()) > _LEAST_SOFT_TISSUE
