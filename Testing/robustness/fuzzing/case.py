"""What one input of the fuzzer is, and the readings that are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NEARER_MM = 0.1
"""Two maps agree where they send no corner of the image further apart than this."""


@dataclass(frozen=True)
class Case:
    """One input: what was done to it, whether every reader must take it, how the library reads it, and who judges.

    `judge` takes the library's answer and says what is wrong with it, "" where nothing is.
    """

    what: str
    is_valid: bool
    read: Callable[[], Any]
    judge: Callable[[Any], str]


Make = Callable[[np.random.Generator, Path], Case]


@dataclass(frozen=True, eq=False)
class Reading:
    """An image as one program reads it: `array [z, y, x]`, 4x4 `ijk_to_lps`, and whether it has doubts about either."""

    array: np.ndarray
    ijk_to_lps: np.ndarray
    doubted: bool = False

    def difference(self, other: Reading) -> str:
        """In what the other reading differs; "" where both agree."""
        if self.array.shape != other.array.shape:
            return f"size {self.array.shape} instead of {other.array.shape}"
        corners = np.stack(np.meshgrid(*((0, side - 1) for side in self.array.shape[::-1])), -1).reshape(
            -1, 3
        )
        apart = corners @ (self.ijk_to_lps - other.ijk_to_lps)[:3, :3].T
        apart = np.linalg.norm(apart + (self.ijk_to_lps - other.ijk_to_lps)[:3, 3], axis=1).max()
        if not apart <= NEARER_MM:
            return f"corners {apart:.2f} mm apart"
        same = np.isclose(self.array, other.array, rtol=1e-5, atol=0.01, equal_nan=True)
        return "" if same.all() else f"{int((~same).sum())} values differ"


def judge_image(judged: Callable[[], Reading], truth: Reading) -> Callable[[Reading], str]:
    """A judge of images: what another program reads, or the undamaged image where that one refuses."""

    def judge(answer: Reading) -> str:
        try:
            expected = judged()
        except Exception as error:
            refusal = f"{type(error).__name__} {str(error)[:100]}"
            difference = "" if answer.doubted else answer.difference(truth)
            return difference and f"{difference} from the undamaged image, and another program says {refusal}"
        difference = answer.difference(expected)
        return "" if answer.doubted or not difference else f"{difference} from what another program reads"

    return judge
