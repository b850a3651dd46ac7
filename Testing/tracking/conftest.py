"""What the tests of lesions share: lesions made of numbers, and a carrier that knows where everything went."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

if (folder := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, folder)

from lesions_by_hand import Shift, mark

from SAMLandmarkLib.core.lesions import Mark


@pytest.fixture
def shifted() -> Shift:
    """A carrier to scans that lie 20 mm further to the left at each date."""
    return Shift(np.array([20.0, 0.0, 0.0]))


@pytest.fixture
def marked() -> Callable[..., Mark]:
    """A function that makes the mark of a lesion with a name, a place and a longest diameter."""
    return mark
