"""What the library must know about a kind of image: its axes, intensities, body and plausible values, as data.

A modality is stored in the model file, so that nothing outside a file knows what the numbers of an image mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ..utils.errors import ModelError
from .grey_windows import Display, GreyWindow, WindowChoice
from .mr_values import looks_like_mr
from .records import bounded, from_json, to_json

Window = tuple[float, float]

_GREATEST_INTENSITY = 60000.0
_INTEGER_STEPS = 500
"""An intensity range at least this wide is kept as whole numbers: rounding to them costs next to nothing."""
_SHOWN_PERCENTILES = (0.5, 99.5)
_PERCENTILE_VOXELS = 1 << 22
"""Percentiles are those of about so many voxels, evenly spread."""


@dataclass(frozen=True)
class BodyRule:
    """What of an image is worth embedding: voxels above `threshold`, or all of them where it is None.

    `margin_mm` is kept around them; a slab of the image with fewer than `least_voxels` of them holds only noise. Where a
    patient has tissue that is darker, as lung in CT, `air` is what all of it lies above; None: nothing is air.
    """

    threshold: float | None = bounded(-_GREATEST_INTENSITY, _GREATEST_INTENSITY, None)
    margin_mm: float = bounded(0.0, 200.0, 16.0)
    least_voxels: int = bounded(1, 100_000, 30)
    air: float | None = bounded(-_GREATEST_INTENSITY, _GREATEST_INTENSITY, None)


@dataclass(frozen=True)
class InputNormalisation:
    """How intensities become the channels that networks and patches see.

    Each of the `windows` is a channel: intensities from its lower to its upper bound become -1 to 1. Where the numbers
    of a scanner have no fixed meaning (MR), the `percentiles` (low, high) of the voxels above the lowest one are first
    mapped to the ends of the modality's intensity range.
    """

    windows: tuple[Window, ...] = bounded(-_GREATEST_INTENSITY, _GREATEST_INTENSITY)
    percentiles: tuple[float, float] | None = bounded(0.0, 100.0, None)


@dataclass(frozen=True)
class ScanChecks:
    """Which values a scan of the modality must reach to look like one; None where nothing is expected.

    `never_negative`: values far below zero are those of another modality; `longest_mm`: a scan of what the model knows is
    nowhere longer.
    """

    lowest_at_most: float | None = None
    highest_at_least: float | None = None
    has_negative_values: bool = False
    never_negative: bool = False
    longest_mm: float | None = None


@dataclass(frozen=True)
class Modality:
    """A kind of image.

    `name` is for files and commands, `title` for people; `spatial_axes` is 3, or 2 for images of one slice, along whose
    slice axis nothing is searched; intensities are in `unit`, clipped to `intensity_range`, and `padding_value` where
    there is no image. Two images are compared within `compared_range`, beyond which differences mean little (None: the
    whole range). `display` tells how they are shown; without it, by their own brightest and darkest parts. Raises
    ModelError where these contradict each other.
    """

    name: str
    title: str
    spatial_axes: Literal[2, 3]
    unit: str
    normalisation: InputNormalisation
    intensity_range: tuple[float, float] = bounded(-_GREATEST_INTENSITY, _GREATEST_INTENSITY)
    padding_value: float = bounded(-_GREATEST_INTENSITY, _GREATEST_INTENSITY)
    body: BodyRule = field(default_factory=BodyRule)
    scan_checks: ScanChecks = field(default_factory=ScanChecks)
    compared_range: tuple[float, float] | None = bounded(-_GREATEST_INTENSITY, _GREATEST_INTENSITY, None)
    display: Display | None = None

    def __post_init__(self) -> None:
        if not (self.name.replace("-", "_").isidentifier() and self.name.isascii()):
            raise ModelError(
                f"modality.name: must be letters, digits, hyphens and underscores, not {self.name!r}."
            )
        ranges = [("intensity_range", self.intensity_range), ("compared_range", self.compared)]
        ranges += [("normalisation.windows", window) for window in self.normalisation.windows]
        if self.normalisation.percentiles is not None:
            ranges.append(("normalisation.percentiles", self.normalisation.percentiles))
        for name, (low, high) in ranges:
            if not low < high:
                raise ModelError(f"modality.{name}: must go from low to high, not from {low:g} to {high:g}.")
        if not self.normalisation.windows:
            raise ModelError("modality.normalisation.windows: at least one is needed.")
        low, high = self.intensity_range
        if not low <= self.padding_value <= high:
            raise ModelError(
                f"modality.padding_value: must lie in the intensity range, not be {self.padding_value:g}."
            )

    @property
    def compared(self) -> tuple[float, float]:
        """The intensities, from low to high, within which two images are compared."""
        return self.intensity_range if self.compared_range is None else self.compared_range

    @property
    def stores_integers(self) -> bool:
        """Whether intensities are kept as int16: their range is wide enough for rounding to cost nothing."""
        low, high = self.intensity_range
        return high - low >= _INTEGER_STEPS and max(abs(low), abs(high)) <= np.iinfo(np.int16).max

    def normalised(self, array: np.ndarray) -> np.ndarray:
        """Voxels `[z,y,x]` in the modality's unit: as they are, or with their percentiles at the ends of its range."""
        percentiles = self.normalisation.percentiles
        if percentiles is None:
            return array
        seen = array.reshape(-1)[:: max(1, array.size // _PERCENTILE_VOXELS)]
        shown = seen[seen > seen.min()]
        if len(shown) == 0:
            return np.full(array.shape, self.padding_value, dtype=np.float32)
        low, high = np.percentile(shown, percentiles)
        bottom, top = self.intensity_range
        scaled = (array.astype(np.float32) - low) * ((top - bottom) / max(high - low, 1e-6)) + bottom
        clipped: np.ndarray = np.clip(scaled, bottom, top).astype(np.float32)
        return clipped

    def window_for(self, crop: np.ndarray) -> GreyWindow:
        """The grey-level window that shows a crop `[rows, columns]` well; NaN is outside the image."""
        return self._window_of(crop) if self.display is None else self.display.window_for(crop)

    def overview_of(self, values: np.ndarray) -> GreyWindow:
        """The grey-level window for a cut through a whole image."""
        return self._window_of(values) if self.display is None else self.display.overview

    def _window_of(self, values: np.ndarray) -> GreyWindow:
        seen = values[np.isfinite(values)]
        low, high = np.percentile(seen, _SHOWN_PERCENTILES) if seen.size else self.intensity_range
        return GreyWindow(self.title, float(low), float(max(high, low + 1e-6)))

    def to_json(self) -> dict[str, Any]:
        """All fields in the types that JSON knows."""
        values: dict[str, Any] = to_json(self)
        return values

    @classmethod
    def from_json(cls, values: object) -> Modality:
        """The modality that `to_json` described; ModelError names a field that is wrong."""
        return from_json(cls, values, "modality")


SOFT_TISSUE = GreyWindow("soft tissue", -160.0, 240.0)
LUNG = GreyWindow("lung", -1350.0, 150.0)
# For bone, and for vessels full of contrast medium: calcifications stay apart from both.
WIDE = GreyWindow("wide", -250.0, 750.0)
BONE = GreyWindow("bone", -500.0, 1300.0)
# Aerated lung; the air around the patient is darker.
_AERATED = WindowChoice(LUNG, middle=0.3, least_share=0.4, low=-950.0, high=-500.0)
_BRIGHT = WindowChoice(WIDE, middle=0.12, least_share=0.15, low=200.0)
CT_DISPLAY = Display(SOFT_TISSUE, WIDE, (_AERATED, _BRIGHT), (SOFT_TISSUE, LUNG, BONE))

CT = Modality(
    name="ct",
    title="CT",
    spatial_axes=3,
    unit="HU",
    intensity_range=(-1024.0, 3071.0),
    padding_value=-1024.0,
    # lung, soft tissue and bone
    normalisation=InputNormalisation(windows=((-1024.0, -200.0), (-200.0, 300.0), (200.0, 1500.0))),
    # darker than lung, which may reach to the border of a scan and then is no hole that could be filled
    body=BodyRule(threshold=-300.0, margin_mm=16.0, least_voxels=30, air=-950.0),
    scan_checks=ScanChecks(lowest_at_most=-200.0, highest_at_least=100.0, has_negative_values=True),
    compared_range=(-1000.0, 1000.0),
    display=CT_DISPLAY,
)
"""Computed tomography in Hounsfield units, the modality of the first model files."""

RADIOGRAPH = Modality(
    name="radiograph",
    title="Radiograph",
    spatial_axes=2,
    unit="grey value",
    intensity_range=(0.0, 1.0),
    padding_value=0.0,
    # exposure and post-processing differ, so grey values mean something only beside each other
    normalisation=InputNormalisation(windows=((0.0, 1.0),), percentiles=(0.5, 99.5)),
    body=BodyRule(threshold=None),
)
"""Projection radiographs in grey values, bone bright, as images of one slice."""

MR_BRAIN = Modality(
    name="mr-brain",
    title="Brain MR",
    spatial_axes=3,
    unit="grey value",
    intensity_range=(0.0, 1.0),
    padding_value=0.0,
    # coil, sequence and contrast agent differ, and single vessels or fat outshine everything
    normalisation=InputNormalisation(windows=((0.0, 1.0),), percentiles=(1.0, 99.0)),
    body=BodyRule(threshold=0.08, margin_mm=12.0, least_voxels=30),
    # a head with the neck in a field of view that leaves room around it
    scan_checks=ScanChecks(never_negative=True, longest_mm=330.0),
)
"""Magnetic resonance images of the head in any contrast, with its skull or without."""

MODALITIES = {modality.name: modality for modality in (CT, RADIOGRAPH, MR_BRAIN)}
"""The modalities that images are recognised as, by name."""


def modality_of(name: str, array: np.ndarray) -> Modality:
    """The modality of that name; where none has it, that which the voxels `[z,y,x]` look like."""
    return MODALITIES.get(name) or recognised(array)


def recognised(array: np.ndarray) -> Modality:
    """The modality of voxels `[z,y,x]` that nothing else is known of.

    One slice without negative values is a radiograph, many of them are MR; what has the values of neither is CT.

    >>> recognised(np.ones((1, 20, 30))).name, recognised(np.ones((20, 20, 30))).name
    ('radiograph', 'ct')
    >>> recognised(np.arange(8000).reshape(20, 20, 20)).name
    'mr-brain'
    """
    one_slice = array.ndim == 3 and array.shape[0] == 1
    if one_slice and array.size and array.min() >= 0:
        return RADIOGRAPH
    return MR_BRAIN if not one_slice and looks_like_mr(array) else CT
