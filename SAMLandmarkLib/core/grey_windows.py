"""Grey-level windows: which intensities of an image are shown black and white, as data of its modality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .records import bounded

# What lies in the middle of a crop decides; a share of a crop is at most all of it.
_SHARE = (0.0, 1.0)


@dataclass(frozen=True)
class GreyWindow:
    """A grey-level window: its name, and the intensities that are shown black and white, in the unit of the image."""

    name: str
    black: float
    white: float


@dataclass(frozen=True)
class WindowChoice:
    """A window for crops with more than `least_share` of their middle between `low` and `high`, None without limit.

    The middle is `middle` of the crop's sides.
    """

    window: GreyWindow
    middle: float = bounded(*_SHARE)
    least_share: float = bounded(*_SHARE)
    low: float | None = None
    high: float | None = None

    def suits(self, crop: np.ndarray) -> bool:
        """Whether this is the window for a crop `[rows, columns]`."""
        margins = [round(size * (1 - self.middle) / 2) for size in crop.shape]
        inner = crop[
            tuple(slice(margin, size - margin) for margin, size in zip(margins, crop.shape, strict=True))
        ]
        low, high = -np.inf if self.low is None else self.low, np.inf if self.high is None else self.high
        return float(np.mean((inner > low) & (inner < high))) > self.least_share


@dataclass(frozen=True)
class Display:
    """How images of a modality are shown: a crop in the first of the `choices` that suits it, else in the `usual` window.

    `overview` is for cuts through whole images; `presets` are offered to people.
    """

    usual: GreyWindow
    overview: GreyWindow
    choices: tuple[WindowChoice, ...] = ()
    presets: tuple[GreyWindow, ...] = ()

    def window_for(self, crop: np.ndarray) -> GreyWindow:
        """The window that shows a crop `[rows, columns]` well."""
        return next((choice.window for choice in self.choices if choice.suits(crop)), self.usual)
